// Texts that name network addresses in the configuration. Pure: nothing is resolved.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <string_view>

namespace sluice::config {

struct ListenAddress {
  std::string host; // empty: all; an IPv4 or IPv6 address without brackets, or a host name
  uint16_t port = 0;
};

// ":8554", "127.0.0.1:8554", "[::1]:8554", "name:8554"; the port is 1 to 65535.
Result<ListenAddress> parse_listen_address(std::string_view text);

// An IPv4 or IPv6 address, alone or with "/bits".
bool is_ip_or_cidr(std::string_view text);
bool is_cidr(std::string_view text);

// "224.1.0.0/16": a range of IPv4 multicast groups (224.0.0.0/4).
struct MulticastRange {
  uint32_t network = 0; // host byte order, without host bits
  int prefix_bits = 0;
};
Result<MulticastRange> parse_multicast_range(std::string_view text);

} // namespace sluice::config
