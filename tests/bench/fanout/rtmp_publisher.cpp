#include "tests/bench/fanout/rtmp_publisher.h"

#include <sys/socket.h>

namespace sluice::fanout {
namespace {

constexpr uint32_t kChunkBytes = 4096;
constexpr size_t kAudioFrameSize = 170; // 64 kbit/s
constexpr int64_t kSamplesPerFrame = 1024, kAudioClock = 48'000;

// AVCDecoderConfigurationRecord, AudioSpecificConfig, each with its FLV tag.
constexpr uint8_t kVideoConfiguration[] = {0x17, 0x00, 0x00, 0x00, 0x00, 0x01, 0x4d, 0x40, 0x0d, 0xff, 0xe1, 0x00,
                                           0x1a, 0x67, 0x4d, 0x40, 0x0d, 0xe9, 0x82, 0xa1, 0x0f, 0x11, 0x11, 0x80,
                                           0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0x90, 0x78,
                                           0xa1, 0x49, 0xc0, 0x01, 0x00, 0x04, 0x68, 0xce, 0x0f, 0xc8};
constexpr uint8_t kAudioConfiguration[] = {0xaf, 0x00, 0x11, 0x90};

} // namespace

Result<RtmpPublisher> RtmpPublisher::open(uint16_t port, const std::string &path, const Pace &pace, Nanoseconds start) {
  RtmpPublisher publisher(TRY(RtmpClient::open(port)), pace, start);
  TRY(publisher.client_.publish(path));
  ByteVector chunk_size;
  rtmp::put_control_number(chunk_size, rtmp::MessageType::SetChunkSize, kChunkBytes);
  TRY(publisher.client_.send(chunk_size));
  publisher.payload_.assign(std::begin(kVideoConfiguration), std::end(kVideoConfiguration));
  TRY(publisher.send(rtmp::MessageType::Video, 0));
  publisher.payload_.assign(std::begin(kAudioConfiguration), std::end(kAudioConfiguration));
  TRY(publisher.send(rtmp::MessageType::Audio, 0));
  return publisher;
}

Nanoseconds RtmpPublisher::audio_due() const {
  return start_ + audio_frames_ * kSamplesPerFrame * kSecond / kAudioClock;
}

Result<void> RtmpPublisher::send_due(Nanoseconds now) {
  while (next_due() <= now) TRY(video_due() == next_due() ? send_picture() : send_audio());
  return {};
}

Result<void> RtmpPublisher::send_picture() {
  bool key = pictures_ % pace_.key_frame_interval == 0;
  if (key) { // acknowledgements are few
    char scrap[4096];
    while (recv(client_.fd(), scrap, sizeof(scrap), MSG_DONTWAIT) == static_cast<ssize_t>(sizeof(scrap))) {
    }
  }
  size_t size = key ? pace_.key_frame_size : pace_.access_unit_size;
  // FLV tag, the one NAL unit's length, its header and slice header; then filler without emulation prevention.
  const uint8_t head[] = {static_cast<uint8_t>(key ? 0x17 : 0x27), 1, 0, 0, 0};
  const uint8_t slice[] = {static_cast<uint8_t>(key ? 0x65 : 0x41), static_cast<uint8_t>(key ? 0x88 : 0x9a),
                           static_cast<uint8_t>(key ? 0x84 : 0x22)};
  payload_.assign(sizeof(head) + 4 + size, 0x55);
  std::copy(std::begin(head), std::end(head), payload_.begin());
  store_be32(payload_.data() + sizeof(head), static_cast<uint32_t>(size));
  std::copy(std::begin(slice), std::end(slice), payload_.begin() + sizeof(head) + 4);
  Nanoseconds time = video_due() - start_;
  pictures_++;
  return send(rtmp::MessageType::Video, time);
}

Result<void> RtmpPublisher::send_audio() {
  payload_.assign(2 + kAudioFrameSize, 0x21);
  payload_[0] = 0xaf;
  payload_[1] = 1;
  Nanoseconds time = audio_due() - start_;
  audio_frames_++;
  return send(rtmp::MessageType::Audio, time);
}

Result<void> RtmpPublisher::send(rtmp::MessageType type, Nanoseconds time) {
  wire_.clear();
  uint32_t chunk_stream = type == rtmp::MessageType::Video ? rtmp::kVideoChunkStream : rtmp::kAudioChunkStream;
  rtmp::append_message(wire_, chunk_stream,
                       {.type = type,
                        .stream = client_.stream(),
                        .timestamp = static_cast<uint32_t>(time / kMillisecond),
                        .payload = payload_},
                       kChunkBytes);
  TRY(client_.send(wire_));
  messages_++;
  bytes_ += wire_.size();
  return {};
}

} // namespace sluice::fanout
