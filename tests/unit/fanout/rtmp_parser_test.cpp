#include "tests/bench/fanout/rtmp_recording.h"

#include <gtest/gtest.h>

namespace sluice::fanout {
namespace {

using rtmp::MessageType;

ByteVector message_of(MessageType type, uint32_t time_ms, size_t length) {
  ByteVector payload(length, 0x11), bytes;
  rtmp::append_message(bytes, rtmp::kVideoChunkStream,
                       {.type = type, .stream = 1, .timestamp = time_ms, .payload = payload}, rtmp::kDefaultChunkBytes);
  return bytes;
}

TEST(RtmpParser, TakesMessagesHoweverTheyCome) {
  ByteVector first = message_of(MessageType::Video, 10, 1'000), stream = first;
  ByteVector second = message_of(MessageType::Audio, 20, 3);
  stream.insert(stream.end(), second.begin(), second.end());
  for (size_t step : {size_t{1}, size_t{7}, stream.size()}) {
    RtmpParser parser;
    std::vector<ByteVector> wires;
    std::vector<uint32_t> times;
    for (size_t at = 0; at < stream.size(); at += step) {
      Bytes piece = Bytes(stream).subspan(at, std::min(step, stream.size() - at));
      EXPECT_TRUE(parser.feed(piece, [&](const rtmp::Message &message, Bytes wire) {
        wires.emplace_back(wire.begin(), wire.end());
        times.push_back(message.timestamp);
      }));
    }
    EXPECT_EQ(wires, (std::vector<ByteVector>{first, second}));
    EXPECT_EQ(times, (std::vector<uint32_t>{10, 20}));
  }
}

TEST(RtmpParser, NoticesWhatIsNoChunkStream) {
  RtmpParser parser;
  const uint8_t junk[] = {0x06, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0}; // a message of 16 MB
  EXPECT_FALSE(parser.feed(junk, [](const rtmp::Message &, Bytes) {}));
}

TEST(RtmpParser, OfAReplayBeginsWithRelativeTimestamps) {
  RtmpParser parser = parser_of_replay();
  const uint8_t relative[] = {0x46, 0, 0, 33, 0, 0, 1, 9, 0x27};
  uint32_t time = 0;
  EXPECT_TRUE(parser.feed(relative, [&](const rtmp::Message &message, Bytes) { time = message.timestamp; }));
  EXPECT_EQ(time, 33u);
}

TEST(TimestampCheck, CountsWhatIsMissing) {
  TimestampCheck check;
  auto at = [&](MessageType type, uint32_t time_ms) { check.on_message({.type = type, .timestamp = time_ms}); };
  for (uint32_t time : {0u, 33u, 67u, 100u, 158u}) at(MessageType::Video, time); // the file began anew
  for (uint32_t time : {0u, 21u, 43u}) at(MessageType::Audio, time);
  at(MessageType::DataAmf0, 0);
  EXPECT_EQ(check.lost + check.disordered, 0u);
  EXPECT_EQ(check.messages, 8u);
  at(MessageType::Video, 1'158); // a second was left out
  EXPECT_EQ(check.lost, 29u);
  at(MessageType::Video, 1'100);
  EXPECT_EQ(check.disordered, 1u);
}

} // namespace
} // namespace sluice::fanout
