#include "workers/rtsp/protocol/interleaved.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

TEST(Frame, IsCompleteWithItsLastByte) {
  const ByteVector input{'$', 2, 0, 3, 'a', 'b', 'c', '$', 3};
  for (size_t size = 0; size < 7; size++) EXPECT_FALSE(parse_frame(Bytes(input).first(size))) << size;
  std::optional<Frame> frame = parse_frame(input);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->channel, 2);
  EXPECT_EQ(as_text(frame->payload), "abc");
  EXPECT_EQ(frame->consumed, 7u);
}

TEST(Frame, MayBeEmptyOrAsLongAsItsLengthFieldSays) {
  ByteVector input{'$', 0, 0, 0};
  EXPECT_EQ(parse_frame(input)->consumed, 4u);
  input = {'$', 0, 0xff, 0xff};
  input.resize(kMaxFrameBytes);
  EXPECT_EQ(parse_frame(input)->payload.size(), 65535u);
}

TEST(NextItem, IsToldByTheFirstBytes) {
  struct Case {
    std::string_view input;
    ItemKind kind;
    size_t skip;
  };
  for (const Case &one : {Case{"$", ItemKind::Frame, 0}, Case{"\r\n$", ItemKind::Frame, 2},
                          Case{"O", ItemKind::Request, 0}, Case{"RE", ItemKind::Request, 0},
                          Case{"\nOPTIONS", ItemKind::Request, 1}, Case{"RTSP/1", ItemKind::Response, 0}}) {
    auto item = next_item(as_bytes(one.input));
    ASSERT_TRUE(item && *item) << one.input;
    EXPECT_EQ((*item)->kind, one.kind) << one.input;
    EXPECT_EQ((*item)->skip, one.skip) << one.input;
  }
}

TEST(NextItem, IsUnknownWhileItMayBeARequestOrAResponse) {
  for (std::string_view text : {"", "\r", "\r\n", "R", "RT", "RTS", "RTSP"}) {
    auto item = next_item(as_bytes(text));
    ASSERT_TRUE(item.has_value()) << text;
    EXPECT_FALSE(*item) << text;
  }
}

TEST(NextItem, RefusesGarbage) {
  for (std::string_view text : {"\x16\x03\x01", " OPTIONS", "0", "\x80"}) {
    EXPECT_FALSE(next_item(as_bytes(text)).has_value()) << text;
  }
  EXPECT_FALSE(next_item(ByteVector(65, '\n')).has_value());
}

} // namespace
} // namespace sluice::rtsp
