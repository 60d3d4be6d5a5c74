// The multicast groups of a range, one after the other: from its second address upwards, around, and past those in use,
// so that one that was freed stays unused as long as there are others. Pure.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

namespace sluice::multicast {

struct Range {
  uint32_t network = 0; // IPv4, host byte order, without host bits
  int prefix_bits = 32; // 4 to 32
  bool operator==(const Range &) const = default;
};

std::string address_text(uint32_t address);
std::string range_text(const Range &range);

class GroupPool {
public:
  // For groups taken from now on; those in use stay so.
  void set_range(const Range &range);
  const Range &range() const { return range_; }

  // So many, or none and an Error.
  Result<std::vector<uint32_t>> take(size_t count);
  void give_back(const std::vector<uint32_t> &groups);
  size_t in_use() const { return used_.size(); }

private:
  uint64_t size() const { return uint64_t{1} << (32 - range_.prefix_bits); }

  Range range_;
  uint64_t next_ = 1; // offset from the network
  std::unordered_set<uint32_t> used_;
};

} // namespace sluice::multicast
