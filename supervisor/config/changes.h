// What is to be done when a parameter's value changes while the server runs. Whatever it is, the new configuration is
// taken first.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::config {

enum class Change : uint8_t {
  NextUse, // nothing: it is looked up when it is needed
  // Of the whole configuration:
  Log,              // level, destinations or form of the log
  WorkerSetting,    // the running workers are told
  MemoryLimits,     // of rings that are made or grow from now on
  PathsThatInherit, // what it means to the paths that have no value of their own stands with them
  ConnectHook,      // runOnConnect: commands that run are replaced
  RtspSlots,        // how many workers there are
  RtmpSlots,
  HlsSlots,
  RtspListener, // what is open is compared with what should be
  RtspsListener,
  UdpListener,
  MulticastListener,
  RtmpListener,
  RtmpsListener,
  HlsListener,
  ApiListener,
  MetricsListener,
  PprofListener,
  RtspsCertificate, // key and certificate are read again, for new connections
  RtmpsCertificate,
  HlsCertificate,
  ApiCertificate,
  // Of a path:
  PathHooks,     // its commands are replaced
  PathSource,    // its source is started again
  StreamSetting, // the workers that have its stream are told
};
constexpr size_t kChangeCount = static_cast<size_t>(Change::StreamSetting) + 1;

class Changes {
public:
  constexpr Changes() = default;
  constexpr Changes(Change change) : bits_(bit(change)) {}
  constexpr bool contains(Change change) const { return (bits_ & bit(change)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr int size() const { return std::popcount(bits_); }
  constexpr Changes &operator|=(Changes other) {
    bits_ |= other.bits_;
    return *this;
  }
  friend constexpr Changes operator|(Changes a, Changes b) { return a |= b; }
  constexpr bool operator==(const Changes &) const = default;

private:
  static constexpr uint32_t bit(Change change) { return uint32_t{1} << static_cast<int>(change); }
  uint32_t bits_ = 0;
};
constexpr Changes operator|(Change a, Change b) {
  return Changes(a) | Changes(b);
}
static_assert(kChangeCount <= 32);

// For the reference page: "the log is opened again", …
std::string_view description_of(Change change);

} // namespace sluice::config
