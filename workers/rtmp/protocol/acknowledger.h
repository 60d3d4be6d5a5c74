// When the bytes received are to be acknowledged (RTMP section 5.4.3): the peer's window and what was counted so far.
#pragma once

#include "workers/rtmp/protocol/messages.h"

#include <algorithm>

namespace sluice::rtmp {

class Acknowledger {
public:
  // The peer's Window Acknowledgement Size. Until it names one it wants no acknowledgements.
  void set_window(uint32_t bytes) { window_ = bytes == 0 ? 0 : std::max(bytes, kSmallestWindow); }

  // A peer stops sending at some point if it hears of nothing; half a window early it never comes to that.
  void on_received(size_t bytes, ByteVector &out) {
    received_ += static_cast<uint32_t>(bytes);
    if (window_ == 0 || received_ - acknowledged_ < window_ / 2) return;
    put_control_number(out, MessageType::Acknowledgement, received_);
    acknowledged_ = received_;
  }

private:
  // Smaller ones are taken as this, or the peer's bytes would call for as many of ours.
  static constexpr uint32_t kSmallestWindow = 4096;

  uint32_t window_ = 0;
  uint32_t received_ = 0, acknowledged_ = 0; // modulo 2^32
};

} // namespace sluice::rtmp
