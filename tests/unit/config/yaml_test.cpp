#include "supervisor/config/yaml.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using testing::HasSubstr;
using Kind = YamlNode::Kind;

YamlNode parsed(std::string_view text) {
  auto result = parse_yaml(text);
  EXPECT_TRUE(result) << text << ": " << (result ? "" : result.error().message);
  return result ? *result : YamlNode{};
}

YamlError error_of(std::string_view text) {
  auto result = parse_yaml(text);
  EXPECT_FALSE(result) << text;
  return result ? YamlError{} : result.error();
}

const YamlNode &value_of(const YamlNode &mapping, std::string_view key) {
  for (size_t i = 0; i < mapping.keys.size(); i++)
    if (mapping.keys[i].text == key) return mapping.items[i];
  ADD_FAILURE() << "no key " << key;
  static const YamlNode kNone;
  return kNone;
}

TEST(Yaml, ResolvesPlainScalarsAsVersion11) {
  for (const char *text : {"yes", "Yes", "YES", "y", "true", "on", "On", "TRUE"}) {
    EXPECT_EQ(resolve_plain_scalar(text).kind, Kind::Bool) << text;
    EXPECT_EQ(resolve_plain_scalar(text).text, "yes") << text;
  }
  for (const char *text : {"no", "No", "n", "N", "false", "off", "OFF"})
    EXPECT_EQ(resolve_plain_scalar(text).text, "no") << text;
  for (const char *text : {"", "~", "null", "Null"}) EXPECT_EQ(resolve_plain_scalar(text).kind, Kind::Null) << text;
  for (auto [text, value] : {std::pair("0", "0"),
                             {"-5", "-5"},
                             {"+7", "7"},
                             {"0x1F", "31"},
                             {"017", "15"},
                             {"0o17", "15"},
                             {"0b101", "5"},
                             {"1_000", "1000"}}) {
    EXPECT_EQ(resolve_plain_scalar(text).kind, Kind::Int) << text;
    EXPECT_EQ(resolve_plain_scalar(text).text, value) << text;
  }
  for (const char *text : {"1.5", ".5", "1e+3", "08", ".inf", "99999999999999999999"})
    EXPECT_EQ(resolve_plain_scalar(text).kind, Kind::Float) << text;
  for (const char *text : {"yEs", "10s", ":8554", "1.2.3", "-", "+", ".", "0x", "~^.*$", "1e3", "nO", "tru"})
    EXPECT_EQ(resolve_plain_scalar(text).kind, Kind::String) << text;
}

TEST(Yaml, TakesQuotedScalarsAsText) {
  YamlNode root = parsed("a: \"yes\"\nb: '10'\nc: !!str 10\nd: ! no\n");
  for (const char *key : {"a", "b", "c", "d"}) EXPECT_EQ(value_of(root, key).kind, Kind::String) << key;
  EXPECT_EQ(value_of(root, "c").text, "10");
}

TEST(Yaml, KeepsLineNumbers) {
  YamlNode root = parsed("# comment\na: 1\n\nb:\n  - x\n  - y\n");
  EXPECT_EQ(root.keys[0].line, 2);
  EXPECT_EQ(root.keys[1].line, 4);
  EXPECT_EQ(root.items[1].items[1].line, 6);
}

TEST(Yaml, ReadsJson) {
  YamlNode root = parsed("{\n\t\"a\": {\"b\":[\"x\\/y\", 1, true, null, \"\\u00e9\"]},\n\t\"c\":false\n}");
  const YamlNode &list = value_of(value_of(root, "a"), "b");
  ASSERT_EQ(list.items.size(), 5u);
  EXPECT_EQ(list.items[0].text, "x/y");
  EXPECT_EQ(list.items[1].kind, Kind::Int);
  EXPECT_EQ(list.items[2].kind, Kind::Bool);
  EXPECT_EQ(list.items[3].kind, Kind::Null);
  EXPECT_EQ(list.items[4].text, "\xc3\xa9");
  EXPECT_EQ(value_of(root, "c").text, "no");
}

TEST(Yaml, ExpandsAliasesAndMerges) {
  YamlNode root = parsed("base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\n"
                         "one: {<<: *base, a: 5}\ntwo: {<<: [*base, *other]}\nthree: *base\n");
  EXPECT_EQ(value_of(value_of(root, "one"), "a").text, "5");
  EXPECT_EQ(value_of(value_of(root, "one"), "b").text, "2");
  EXPECT_EQ(value_of(value_of(root, "two"), "b").text, "2");
  EXPECT_EQ(value_of(value_of(root, "two"), "c").text, "4");
  EXPECT_EQ(value_of(root, "three").keys.size(), 2u);
  EXPECT_THAT(error_of("a: {<<: 5}").message, HasSubstr("only maps can be merged"));
}

TEST(Yaml, HasNullForNoDocument) {
  EXPECT_EQ(parsed("").kind, Kind::Null);
  EXPECT_EQ(parsed("# only a comment\n").kind, Kind::Null);
  EXPECT_EQ(parsed("---\n...\n").kind, Kind::Null);
}

TEST(Yaml, NamesTheLineOfAnError) {
  EXPECT_EQ(error_of("a: 1\nb: [1, 2\nc: 3\n").line, 3);
  EXPECT_EQ(error_of("a: 1\n\tb: 2\n").line, 2);
  YamlError twice = error_of("a: 1\nb: 2\na: 3\n");
  EXPECT_EQ(twice.line, 3);
  EXPECT_EQ(twice.message, "'a' is given twice, first in line 1");
}

TEST(Yaml, RefusesWhatAConfigurationHasNoUseFor) {
  EXPECT_THAT(error_of("a: *b\n").message, HasSubstr("anchor 'b' is not defined"));
  EXPECT_THAT(error_of("a: &a [*a]\n").message, HasSubstr("anchor 'a' is not defined"));
  EXPECT_THAT(error_of("a: 1\n---\nb: 2\n").message, HasSubstr("more than one YAML document"));
  EXPECT_THAT(error_of("? [a, b]\n: 1\n").message, HasSubstr("key of a map"));
  EXPECT_THAT(error_of("a: !ruby/object x\n").message, HasSubstr("tag"));
  EXPECT_THAT(error_of("a: !!int x\n").message, HasSubstr("tag"));
  EXPECT_THAT(error_of("a: \"\\0\"\n").message, HasSubstr("zero byte"));
  EXPECT_THAT(error_of("a: \xff\n").message, HasSubstr("not valid YAML"));
}

TEST(Yaml, IsBoundedInDepth) {
  auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  parsed(nested(kMaxYamlDepth));
  EXPECT_THAT(error_of(nested(kMaxYamlDepth + 1)).message, HasSubstr("nested deeper"));
  EXPECT_THAT(error_of(std::string(kMaxYamlBytes, '[')).message, HasSubstr("nested deeper"));
}

TEST(Yaml, IsBoundedInSize) {
  EXPECT_THAT(error_of(std::string(kMaxYamlBytes + 1, '#')).message, HasSubstr("larger than"));
  EXPECT_THAT(error_of("a: " + std::string(kMaxYamlScalarBytes + 1, 'x')).message, HasSubstr("longer than"));
  std::string many = "[";
  for (size_t i = 0; i <= kMaxYamlNodes; i++) many += "1,";
  EXPECT_THAT(error_of(many + "]").message, HasSubstr("more than 200000 values"));
}

TEST(Yaml, IsBoundedInAliasExpansion) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; i++) {
    laughs += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 10; j++) laughs += fmt::format("*a{},", i - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(error_of(laughs).message, HasSubstr("expand to too much"));
  std::string texts = "a: &a " + std::string(60'000, 'x') + "\nb: [";
  for (int i = 0; i < 1000; i++) texts += "*a,";
  EXPECT_THAT(error_of(texts + "]").message, HasSubstr("expand to too much"));
}

TEST(Yaml, QuotesTextsSoThatTheyReadBack) {
  for (const char *text : {"", "yes", "10", "~", "a b", "#x", "'", "\"\\", ":8554", "a: b", "-", "x\ny", "*",
                           "caf\xc3\xa9", "224.1.0.0/16", "null", "[", "<<", "a:"}) {
    YamlNode root = parsed(fmt::format("k: {}\n", yaml_string(text)));
    EXPECT_EQ(value_of(root, "k").kind, Kind::String) << text;
    EXPECT_EQ(value_of(root, "k").text, text);
  }
  EXPECT_EQ(yaml_string(":8554"), ":8554");
  EXPECT_EQ(yaml_string("no"), "\"no\"");
}

} // namespace
} // namespace sluice::config
