#include "supervisor/config/path_names.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

std::string reason(std::string_view name) {
  auto result = check_path_name(name);
  return result ? "" : result.error().message;
}

Configuration with_paths(std::initializer_list<std::string> names) {
  Configuration configuration;
  for (const std::string &name : names) configuration.paths[name].name = name;
  return configuration;
}

TEST(PathName, HasAFewCharacters) {
  for (const char *name : {"a", "cam1", "A_b-c/d.e~f", "~x", "a//b", ".."}) EXPECT_EQ(reason(name), "") << name;
  EXPECT_EQ(reason(""), "cannot be empty");
  EXPECT_EQ(reason("/a"), "can't begin with a slash");
  EXPECT_EQ(reason("a/"), "can't end with a slash");
  for (const char *name : {"a b", "a?b", "caf\xc3\xa9", "a\n", "a%20"})
    EXPECT_EQ(reason(name), "can contain only alphanumeric characters, underscore, dot, tilde, minus or slash") << name;
}

TEST(FindPath, PrefersTheExactName) {
  Configuration configuration = with_paths({"cam", "~^.*$"});
  ASSERT_TRUE(find_path(configuration, "cam"));
  EXPECT_EQ((*find_path(configuration, "cam"))->name, "cam");
  EXPECT_EQ((*find_path(configuration, "cam2"))->name, "~^.*$");
}

TEST(FindPath, RefusesNamesThatAreNotConfigured) {
  Configuration configuration = with_paths({"cam"});
  EXPECT_EQ(find_path(configuration, "other").error().message, "path 'other' is not configured");
  EXPECT_EQ(find_path(Configuration(), "cam").error().message, "path 'cam' is not configured");
}

TEST(FindPath, RefusesNamesThatAreNone) {
  Configuration configuration = with_paths({"~^.*$"});
  EXPECT_EQ(find_path(configuration, "/x").error().message, "invalid path name: can't begin with a slash (/x)");
  EXPECT_EQ(find_path(configuration, "").error().message, "invalid path name: cannot be empty ()");
}

TEST(FindPath, TakesNoExpressionForAName) {
  Configuration configuration = with_paths({"~x"});
  EXPECT_FALSE(find_path(configuration, "~x"));
}

} // namespace
} // namespace sluice::config
