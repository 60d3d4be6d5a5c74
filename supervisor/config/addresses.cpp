#include "supervisor/config/addresses.h"

#include "common/base/log.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <charconv>
#include <optional>

namespace sluice::config {
namespace {

constexpr std::string_view kHostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
constexpr size_t kMaxHostBytes = 253; // RFC 1035

// Bits of an address of this family, or empty if the text is none.
std::optional<int> address_bits(std::string_view text) {
  in6_addr parsed{};
  std::string terminated(text);
  if (inet_pton(AF_INET, terminated.c_str(), &parsed) == 1) return 32;
  if (inet_pton(AF_INET6, terminated.c_str(), &parsed) == 1) return 128;
  return std::nullopt;
}

std::optional<int> parse_number(std::string_view text) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text[0] == '-' || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

} // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  Error error{fmt::format("'{}' is not an address to listen on; expected :PORT, HOST:PORT or [IPV6]:PORT",
                          printable(text, 100))};
  size_t colon = text.rfind(':');
  if (colon == text.npos) return error;
  std::string_view host = text.substr(0, colon);
  std::optional<int> port = parse_number(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return error;
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return error;
    host = host.substr(1, host.size() - 2);
    if (address_bits(host) != 128) return error;
  } else if (host.find_first_not_of(kHostCharacters) != host.npos || host.size() > kMaxHostBytes) {
    return error;
  }
  return ListenAddress{std::string(host), static_cast<uint16_t>(*port)};
}

bool is_cidr(std::string_view text) {
  size_t slash = text.find('/');
  if (slash == text.npos) return false;
  std::optional<int> bits = address_bits(text.substr(0, slash));
  std::optional<int> prefix = parse_number(text.substr(slash + 1));
  return bits && prefix && *prefix <= *bits;
}

Result<MulticastRange> parse_multicast_range(std::string_view text) {
  Error error{fmt::format("'{}' is not a range of IPv4 multicast addresses; expected one such as 224.1.0.0/16",
                          printable(text, 100))};
  constexpr int kMulticastBits = 4; // 1110
  size_t slash = text.find('/');
  in_addr parsed{};
  std::string address(text.substr(0, slash));
  if (!is_cidr(text) || inet_pton(AF_INET, address.c_str(), &parsed) != 1) return error;
  int bits = *parse_number(text.substr(slash + 1));
  uint32_t value = ntohl(parsed.s_addr);
  if (bits < kMulticastBits || value >> (32 - kMulticastBits) != 0b1110) return error;
  return MulticastRange{value & ~uint32_t{0} << (32 - bits), bits};
}

bool is_ip_or_cidr(std::string_view text) {
  return address_bits(text) || is_cidr(text);
}

} // namespace sluice::config
