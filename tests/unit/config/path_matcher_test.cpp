#include "supervisor/config/loader.h"
#include "supervisor/config/path_matcher.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// In this order.
Configuration with_paths(std::initializer_list<std::string> names) {
  Configuration configuration;
  for (const std::string &name : names) {
    PathConfiguration &path = configuration.paths[name];
    path.name = name;
    path.order = static_cast<int>(configuration.paths.size()) - 1;
  }
  return configuration;
}

std::string entry(const Configuration &configuration, std::string_view name) {
  auto match = PathMatcher(configuration).find(name);
  return match ? match->path->name : match.error().message;
}

std::vector<std::string> groups(const std::string &expression, std::string_view name) {
  Configuration configuration = with_paths({"~" + expression});
  auto match = PathMatcher(configuration).find(name);
  EXPECT_TRUE(match) << expression;
  return match ? match->groups : std::vector<std::string>{"no match"};
}

TEST(PathMatcher, PrefersTheExactNameThenTheOrderThenAll) {
  Configuration configuration = with_paths({"~^.*$", "~^z", "~cam", "~^ca", "cam1"});
  EXPECT_EQ(entry(configuration, "cam1"), "cam1");
  EXPECT_EQ(entry(configuration, "cam2"), "~cam");
  EXPECT_EQ(entry(configuration, "cab"), "~^ca");
  EXPECT_EQ(entry(configuration, "zcam"), "~^z");
  EXPECT_EQ(entry(configuration, "other"), "~^.*$");
  EXPECT_EQ(entry(with_paths({"~^ca", "~cam"}), "cam2"), "~^ca");
}

TEST(PathMatcher, FollowsTheOrderOfTheFile) {
  auto loaded = parse_configuration("paths:\n  all:\n  ~b:\n  ~a:\n", "f.yml", {{"RTSP_PATHS_~", ""}});
  ASSERT_TRUE(loaded) << loaded.error()[0];
  EXPECT_EQ(entry(loaded->configuration, "ab"), "~b");
  EXPECT_EQ(entry(loaded->configuration, "xa"), "~a");
  EXPECT_EQ(entry(loaded->configuration, "x"), "~");
}

TEST(PathMatcher, SearchesAnywhereAndMindsCase) {
  Configuration configuration = with_paths({"~am"});
  EXPECT_EQ(entry(configuration, "cam1"), "~am");
  EXPECT_EQ(entry(configuration, "CAM1"), "path 'CAM1' is not configured");
  EXPECT_EQ(entry(with_paths({"~(?i)cam"}), "CAM1"), "~(?i)cam");
  EXPECT_EQ(entry(with_paths({"~^cam$"}), "cam1"), "path 'cam1' is not configured");
}

TEST(PathMatcher, TellsWhatTheGroupsTook) {
  EXPECT_THAT(groups("^cam(.)/(.*)$", "cam1/low"), ElementsAre("1", "low"));
  EXPECT_THAT(groups("^(a)|(b)$", "b"), ElementsAre("", "b"));
  EXPECT_THAT(groups("^(?:a)(?P<name>b)", "ab"), ElementsAre("b"));
  EXPECT_THAT(groups("^(x*)", "cam"), ElementsAre(""));
  EXPECT_THAT(groups("cam", "cam"), IsEmpty());
  EXPECT_THAT(groups("^.*$", "cam"), IsEmpty());
}

TEST(PathMatcher, RefusesNamesThatAreNotConfigured) {
  EXPECT_EQ(entry(with_paths({"cam"}), "other"), "path 'other' is not configured");
  EXPECT_EQ(entry(Configuration(), "cam"), "path 'cam' is not configured");
}

TEST(PathMatcher, RefusesNamesThatAreNone) {
  EXPECT_EQ(entry(with_paths({"~^.*$"}), "/x"), "invalid path name: can't begin with a slash (/x)");
  EXPECT_EQ(entry(with_paths({"~^.*$"}), ""), "invalid path name: cannot be empty ()");
}

TEST(PathMatcher, TakesNoExpressionForAName) {
  EXPECT_EQ(entry(with_paths({"~x"}), "~x"), "~x"); // for it has an x
  EXPECT_EQ(entry(with_paths({"~^x"}), "~x"), "path '~x' is not configured");
}

TEST(PathMatcher, IsLinear) {
  std::string name(4000, 'a');
  EXPECT_EQ(entry(with_paths({"~^(a+)+$"}), name + "!"), fmt::format("invalid path name: can contain only alphanumeric "
                                                                     "characters, underscore, dot, tilde, minus or "
                                                                     "slash ({}!)",
                                                                     name));
  EXPECT_EQ(entry(with_paths({"~^((a+)+)+$"}), name + "b"), fmt::format("path '{}b' is not configured", name));
  EXPECT_EQ(entry(with_paths({"~(x+x+)+y", "~^(.*a){20}b$"}), name), fmt::format("path '{}' is not configured", name));
}

TEST(Expression, IsBounded) {
  auto reason = [](const std::string &expression) {
    auto compiled = compile_expression(expression);
    return compiled ? "" : compiled.error().message;
  };
  EXPECT_EQ(reason(""), "");
  EXPECT_EQ(reason(std::string(4096, 'a')), "");
  EXPECT_THAT(reason(std::string(4097, 'a')), HasSubstr("longer than 4096 bytes"));
  EXPECT_LT(reason(std::string(4097, 'a')).size(), 300u);
  EXPECT_THAT(reason("((((a{100}){100}){100}){100})"), HasSubstr("invalid repetition size"));
  EXPECT_THAT(reason("(\\pL{500}){2}"), HasSubstr("too large"));
  std::string groups;
  for (int i = 0; i < kMaxExpressionGroups; i++) groups += "(a)";
  EXPECT_EQ(reason(groups), "");
  EXPECT_THAT(reason(groups + "(a)"), HasSubstr("more than 32 groups"));
  EXPECT_THAT(reason("("), HasSubstr("invalid regular expression: (: missing )"));
  EXPECT_THAT(reason("\xff"), HasSubstr("invalid UTF-8"));
  EXPECT_THAT(reason("(?=a)"), HasSubstr("invalid regular expression: (?=a): "));
}

} // namespace
} // namespace sluice::config
