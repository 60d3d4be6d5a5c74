// A publisher over RTMP as OBS is one: chunks of 4096 bytes, H264 and AAC as FLV has them, one write for each message.
#pragma once

#include "tests/bench/fanout/rtmp_client.h"
#include "tests/bench/fanout/synthetic_publisher.h"

namespace sluice::fanout {

// With audio of 64 kbit/s: 500 kbit/s.
constexpr Pace kRtmpPace{kSecond / 25, 2'020, true, 50, 10'000};

class RtmpPublisher {
public:
  // The server has agreed, and has had the configurations.
  static Result<RtmpPublisher> open(uint16_t port, const std::string &path, const Pace &pace, Nanoseconds start);

  // What was sent: messages of media, with their headers.
  uint64_t messages() const { return messages_; }
  uint64_t bytes() const { return bytes_; }

  // When send_due() is to be called next.
  Nanoseconds next_due() const { return std::min(video_due(), audio_due()); }
  // Sends what is due; drops what the server sent.
  Result<void> send_due(Nanoseconds now);

private:
  RtmpPublisher(RtmpClient client, const Pace &pace, Nanoseconds start)
      : client_(std::move(client)), pace_(pace), start_(start) {}
  Nanoseconds video_due() const { return start_ + pace_.video_interval * pictures_; }
  Nanoseconds audio_due() const;
  Result<void> send_picture();
  Result<void> send_audio();
  Result<void> send(rtmp::MessageType type, Nanoseconds time);

  RtmpClient client_;
  Pace pace_;
  Nanoseconds start_;
  int64_t pictures_ = 0, audio_frames_ = 0;
  uint64_t messages_ = 0, bytes_ = 0;
  ByteVector payload_, wire_;
};

} // namespace sluice::fanout
