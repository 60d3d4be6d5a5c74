// IPv4 and IPv6 addresses and ranges (CIDR) that may do something. An IPv4 address in IPv6 form (::ffff:1.2.3.4) is
// that IPv4 address, in the list as well as in a question. Pure.
#pragma once

#include "common/base/result.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class IpList {
public:
  // The same texts as config::is_ip_or_cidr. Bits of a range beyond its prefix do not matter.
  static Result<IpList> parse(const std::vector<std::string> &items);

  static bool is_address(std::string_view text) { return address_of(text).has_value(); }

  bool empty() const { return ranges_.empty(); }
  // An address, perhaps with a zone ("fe80::1%eth0"), which does not matter; false for anything else.
  bool contains(std::string_view address) const;

private:
  using Address = std::array<uint8_t, 16>; // IPv4 in its IPv6 form
  struct Range {
    Address address{};
    int prefix = 128; // bits
    bool is_v4 = false;
  };

  static std::optional<Address> address_of(std::string_view text);
  static std::optional<Range> range_of(std::string_view text);
  static bool is_v4(const Address &address);

  std::vector<Range> ranges_;
};

} // namespace sluice
