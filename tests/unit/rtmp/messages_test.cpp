#include "tests/unit/rtmp/chunks.h"
#include "workers/rtmp/protocol/aggregate.h"
#include "workers/rtmp/protocol/amf0.h"
#include "workers/rtmp/protocol/media_message.h"
#include "workers/rtmp/protocol/messages.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ByteVector amf0(const AmfValues &values) {
  ByteVector bytes;
  for (const AmfValue &value : values) encode_amf0(bytes, value);
  return bytes;
}

// The one message that was put.
struct Put {
  explicit Put(const ByteVector &bytes) : written(bytes) {
    auto taken = reader.next(written);
    EXPECT_TRUE(taken && taken->message && taken->bytes == written.size());
    message = *taken->message;
  }
  ByteVector written;
  ChunkReader reader;
  Message message;
};

TEST(Messages, ReadControlMessagesThatWereWritten) {
  ByteVector out;
  put_control_number(out, MessageType::WindowAckSize, 2500000);
  EXPECT_EQ(out, hex("02 000000 000004 05 00000000 002625a0"));
  EXPECT_EQ(*parse_control_number(Put(out).message.payload), 2500000u);
  out.clear();
  put_peer_bandwidth(out, 2500000, BandwidthLimit::Dynamic);
  EXPECT_EQ(out, hex("02 000000 000005 06 00000000 002625a0 02"));
  EXPECT_FALSE(parse_control_number(hex("002625")));
}

TEST(Messages, ReadUserControlThatWasWritten) {
  ByteVector out;
  put_user_control(out, {.event = UserControlEvent::SetBufferLength, .value = 1, .second = 3000});
  Put buffer(out);
  auto read = parse_user_control(buffer.message.payload);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->event, UserControlEvent::SetBufferLength);
  EXPECT_EQ(read->value, 1u);
  EXPECT_EQ(read->second, 3000u);
  out.clear();
  put_user_control(out, {.event = UserControlEvent::StreamBegin, .value = 7});
  EXPECT_EQ(out, hex("02 000000 000006 04 00000000 0000 00000007"));
  EXPECT_FALSE(parse_user_control(hex("00")));
  EXPECT_FALSE(parse_user_control(hex("0000 000000")));
  EXPECT_TRUE(parse_user_control(hex("001f"))); // of servers with events of their own
}

TEST(Messages, ReadCommandsThatWereWritten) {
  ByteVector out;
  put_command(out, 3, 5, {.name = "play", .transaction = 4, .arguments = {AmfValue::null(), "name", -2000.0}});
  Put put(out);
  EXPECT_EQ(put.message.stream, 5u);
  auto command = read_command(put.message);
  ASSERT_TRUE(command);
  EXPECT_EQ(command->name, "play");
  EXPECT_EQ(command->transaction, 4);
  EXPECT_EQ(command->arguments, (AmfValues{AmfValue::null(), "name", -2000.0}));
  EXPECT_EQ(command->argument(3), nullptr);
}

TEST(Messages, ReadCommandsOfAmf3) {
  ByteVector payload = hex("00") + amf0({"connect", 1.0}) + hex("11 0a 0b 01 07 617070 06 09 6c697665 01");
  auto command = read_command({.type = MessageType::CommandAmf3, .payload = payload});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->name, "connect");
  EXPECT_EQ(command->argument(0)->string_of("app"), "live");
  payload.erase(payload.begin()); // without the byte that tells the format
  EXPECT_TRUE(read_command({.type = MessageType::CommandAmf3, .payload = payload}));
}

TEST(Messages, RefuseCommandsWithoutANameOrTooLarge) {
  EXPECT_FALSE(read_command({.type = MessageType::CommandAmf0, .payload = {}}));
  ByteVector number = amf0({1.0}), large(kMaxCommandBytes + 1);
  EXPECT_THAT(read_command({.type = MessageType::CommandAmf0, .payload = number}).error().message,
              HasSubstr("without a name"));
  EXPECT_THAT(read_command({.type = MessageType::CommandAmf0, .payload = large}).error().message,
              HasSubstr("too large"));
}

TEST(Messages, UnwrapDataFrames) {
  ByteVector plain = amf0({"onMetaData", AmfValue::object({{"width", 320.0}})});
  ByteVector wrapped = amf0({"@setDataFrame"}) + plain, of_amf3 = hex("00") + wrapped;
  for (const ByteVector &payload : {plain, wrapped}) {
    auto data = script_data({.type = MessageType::DataAmf0, .payload = payload});
    ASSERT_TRUE(data);
    EXPECT_EQ(ByteVector(data->begin(), data->end()), plain);
  }
  auto data = script_data({.type = MessageType::DataAmf3, .payload = of_amf3});
  EXPECT_TRUE(data && data->size() == plain.size());
  ByteVector cleared = amf0({"@clearDataFrame", "onMetaData"}), nameless = amf0({1.0}), torn = hex("02 0009 61");
  for (const ByteVector &payload : {cleared, nameless, torn, ByteVector()})
    EXPECT_FALSE(script_data({.type = MessageType::DataAmf0, .payload = payload}));
}

ByteVector tag(uint8_t type, uint32_t timestamp, const ByteVector &payload) {
  ByteVector header = {type,
                       0,
                       0,
                       static_cast<uint8_t>(payload.size()),
                       static_cast<uint8_t>(timestamp >> 16),
                       static_cast<uint8_t>(timestamp >> 8),
                       static_cast<uint8_t>(timestamp),
                       static_cast<uint8_t>(timestamp >> 24),
                       0,
                       0,
                       0};
  return header + payload + ByteVector{0, 0, 0, static_cast<uint8_t>(11 + payload.size())};
}

Message aggregate_of(const ByteVector &payload, uint32_t timestamp) {
  return {.type = MessageType::Aggregate, .stream = 1, .timestamp = timestamp, .payload = payload};
}

struct Heard final : MediaSink {
  Result<void> on_media(const MediaMessage &message) override {
    messages.push_back(std::to_string(static_cast<int>(message.type)) + "@" + std::to_string(message.timestamp_ms));
    return {};
  }
  std::vector<std::string> messages;
};

TEST(Aggregate, IsTakenApartWithTimestampsFromItsOwn) {
  ByteVector payload = tag(8, 0x01000032, hex("6161")) + tag(9, 0x0100003c, hex("62")) + tag(8, 0x01000030, hex("63"));
  payload.resize(payload.size() - 4); // the last back pointer is missing
  AggregateParser parser(aggregate_of(payload, 1000));
  std::vector<std::string> parts;
  while (auto part = *parser.next()) parts.push_back(text_of(*part));
  EXPECT_THAT(parts, ElementsAre("8@1000/1 aa", "9@1010/1 b", "8@998/1 c"));
}

TEST(Aggregate, MayNotEndWithinAMessage) {
  ByteVector payload = tag(8, 50, hex("6161"));
  for (size_t size = 1; size < 13; size++) {
    ByteVector torn(payload.begin(), payload.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(AggregateParser(aggregate_of(torn, 0)).next()) << size;
  }
}

TEST(MediaInput, CountsTimestampsBeyond32Bits) {
  MediaInput input;
  Heard heard;
  ByteVector data = amf0({"onMetaData"});
  auto on = [&](MessageType type, uint32_t timestamp) {
    EXPECT_TRUE(input.on_message({.type = type, .timestamp = timestamp, .payload = data}, heard));
  };
  on(MessageType::Video, 0xfffffff0);
  on(MessageType::Audio, 0x00000005); // wraps
  on(MessageType::Video, 0xfffffffe); // is still on the other side
  on(MessageType::DataAmf0, 0);
  on(MessageType::Video, 0x00000010);
  on(MessageType::Audio, 0x0000000c); // goes back
  EXPECT_THAT(heard.messages, ElementsAre("9@4294967280", "8@4294967301", "9@4294967294", "18@4294967296",
                                          "9@4294967312", "8@4294967308"));
}

TEST(MediaInput, TakesAggregatesApart) {
  MediaInput input;
  Heard heard;
  ByteVector payload = tag(8, 0, hex("6161")) + tag(9, 10, hex("62")) + tag(18, 10, amf0({"onMetaData"}));
  EXPECT_TRUE(input.on_message(aggregate_of(payload, 500), heard));
  EXPECT_THAT(heard.messages, ElementsAre("8@500", "9@510", "18@510"));
}

} // namespace
} // namespace sluice::rtmp
