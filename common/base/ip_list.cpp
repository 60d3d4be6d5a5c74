#include "common/base/ip_list.h"

#include "common/base/log.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr size_t kMaxAddressBytes = INET6_ADDRSTRLEN;

} // namespace

bool IpList::is_v4(const Address &address) {
  return std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

std::optional<IpList::Address> IpList::address_of(std::string_view text) {
  if (text.size() > kMaxAddressBytes || text.find('\0') != text.npos) return std::nullopt;
  std::string terminated(text);
  Address address{};
  if (inet_pton(AF_INET6, terminated.c_str(), address.data()) == 1) return address;
  if (inet_pton(AF_INET, terminated.c_str(), address.data() + kMapped.size()) != 1) return std::nullopt;
  std::copy(kMapped.begin(), kMapped.end(), address.begin());
  return address;
}

std::optional<IpList::Range> IpList::range_of(std::string_view text) {
  size_t slash = text.find('/');
  std::string_view host = text.substr(0, slash);
  std::optional<Address> address = address_of(host);
  if (!address) return std::nullopt;
  Range range{*address, 128, is_v4(*address)};
  if (slash == text.npos) return range;
  std::string_view digits = text.substr(slash + 1);
  int bits = host.find(':') == host.npos ? 32 : 128;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), range.prefix);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (digits[0] == '-' || range.prefix > bits) return std::nullopt;
  range.prefix += 128 - bits;
  if (range.prefix < 96) range.is_v4 = false; // more than the IPv4 addresses in IPv6 form
  return range;
}

Result<IpList> IpList::parse(const std::vector<std::string> &items) {
  IpList list;
  for (const std::string &item : items) {
    std::optional<Range> range = range_of(item);
    if (!range) return Error{"unable to parse IP/CIDR '" + printable(item, 100) + "'"};
    list.ranges_.push_back(*range);
  }
  return list;
}

bool IpList::contains(std::string_view text) const {
  std::optional<Address> address = address_of(text.substr(0, text.find('%')));
  if (!address) return false;
  bool v4 = is_v4(*address);
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range &range) {
    if (range.is_v4 != v4) return false;
    size_t whole = static_cast<size_t>(range.prefix / 8);
    int rest = range.prefix % 8;
    if (std::memcmp(range.address.data(), address->data(), whole) != 0) return false;
    return rest == 0 || ((range.address[whole] ^ (*address)[whole]) >> (8 - rest)) == 0;
  });
}

} // namespace sluice
