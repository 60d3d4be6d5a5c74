#include "supervisor/config/reference_page.h"

#include "supervisor/config/headings.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/values.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

namespace sluice::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

Made by `sluice --print-configuration-reference` from the table of parameters. [sluice.yml](sluice.yml) is the same
as a file to start from.

`sluice CONFIG` reads that file, which may be a pipe. Without CONFIG it takes the first of `sluice.yml`,
`rtsp-simple-server.yml` (both in the current directory) and `/etc/sluice/sluice.yml`; with none of them Sluice starts
with the defaults and `paths: all:`, and says so. A file without `paths` has none. `sluice --check CONFIG` lists all
errors.

## How values are written

A file is YAML 1.1 or JSON.

| type | in a file | in the environment |
|---|---|---|
| yes or no | `yes`, `no`, `true`, `false`, `on`, `off` | `yes`, `no`, `true`, `false`, in any case |
| number | `512` | `512` |
| duration | number and unit (`ns`, `us`, `ms`, `s`, `m`, `h`): `10s`, `1m30s`, `1.5h` | the same |
| size | number and unit (`B`, `K`, `M`, `G`, `T`; powers of 1024): `50M`, `1.5G` | the same |
| text | `word`, `"in quotes"`; `yes`, `no`, numbers and nothing need quotes | as it is |
| word | one of those named; `"no"` needs quotes | as it is |
| list | `[a, b]`, or an item a line, each after `- ` | `a,b` |
| credential | empty (none), plain, `sha256:` and the base64 of the SHA-256, or `argon2:` and an encoded hash, which begins with `$argon2id$` | the same |

A plain credential consists of `A-Z a-z 0-9 ! $ ( ) * + . ; < = > [ ] ^ _ - { }`.

What is left out, `0` or empty has its default, unless the table says what 0 or empty means.

An environment variable goes before the file, and a list in it replaces the file's. That of a path's parameter is
`RTSP_PATHS_`, the path's name in capitals, `_` and the parameter's name in capitals: `RTSP_PATHS_CAM1_READUSER=me`.
Only names without `_` and capitals can be given so. `RTSP_PATHS_CAM1=` alone adds the path.

## Encrypted files

    export RTSP_CONFKEY       # a key of 32 bytes, from where secrets are kept
    sluice --encrypt sluice.yml > encrypted.yml
    sluice encrypted.yml
    sluice --decrypt encrypted.yml

While `RTSP_CONFKEY` is in the environment, even empty, the file must be encrypted with it: the base64 of a nonce of
24 bytes and NaCl's secretbox (XSalsa20-Poly1305) of the text. The key is taken as it is, a shorter one is filled with
zero bytes, of a longer one 32 bytes count. The converted text goes to standard output; the file stays as it is.

## Which path entry serves a name

The entries of `paths` are tried in this order; the first that fits serves the name.

1. The entry of exactly that name.
2. Entries whose name begins with `~`: the rest is a regular expression ([RE2](https://github.com/google/re2/wiki/Syntax)),
   searched anywhere in the name, so `^` and `$` are needed to mean all of it. They are tried as they stand in the
   file, top to bottom; those that the environment or the API adds come after them.
3. `all` (another spelling of `~^.*$`), wherever it stands.

A name that no entry fits is refused. Commands get what the groups of the expression took as `G1`, `G2` …; a group
that took no part is empty. An expression has up to 4096 bytes and 32 groups, a configuration up to 1000 of them.
A path with a regular expression, `all` too, can neither be pulled from a URL nor have runOnInit.

## When a value changes

The column *when changed* tells what a running server does with a new value. A listener or socket named there is
opened, closed or moved to its new address.
)";

template <class T> std::string_view type_name() {
  if constexpr (std::is_same_v<T, bool>)
    return "yes or no";
  else if constexpr (std::is_same_v<T, int>)
    return "number";
  else if constexpr (std::is_same_v<T, Nanoseconds>)
    return "duration";
  else if constexpr (std::is_same_v<T, uint64_t>)
    return "size";
  else if constexpr (std::is_same_v<T, std::string>)
    return "text";
  else if constexpr (ListValue<T>)
    return "list";
  else
    return "word";
}

template <class S> std::string_view type_of(const Parameter<S> &parameter) {
  if (parameter.name.ends_with("User") || parameter.name.ends_with("Pass")) return "credential";
  return std::visit([](auto member) { return type_name<std::decay_t<decltype(std::declval<S &>().*member)>>(); },
                    parameter.member);
}

std::string when_changed(Changes changes) {
  std::string text;
  for (size_t i = 0; i < kChangeCount; i++) {
    Change change = static_cast<Change>(i);
    if (!changes.contains(change)) continue;
    if (!text.empty()) text += ", ";
    text += description_of(change);
  }
  return text;
}

std::string capitals(std::string_view name) {
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
  return text;
}

template <class S> std::string tables(std::string_view variable_prefix) {
  std::string text;
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    if (std::string_view heading = heading_before<S>(parameter.name); !heading.empty())
      text += fmt::format("\n### {}\n\n| parameter | type | default | meaning | when changed | environment |\n"
                          "|---|---|---|---|---|---|\n",
                          heading);
    std::string shown = parameter.default_text == kInherited ? "that of all paths"
                                                             : fmt::format("`{}`", render(parameter, defaults_of<S>()));
    text += fmt::format("| `{}` | {} | {} | {} | {} | `{}{}` |\n", parameter.name, type_of(parameter), shown,
                        parameter.documentation, when_changed(parameter.changes), variable_prefix,
                        capitals(parameter.name));
  }
  return text;
}

} // namespace

std::string configuration_reference() {
  std::string text(kIntroduction);
  text += "\n## Parameters\n";
  text += tables<Configuration>("RTSP_");
  text += "\n## Parameters of a path\n\nThose of an entry of `paths`, here called NAME in variables.\n";
  text += tables<PathConfiguration>("RTSP_PATHS_NAME_");
  return text;
}

} // namespace sluice::config
