// Who may read what, as the supervisor said it a while ago, so that a viewer is judged once in kValid and not with each
// part: by client address, path, and a digest of query and credentials, which are not kept. Pure.
#pragma once

#include "common/base/time.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice::hls {

struct Asker {
  std::string_view address, path, query, authorization;
};

class Verdicts {
public:
  static constexpr Nanoseconds kValid = 10 * kSecond;
  static constexpr size_t kMax = 100'000; // with more, all are judged again

  using Key = std::array<uint64_t, 4>; // a keyed digest of all
  Verdicts();

  Key key_of(const Asker &asker) const;
  bool is_accepted(const Key &key, Nanoseconds now) const;
  void accept(const Key &key, Nanoseconds now);
  void forget_all() { accepted_.clear(); }
  void on_second(Nanoseconds now); // forgets those that are too old

private:
  struct Hash {
    size_t operator()(const Key &key) const { return key[0]; }
  };
  std::array<uint8_t, 32> secret_;
  std::unordered_map<Key, Nanoseconds, Hash> accepted_; // when
};

} // namespace sluice::hls
