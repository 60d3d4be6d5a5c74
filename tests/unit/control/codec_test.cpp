#include "ipc/control/codec.h"
#include "sample_messages.h"

#include <gtest/gtest.h>

namespace sluice::control {
namespace {

TEST(ControlCodec, BringsEveryMessageBackAsItWas) {
  std::vector<Message> samples = sample_messages();
  ASSERT_EQ(samples.size(), std::variant_size_v<Message>);
  for (size_t i = 0; i < samples.size(); i++) {
    ASSERT_EQ(samples[i].index(), i);
    ByteVector bytes = encode(samples[i]);
    auto decoded = decode_message(bytes);
    ASSERT_TRUE(decoded.has_value()) << name_of(samples[i]);
    EXPECT_EQ(decoded->index(), i);
    EXPECT_EQ(encode(*decoded), bytes) << name_of(samples[i]);
  }
}

TEST(ControlCodec, KeepsTheMembersApart) {
  auto read = std::get<Read>(*decode_message(encode(Read{1, 2, 3, false, "path", "query", "client", {"m", "u", "a"}})));
  EXPECT_EQ(read.request, 1U);
  EXPECT_EQ(read.session, 2U);
  EXPECT_EQ(read.path, "path");
  EXPECT_EQ(read.query, "query");
  EXPECT_EQ(read.client, "client");
  EXPECT_EQ(read.credentials.authorization, "a");
  auto publish =
      std::get<Publish>(*decode_message(encode(Publish{1, 2, 3, false, "p", "q", "c", {}, sample_description()})));
  EXPECT_EQ(publish.description, sample_description());
  auto hand_over = std::get<HandOver>(*decode_message(encode(HandOver{1, 2, 3, 6, 7, {4, 5}})));
  EXPECT_EQ(hand_over.unread, (ByteVector{4, 5}));
  EXPECT_EQ(hand_over.received_bytes, 3U);
}

TEST(ControlCodec, NamesEveryMessage) {
  EXPECT_STREQ(name_of(Hello{}), "Hello");
  EXPECT_STREQ(name_of(HandOver{}), "HandOver");
  EXPECT_STREQ(name_of(Shutdown{}), "Shutdown");
}

TEST(ControlCodec, RefusesEveryTruncation) {
  for (const Message &sample : sample_messages()) {
    ByteVector bytes = encode(sample);
    for (size_t length = 0; length < bytes.size(); length++)
      EXPECT_FALSE(decode_message(Bytes(bytes).first(length))) << name_of(sample) << " cut to " << length;
  }
}

TEST(ControlCodec, RefusesTrailingBytes) {
  for (const Message &sample : sample_messages()) {
    ByteVector bytes = encode(sample);
    bytes.push_back(0);
    EXPECT_FALSE(decode_message(bytes)) << name_of(sample);
  }
}

TEST(ControlCodec, RefusesUnknownKindsAndSizes) {
  EXPECT_FALSE(decode_message({}));
  EXPECT_FALSE(decode_message(ByteVector{std::variant_size_v<Message>}));
  EXPECT_FALSE(decode_message(ByteVector{255}));
  ByteVector huge(kMaxMessageBytes + 1);
  EXPECT_EQ(decode_message(huge).error().message, "control message too large");
}

TEST(ControlCodec, RefusesValuesOutOfRange) {
  ByteVector refused = encode(Refused{1, Refusal::Unavailable, "", {}});
  refused[9] = 5; // after the kind and the request
  EXPECT_FALSE(decode_message(refused));
  ByteVector log = encode(LogLine{1, "abc"});
  log[2] = 0xff; // the length of the text
  EXPECT_FALSE(decode_message(log));
}

TEST(ControlCodec, RefusesDescriptionsThatMakeNoSense) {
  EXPECT_FALSE(decode_message(encode(Publish{1, 2, 3, false, "p", "", "c", {}, {}}))); // no tracks
  media::StreamDescription description = sample_description();
  description.tracks[0].clock_rate = 0;
  EXPECT_FALSE(decode_message(encode(DescriptionChanged{1, description})));
  description = sample_description();
  description.tracks.resize(media::kMaxTracks + 1, description.tracks[0]);
  EXPECT_FALSE(decode_message(encode(Described{1, description})));
}

} // namespace
} // namespace sluice::control
