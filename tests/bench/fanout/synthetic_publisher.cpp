#include "tests/bench/fanout/synthetic_publisher.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::fanout {
namespace {

constexpr size_t kMaxPayload = 1400;
constexpr size_t kStampSize = 16;
constexpr size_t kAudioFrameSize = 341; // 128 kbit/s
constexpr int64_t kSamplesPerFrame = 1024;
constexpr int64_t kAudioClock = 48'000;
constexpr int64_t kVideoClock = 90'000;
constexpr uint8_t kPayloadTypes[2] = {96, 97};

constexpr uint8_t kIdrNalu = 0x65; // nal_ref_idc 3, type 5
constexpr uint8_t kNonIdrNalu = 0x41;
constexpr uint8_t kFuA = 28;

// first_mb_in_slice 0, slice_type (I, P), pic_parameter_set_id 0; then filler without emulation prevention
constexpr uint8_t kIdrSlice[] = {0x88, 0x84};
constexpr uint8_t kNonIdrSlice[] = {0x9A, 0x22};

constexpr const char *kVideoDescription = //
    "m=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1; "
    "sprop-parameter-sets=Z2QAH6y0AoAt2AiAAAADAIAAAB4yIAB6EgAPQnBRADxgyoA=,aO88sA==; profile-level-id=64001F\r\n"
    "a=control:trackID=0\r\n";
constexpr const char *kAudioDescription = //
    "m=audio 0 RTP/AVP 97\r\n"
    "a=rtpmap:97 MPEG4-GENERIC/48000/2\r\n"
    "a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=1190\r\n"
    "a=control:trackID=1\r\n";

} // namespace

SyntheticPublisher::SyntheticPublisher(RtspClient client, const Pace &pace, Nanoseconds start)
    : client_(std::move(client)), pace_(pace), start_(start) {}

Result<SyntheticPublisher> SyntheticPublisher::open(uint16_t port, const std::string &path, const Pace &pace,
                                                    Nanoseconds now) {
  RtspClient client = TRY(RtspClient::open(port, path));
  std::string description = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=bench\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";
  description += kVideoDescription;
  if (pace.audio) description += kAudioDescription;
  TRY(client.succeed("ANNOUNCE", client.url(), {{"Content-Type", "application/sdp"}}, description));
  for (int track = 0; track < (pace.audio ? 2 : 1); track++) {
    std::string transport = fmt::format("RTP/AVP/TCP;unicast;interleaved={}-{};mode=record", 2 * track, 2 * track + 1);
    TRY(client.succeed("SETUP", fmt::format("{}/trackID={}", client.url(), track), {{"Transport", transport}}));
  }
  TRY(client.succeed("RECORD", client.url(), {{"Range", "npt=0.000-"}}));
  return SyntheticPublisher(std::move(client), pace, now);
}

Nanoseconds SyntheticPublisher::audio_due() const {
  return start_ + audio_frames_ * kSamplesPerFrame * kSecond / kAudioClock;
}

Nanoseconds SyntheticPublisher::next_due() const {
  return pace_.audio ? std::min(video_due(), audio_due()) : video_due();
}

Result<void> SyntheticPublisher::send_due(Nanoseconds now) {
  char scrap[4096];
  while (recv(client_.fd(), scrap, sizeof(scrap), MSG_DONTWAIT) == static_cast<ssize_t>(sizeof(scrap))) {
  }
  while (next_due() <= now) {
    if (video_due() == next_due())
      TRY(send_access_unit());
    else
      TRY(send_audio());
  }
  return {};
}

Result<void> SyntheticPublisher::send_access_unit() {
  bool key = access_units_ % pace_.key_frame_interval == 0;
  size_t unit_size = key && pace_.key_frame_size != 0 ? pace_.key_frame_size : pace_.access_unit_size;
  uint8_t nalu = key ? kIdrNalu : kNonIdrNalu;
  const uint8_t *slice = key ? kIdrSlice : kNonIdrSlice;
  int64_t ticks = pace_.video_interval * access_units_ / 1000 * (kVideoClock / 1000) / 1000;
  uint32_t timestamp = static_cast<uint32_t>(ticks);
  access_units_++;
  if (unit_size <= kMaxPayload) {
    const uint8_t head[] = {nalu, slice[0], slice[1]};
    return send_packet(0, timestamp, true, head, unit_size);
  }
  uint8_t indicator = static_cast<uint8_t>((nalu & 0xE0) | kFuA);
  for (size_t offset = 0; offset < unit_size;) {
    size_t size = std::min(kMaxPayload, unit_size - offset);
    bool first = offset == 0;
    bool last = offset + size == unit_size;
    uint8_t fragment = static_cast<uint8_t>((first ? 0x80 : 0) | (last ? 0x40 : 0) | (nalu & 0x1F));
    const uint8_t head[] = {indicator, fragment, slice[0], slice[1]};
    TRY(send_packet(0, timestamp, last, Bytes(head).first(first ? 4 : 2), size));
    offset += size;
  }
  return {};
}

Result<void> SyntheticPublisher::send_audio() {
  uint8_t head[4];
  store_be16(head, 16); // AU-headers-length in bits
  store_be16(head + 2, kAudioFrameSize << 3);
  uint32_t timestamp = static_cast<uint32_t>(audio_frames_++ * kSamplesPerFrame);
  return send_packet(1, timestamp, true, head, kAudioFrameSize - kStampSize);
}

// A packet with marker ends with the time, in addition to the filler.
Result<void> SyntheticPublisher::send_packet(size_t track, uint32_t timestamp, bool marker, Bytes payload_head,
                                             size_t filler) {
  uint8_t header[16] = {'$', static_cast<uint8_t>(2 * track), 0, 0, 0x80};
  size_t size = sizeof(header) + payload_head.size() + filler + (marker ? kStampSize : 0);
  store_be16(header + 2, static_cast<uint16_t>(size - 4));
  header[5] = static_cast<uint8_t>(kPayloadTypes[track] | (marker ? 0x80 : 0));
  store_be16(header + 6, sequence_[track]++);
  store_be32(header + 8, timestamp);
  store_be32(header + 12, 0x51A1CE00 + static_cast<uint32_t>(track));
  packet_.assign(size, 0x55);
  std::copy(std::begin(header), std::end(header), packet_.begin());
  std::copy(payload_head.begin(), payload_head.end(), packet_.begin() + sizeof(header));
  if (marker) {
    std::string stamp = fmt::format("{:016x}", monotonic_now());
    std::memcpy(packet_.data() + size - kStampSize, stamp.data(), kStampSize);
  }
  ssize_t sent = send(client_.fd(), packet_.data(), size, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(size)) return os_error("send of the synthetic publisher");
  packets_++;
  bytes_ += size;
  return {};
}

std::optional<Nanoseconds> time_in(Bytes packet) {
  if (packet.size() < kStampSize) return std::nullopt;
  std::string_view digits = as_text(packet.last(kStampSize));
  Nanoseconds time = 0;
  auto [end, error] = std::from_chars(digits.begin(), digits.end(), time, 16);
  if (error != std::errc{} || end != digits.end()) return std::nullopt;
  return time;
}

} // namespace sluice::fanout
