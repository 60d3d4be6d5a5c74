#include "supervisor/config/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using testing::HasSubstr;
using Kind = YamlNode::Kind;

std::string reason(std::string_view text) {
  auto parsed = parse_json(text);
  return parsed ? "" : parsed.error().message;
}

YamlNode only_item(std::string_view value) {
  auto parsed = parse_json("[" + std::string(value) + "]");
  EXPECT_TRUE(parsed) << value;
  return parsed ? parsed->items.at(0) : YamlNode{};
}

TEST(JsonDocument, HasTheNodesOfYaml) {
  EXPECT_EQ(only_item("null").kind, Kind::Null);
  EXPECT_EQ(only_item("true").text, "yes");
  EXPECT_EQ(only_item("false").text, "no");
  EXPECT_EQ(only_item("false").kind, Kind::Bool);
  EXPECT_EQ(only_item("\"a\\\"\\u00e9\\\\u0000\"").text, "a\"\xc3\xa9\\u0000");
  EXPECT_EQ(only_item("\"yes\"").kind, Kind::String);
  EXPECT_EQ(only_item("[1, 2]").items.size(), 2u);
  YamlNode object = only_item("{\"a\": 1, \"b\": {}}");
  ASSERT_EQ(object.keys.size(), 2u);
  EXPECT_EQ(object.kind, Kind::Mapping);
  EXPECT_EQ(object.keys[1].text, "b");
  EXPECT_EQ(object.items[0].text, "1");
}

TEST(JsonDocument, TellsWholeNumbers) {
  for (auto [text, value] :
       {std::pair("0", "0"), {"-0", "0"}, {"-5", "-5"}, {"1e3", "1000"}, {"9007199254740992", "9007199254740992"}}) {
    EXPECT_EQ(only_item(text).kind, Kind::Int) << text;
    EXPECT_EQ(only_item(text).text, value);
  }
  for (const char *text : {"1.5", "1e300", "1e999", "-1e20"}) EXPECT_EQ(only_item(text).kind, Kind::Float) << text;
}

TEST(JsonDocument, RefusesWhatIsNone) {
  for (const char *text : {"", "{", "}", "{a: 1}", "{\"a\" 1}", "[1,]", "{} x", "{}{}", "'a'", "\"\\ud800\"", "\xff",
                           "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "// x\n{}", "nul", "a: 1"})
    EXPECT_EQ(reason(text), "not valid JSON") << text;
  EXPECT_EQ(reason(std::string_view("{}\0", 3)), "not valid JSON");
  EXPECT_EQ(reason(std::string_view("{}\0x", 4)), "not valid JSON");
  EXPECT_EQ(reason(R"({"a\u0000b": 1})"), "a value with a zero byte");
  EXPECT_EQ(reason(R"(["\\\u0000"])"), "a value with a zero byte");
  EXPECT_EQ(reason(R"({"a": 1, "b": 2, "a": 3})"), "'a' is given twice");
}

TEST(JsonDocument, IsBounded) {
  auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(reason(nested(kMaxJsonDepth)), "");
  EXPECT_EQ(reason(nested(kMaxJsonDepth + 1)), "nested deeper than 16 levels");
  EXPECT_EQ(reason(std::string(kMaxJsonBytes, '[')), "not valid JSON");
  EXPECT_THAT(reason(std::string(kMaxJsonBytes + 1, ' ')), HasSubstr("larger than 1048576 bytes"));
  EXPECT_THAT(reason("\"" + std::string(kMaxYamlScalarBytes + 1, 'x') + "\""), HasSubstr("longer than"));
  std::string many = "[1";
  for (size_t i = 1; i < kMaxJsonNodes; i++) many += ",1";
  EXPECT_EQ(reason(many + "]"), "more than 20000 values");
}

} // namespace
} // namespace sluice::config
