// The one table of parameters: every name, type, default, documentation, check, and what a change needs.
// Loading, environment overrides, the API's JSON, the default file, the reference page, the reload plan and all
// messages are derived from it.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/changes.h"
#include "supervisor/config/configuration.h"

#include <span>
#include <string_view>
#include <variant>

namespace sluice::config {

template <class S>
using Member =
    std::variant<bool S::*, int S::*, Nanoseconds S::*, uint64_t S::*, std::string S::*, std::vector<std::string> S::*,
                 Protocols S::*, LogDestinations S::*, AuthMethods S::*, LogLevel S::*, Encryption S::*,
                 HlsVariant S::*, SourceProtocol S::*, ReaderStart S::*, LogFormat S::*>;

// What 0 or an empty value in the file means.
enum class Zero : uint8_t { IsDefault, IsValue };

// `default_text` of a path's parameter that takes the value of the global one of the same name.
constexpr std::string_view kInherited = "inherited";

template <class S> struct Parameter {
  std::string_view name;
  Member<S> member;
  std::string_view default_text; // as an environment variable would give it
  Changes changes;               // what a change of the value needs
  Zero zero;
  std::string (*check)(const S &);                       // what is wrong with the value, or empty; may be null
  bool (*built)(const Configuration &, const S &holder); // is the effect of a value other than the default built?
                                                         // null: no
  std::string_view documentation;                        // one line
};

std::span<const Parameter<Configuration>> global_parameters(); // in the order of the default file; without `paths`
std::span<const Parameter<PathConfiguration>> path_parameters();

template <class S> std::span<const Parameter<S>> parameters_of();
template <class S> const S &defaults_of();

// By exact name, or null.
template <class S> const Parameter<S> *find_parameter(std::string_view name);

// The value from a text as an environment variable or a default gives it (lists: comma separated).
template <class S> Result<void> set_from_text(const Parameter<S> &parameter, std::string_view text, S &holder);

// The value as it stands in a configuration file.
template <class S> std::string render(const Parameter<S> &parameter, const S &holder);

template <class S> bool is_default(const Parameter<S> &parameter, const S &holder);
template <class S> bool is_built(const Parameter<S> &parameter, const Configuration &configuration, const S &holder);

// 0 or empty becomes the default, where the table says so.
template <class S> void fill_default(const Parameter<S> &parameter, S &holder);

// Gives `path` the global value of a parameter whose default is kInherited.
void inherit(const Parameter<PathConfiguration> &parameter, const Configuration &configuration,
             PathConfiguration &path);

// The known name that `name` was probably meant to be, or empty. Names longer than 64 bytes: empty.
template <class S> std::string_view nearest_name(std::string_view name);

} // namespace sluice::config
