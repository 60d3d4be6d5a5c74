#include "tests/unit/rtmp/chunks.h"
#include "workers/rtmp/protocol/amf0.h"
#include "workers/rtmp/protocol/amf3.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {
namespace {

using ::testing::HasSubstr;

AmfValue of_type(AmfType type, std::string_view text) {
  AmfValue value(type);
  value.text = text;
  return value;
}

AmfValue array(AmfType type, std::initializer_list<AmfProperty> properties) {
  AmfValue value = AmfValue::object(properties);
  value.type = type;
  return value;
}

AmfValue items(std::initializer_list<AmfValue> values) {
  AmfValue value(AmfType::StrictArray);
  value.items = values;
  return value;
}

AmfValues sample() {
  AmfValue date(AmfType::Date), typed = AmfValue::object({{"x", 1.0}});
  date.number = 1.5e12;
  typed.text = "Class";
  return {AmfValue(-0.5),
          AmfValue("text"),
          AmfValue(""),
          AmfValue::boolean(true),
          AmfValue::boolean(false),
          AmfValue::null(),
          AmfValue(),
          date,
          typed,
          of_type(AmfType::Xml, "<a/>"),
          array(AmfType::EcmaArray, {{"width", 320.0}, {"deeper", AmfValue::object({{"k", "v"}})}}),
          items({1.0, "two", items({})})};
}

Result<AmfValue> decode3(const ByteVector &bytes) {
  AmfBudget budget;
  Amf3Decoder decoder(bytes, budget);
  AmfValue value;
  TRY(decoder.value(value, 0));
  if (!decoder.rest().empty()) return Error{"something is left"};
  return value;
}

TEST(Amf0, DecodesWhatItEncodes) {
  ByteVector bytes;
  for (const AmfValue &value : sample()) encode_amf0(bytes, value);
  auto again = decode_amf0(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, sample());
}

TEST(Amf0, WritesTheBytesOfTheSpecification) {
  ByteVector bytes;
  encode_amf0(bytes, AmfValue::object({{"a", 1.0}, {"b", AmfValue::boolean(true)}}));
  EXPECT_EQ(bytes, hex("03 0001 61 00 3ff0000000000000 0001 62 01 01 0000 09"));
}

TEST(Amf0, WritesLongTextAsLongStrings) {
  std::string text(70'000, 'x');
  ByteVector bytes;
  encode_amf0(bytes, text);
  EXPECT_EQ(bytes[0], 12);
  EXPECT_EQ(decode_amf0(bytes)->at(0), AmfValue(text));
}

TEST(Amf0, TellsWhereverItIsIncomplete) {
  ByteVector bytes;
  for (const AmfValue &value : sample()) encode_amf0(bytes, value);
  size_t errors = 0;
  for (size_t size = 1; size < bytes.size(); size++) {
    auto values = decode_amf0(Bytes(bytes).first(size));
    errors += values ? 0 : 1;
    EXPECT_TRUE(!values || values->size() < sample().size());
  }
  EXPECT_GT(errors, bytes.size() - 20); // all but those between two values
}

TEST(Amf0, ReadsEcmaArraysWithAWrongCountOrWithoutAnEnd) {
  AmfValue expected = array(AmfType::EcmaArray, {{"a", 1.0}});
  EXPECT_EQ(decode_amf0(hex("08 000000ff 0001 61 00 3ff0000000000000 0000 09"))->at(0), expected);
  EXPECT_EQ(decode_amf0(hex("08 00000000 0001 61 00 3ff0000000000000"))->at(0), expected);
}

TEST(Amf0, FollowsReferences) {
  auto values = decode_amf0(hex("03 0001 61 03 0001 62 05 0000 09 0000 09" // 0: {a: 1: {b: null}}
                                "07 0001 07 0000"));
  ASSERT_TRUE(values);
  EXPECT_EQ(values->at(1), AmfValue::object({{"b", AmfValue::null()}}));
  EXPECT_EQ(values->at(2), values->at(0));
  EXPECT_FALSE(decode_amf0(hex("07 0000")));
}

TEST(Amf0, RefusesAReferenceToWhatItStandsIn) {
  EXPECT_THAT(decode_amf0(hex("03 0001 61 07 0000 0000 09")).error().message, HasSubstr("too deeply"));
}

TEST(Amf0, BoundsDepthCountAndText) {
  ByteVector deep;
  for (size_t i = 0; i < kMaxAmfDepth; i++) deep = deep + hex("0a 00000001");
  EXPECT_THAT(decode_amf0(deep + hex("05")).error().message, HasSubstr("too deeply"));
  EXPECT_TRUE(decode_amf0(ByteVector(deep.begin() + 5, deep.end()) + hex("05")));
  EXPECT_THAT(decode_amf0(bytes_of(5, kMaxAmfValues + 1)).error().message, HasSubstr("more than 4096"));
  EXPECT_TRUE(decode_amf0(bytes_of(5, kMaxAmfValues)));
  ByteVector text;
  encode_amf0(text, std::string(kMaxAmfTextBytes, 'x'));
  EXPECT_TRUE(decode_amf0(text));
  EXPECT_THAT(decode_amf0(text + hex("02 0001 61")).error().message, HasSubstr("bytes of AMF strings"));
  // What references multiply counts as if it stood there.
  EXPECT_THAT(decode_amf0(hex("0a 00000001") + text + hex("07 0000")).error().message,
              HasSubstr("bytes of AMF strings"));
}

TEST(Amf0, RefusesMarkersThatAreNone) {
  EXPECT_THAT(decode_amf0(hex("12")).error().message, HasSubstr("marker 18"));
  EXPECT_THAT(decode_amf0(hex("04")).error().message, HasSubstr("marker 4"));
}

TEST(Amf0, SwitchesToAmf3AndBack) {
  auto values = decode_amf0(hex("11 0a 0b 01 03 61 06 05 6869 01" // {a: "hi"}
                                "11 06 05 6869 02 0001 78"));
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (AmfValues{AmfValue::object({{"a", "hi"}}), "hi", "x"}));
}

TEST(Amf3, DecodesWhatItEncodes) {
  for (const AmfValue &value : sample()) {
    ByteVector bytes;
    encode_amf3(bytes, value);
    auto again = decode3(bytes);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, value);
    for (size_t size = 0; size < bytes.size(); size++) {
      ByteVector front(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
      EXPECT_FALSE(decode3(front));
    }
  }
}

TEST(Amf3, ReadsIntegersOf29Bits) {
  EXPECT_EQ(decode3(hex("04 00"))->number, 0);
  EXPECT_EQ(decode3(hex("04 7f"))->number, 127);
  EXPECT_EQ(decode3(hex("04 8100"))->number, 128);
  EXPECT_EQ(decode3(hex("04 ffff7f"))->number, 2097151);
  EXPECT_EQ(decode3(hex("04 bfffffff"))->number, 268435455);
  EXPECT_EQ(decode3(hex("04 ffffffff"))->number, -1);
  EXPECT_EQ(decode3(hex("04 c0808000"))->number, -268435456);
}

TEST(Amf3, FollowsReferencesToStringsTraitsAndValues) {
  // [{a: "hi"} of Class, the same traits again with "hi" by reference, the first one by reference]
  auto value = decode3(hex("09 07 01"
                           "0a 13 0b 436c617373 03 61 06 05 6869"
                           "0a 01 06 04"
                           "0a 02"));
  ASSERT_TRUE(value) << value.error().message;
  ASSERT_EQ(value->items.size(), 3u);
  EXPECT_EQ(value->items[0].text, "Class");
  EXPECT_EQ(value->items[0].string_of("a"), "hi");
  EXPECT_EQ(value->items[1], value->items[0]);
  EXPECT_EQ(value->items[2], value->items[0]);
}

TEST(Amf3, ReadsVectorsDictionariesAndBytes) {
  EXPECT_EQ(*decode3(hex("0d 05 00 00000001 ffffffff")), items({1.0, -1.0}));
  EXPECT_EQ(*decode3(hex("0e 05 00 00000001 ffffffff")), items({1.0, 4294967295.0}));
  EXPECT_EQ(*decode3(hex("0f 03 00 3ff0000000000000")), items({1.0}));
  EXPECT_EQ(*decode3(hex("10 03 00 01 02")), items({AmfValue::boolean(false)}));
  EXPECT_EQ(*decode3(hex("11 05 00 06 03 61 02 04 07 03")),
            AmfValue::object({{"a", AmfValue::boolean(false)}, {"7", AmfValue::boolean(true)}}));
  EXPECT_EQ(*decode3(hex("0c 05 6869")), of_type(AmfType::ByteArray, "hi"));
  EXPECT_EQ(*decode3(hex("09 03 03 61 02 01 03")),
            array(AmfType::EcmaArray, {{"a", AmfValue::boolean(false)}, {"0", AmfValue::boolean(true)}}));
}

TEST(Amf3, ReadsFlexArrayCollectionsAndNoOthersThatWriteThemselves) {
  ByteVector name = ByteVector{0x43} + ByteVector(33, 'x');
  std::string_view collection = "flex.messaging.io.ArrayCollection";
  std::copy(collection.begin(), collection.end(), name.begin() + 1);
  EXPECT_EQ(*decode3(hex("0a 07") + name + hex("09 03 01 03")), items({AmfValue::boolean(true)}));
  EXPECT_THAT(decode3(hex("0a 07 03 61 01")).error().message, HasSubstr("writes itself"));
}

TEST(Amf3, RefusesReferencesToNothingAndToWhatTheyStandIn) {
  EXPECT_FALSE(decode3(hex("06 00")));
  EXPECT_FALSE(decode3(hex("0a 00")));
  EXPECT_FALSE(decode3(hex("0a 01")));
  EXPECT_THAT(decode3(hex("09 03 01 09 00")).error().message, HasSubstr("too deeply"));
}

TEST(Amf3, BoundsWhatReferencesMultiply) {
  // Nine elements, the first of them a string of 32767 bytes to which the others refer.
  ByteVector bytes = hex("09 13 01 06 83ff7f") + bytes_of('x', 32767);
  for (int i = 0; i < 8; i++) bytes = bytes + hex("06 00");
  EXPECT_THAT(decode3(bytes).error().message, HasSubstr("bytes of AMF strings"));
}

TEST(AmfValue, FindsPropertiesByNameAndType) {
  AmfValue value = AmfValue::object({{"a", 1.0}, {"b", "x"}});
  EXPECT_EQ(value.number_of("a"), 1.0);
  EXPECT_EQ(value.number_of("b"), std::nullopt);
  EXPECT_EQ(value.string_of("b"), "x");
  EXPECT_EQ(value.find("c"), nullptr);
  EXPECT_EQ(amf_to_u32(-1), 0u);
  EXPECT_EQ(amf_to_u32(7.9), 7u);
  EXPECT_EQ(amf_to_u32(1e300), 0u);
}

} // namespace
} // namespace sluice::rtmp
