#include "common/http/uri.h"

#include "common/base/text.h"
#include "common/http/headers.h"

#include <algorithm>
#include <cstdint>

namespace sluice::http {
namespace {

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

Result<std::string> decode_form(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

// What follows the authority of an absolute target: empty, or begins with '/' or '?'.
Result<std::string_view> without_authority(std::string_view target) {
  size_t colon = target.find("://");
  std::string_view scheme = target.substr(0, colon);
  if (colon == std::string_view::npos || !(equal_ignoring_case(scheme, "http") || equal_ignoring_case(scheme, "https")))
    return Error{"invalid target"};
  std::string_view rest = target.substr(colon + 3);
  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.empty() || authority.find('@') != std::string_view::npos) return Error{"invalid target"};
  return rest.substr(authority.size());
}

// The components of RFC 3986 section 3, views into the text. The fragment is left out.
struct Components {
  std::optional<std::string_view> scheme, authority, query;
  std::string_view path;
};

bool is_scheme(std::string_view text) {
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

Components take_apart(std::string_view text) {
  Components parts;
  text = text.substr(0, text.find('#'));
  size_t question = text.find('?');
  if (question != std::string_view::npos) {
    parts.query = text.substr(question + 1);
    text = text.substr(0, question);
  }
  size_t colon = text.find(':');
  if (colon != std::string_view::npos && is_scheme(text.substr(0, colon))) {
    parts.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    parts.authority = text.substr(0, text.find('/'));
    text.remove_prefix(parts.authority->size());
  }
  parts.path = text;
  return parts;
}

// RFC 3986 section 5.2.4, segment by segment; the path is absolute or has no authority before it.
std::string without_dots(std::string_view path) {
  std::string out;
  bool absolute = path.starts_with('/');
  while (!path.empty()) {
    size_t end = path.find('/', absolute ? 1 : 0);
    std::string_view segment = path.substr(0, end); // with the slash before it
    path.remove_prefix(segment.size());
    std::string_view name = absolute ? segment.substr(1) : segment;
    if (name == "." || name == "..") {
      if (name == "..") out.erase(std::min(out.rfind('/'), out.size()));
      if (path.empty() && absolute) out += '/';
    } else {
      out += segment;
    }
    absolute = path.starts_with('/');
  }
  return out;
}

} // namespace

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    std::optional<uint8_t> high, low;
    if (text.size() - i > 2) {
      high = hex_digit(text[i + 1]);
      low = hex_digit(text[i + 2]);
    }
    if (!high || !low) return Error{"invalid percent-encoding"};
    decoded.push_back(static_cast<char>(*high << 4 | *low));
    i += 2;
  }
  return decoded;
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    if (is_unreserved(c) || (keep_slashes && c == '/')) {
      encoded.push_back(c);
      continue;
    }
    encoded.push_back('%');
    encoded.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    encoded.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return encoded;
}

const std::string *Query::find(std::string_view name) const {
  for (const QueryParameter &parameter : all_) {
    if (parameter.name == name) return &parameter.value;
  }
  return nullptr;
}

Result<Query> parse_query(std::string_view raw) {
  Query query;
  while (!raw.empty()) {
    std::string_view pair = raw.substr(0, raw.find('&'));
    raw.remove_prefix(std::min(pair.size() + 1, raw.size()));
    if (pair.empty()) continue;
    size_t equals = std::min(pair.find('='), pair.size());
    std::string name = TRY(decode_form(pair.substr(0, equals)));
    std::string value = TRY(decode_form(pair.substr(std::min(equals + 1, pair.size()))));
    query.add(std::move(name), std::move(value));
  }
  return query;
}

Result<Target> parse_target(std::string_view method, std::string_view target) {
  if (target == "*" && method == "OPTIONS") return Target{"*", ""};
  if (target.find('#') != std::string_view::npos) return Error{"target with a fragment"};
  if (!target.starts_with('/')) target = TRY(without_authority(target));
  size_t question = std::min(target.find('?'), target.size());
  Target parsed;
  parsed.path = TRY(percent_decode(target.substr(0, question)));
  parsed.query = target.substr(std::min(question + 1, target.size()));
  if (parsed.path.empty()) parsed.path = "/";
  if (parsed.path.find('\0') != std::string::npos) return Error{"target with a NUL"};
  return parsed;
}

Result<std::string> resolve_reference(std::string_view base_text, std::string_view text) {
  Components base = take_apart(base_text), parts = take_apart(text);
  if (!base.scheme) return Error{"relative base of a reference"};
  std::string path;
  if (parts.scheme || parts.authority || parts.path.starts_with('/')) {
    path = without_dots(parts.path);
  } else if (parts.path.empty()) {
    path = base.path;
    if (!parts.query) parts.query = base.query;
  } else {
    // section 5.2.3
    std::string merged(base.authority && base.path.empty() ? "/" : base.path.substr(0, base.path.rfind('/') + 1));
    merged += parts.path;
    path = without_dots(merged);
  }
  bool from_base = !parts.scheme && !parts.authority;
  std::string out(parts.scheme ? *parts.scheme : *base.scheme);
  out += ':';
  if (std::optional<std::string_view> authority = from_base ? base.authority : parts.authority)
    out.append("//").append(*authority);
  out += path;
  if (parts.query) out.append("?").append(*parts.query);
  return out;
}

} // namespace sluice::http
