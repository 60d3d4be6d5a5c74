// A publisher over RTSP/TCP whose packets carry the time of their own sending. Video: H264-like access
// units in FU-A packets (RFC 6184); audio: AAC-hbr (RFC 3640), 46.9 a second. The
// time (16 hexadecimal digits of CLOCK_MONOTONIC nanoseconds) ends the last packet of a video access unit
// and each audio packet.
#pragma once

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "tests/bench/fanout/rtsp_client.h"

#include <optional>

namespace sluice::fanout {

struct Pace {
  Nanoseconds video_interval;
  size_t access_unit_size; // bytes
  bool audio;
  int64_t key_frame_interval = 60; // access units
  size_t key_frame_size = 0;       // 0: as the others
};

constexpr Pace kLivePace{kSecond / 30, 17'000, true};
constexpr Pace kIdlePace{kSecond, 400, false};
// 1 Mbit/s: 4 packets a picture, 29 a key frame, each 2 s.
constexpr Pace kCameraPace{kSecond / 25, 4'286, false, 50, 40'000};

class SyntheticPublisher {
public:
  static Result<SyntheticPublisher> open(uint16_t port, const std::string &path, const Pace &pace, Nanoseconds now);

  // What was sent.
  uint64_t packets() const { return packets_; }
  uint64_t bytes() const { return bytes_; } // with interleaved headers

  // When send_due() is to be called next.
  Nanoseconds next_due() const;
  // Sends what is due, each packet by one write; drops what the server sent (receiver reports).
  Result<void> send_due(Nanoseconds now);

private:
  SyntheticPublisher(RtspClient client, const Pace &pace, Nanoseconds start);
  Result<void> send_access_unit();
  Result<void> send_audio();
  Result<void> send_packet(size_t track, uint32_t timestamp, bool marker, Bytes payload_head, size_t filler);
  Nanoseconds video_due() const { return start_ + pace_.video_interval * access_units_; }
  Nanoseconds audio_due() const;

  RtspClient client_;
  Pace pace_;
  Nanoseconds start_;
  int64_t access_units_ = 0;
  int64_t audio_frames_ = 0;
  uint16_t sequence_[2] = {};
  uint64_t packets_ = 0, bytes_ = 0;
  ByteVector packet_;
};

// The time in a packet, if it ends with one.
std::optional<Nanoseconds> time_in(Bytes packet);

} // namespace sluice::fanout
