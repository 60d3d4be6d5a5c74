#include "supervisor/multicast/group_pool.h"

#include <fmt/format.h>

namespace sluice::multicast {

std::string address_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
}

std::string range_text(const Range &range) {
  return fmt::format("{}/{}", address_text(range.network), range.prefix_bits);
}

void GroupPool::set_range(const Range &range) {
  if (range == range_) return;
  range_ = range;
  next_ = 1;
}

// Of any run of in_use() + count addresses `count` are free, so the search is as short as what is in use.
Result<std::vector<uint32_t>> GroupPool::take(size_t count) {
  std::vector<uint32_t> groups;
  uint64_t next = next_;
  for (uint64_t tried = 0; groups.size() < count; tried++, next++) {
    if (tried == size())
      return Error{fmt::format("no multicast groups left: multicastIPRange {} is too small", range_text(range_))};
    uint32_t group = range_.network + static_cast<uint32_t>(next % size());
    if (!used_.contains(group)) groups.push_back(group);
  }
  next_ = next % size();
  used_.insert(groups.begin(), groups.end());
  return groups;
}

void GroupPool::give_back(const std::vector<uint32_t> &groups) {
  for (uint32_t group : groups) used_.erase(group);
}

} // namespace sluice::multicast
