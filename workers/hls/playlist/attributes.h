// Attribute lists of tags (RFC 8216 section 4.2) and the values that stand in playlists. Pure; what is returned points
// into the text. As tolerant as players are: blanks around names, and what is malformed ends the list.
//
//   list = name "=" value *( "," name "=" value )
//   value = '"' anything but '"' '"' / anything but ','
#pragma once

#include "common/base/time.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::hls {

constexpr size_t kMaxAttributes = 64; // further ones are ignored
constexpr Nanoseconds kMaxDuration = 24 * 3600 * kSecond;

class Attributes {
public:
  explicit Attributes(std::string_view list);

  // Without quotes; of several of that name the first. Empty: there is none.
  std::optional<std::string_view> find(std::string_view name) const;
  bool is_yes(std::string_view name) const { return find(name) == "YES"; }

private:
  struct Attribute {
    std::string_view name, value;
  };
  std::vector<Attribute> all_;
};

// Decimal digits and nothing else.
std::optional<uint64_t> parse_decimal(std::string_view text);
// "9.009", "9"; at most kMaxDuration.
std::optional<Nanoseconds> parse_duration(std::string_view text);
// "2010-02-19T14:54:23.031+08:00", ISO 8601; without an offset it is UTC. From 1970 on, before 2200.
std::optional<Nanoseconds> parse_date_time(std::string_view text);

} // namespace sluice::hls
