#include "supervisor/config/path_names.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

std::string reason(std::string_view name) {
  auto result = check_path_name(name);
  return result ? "" : result.error().message;
}

TEST(PathName, HasAFewCharacters) {
  for (const char *name : {"a", "cam1", "A_b-c/d.e~f", "~x", "a//b", ".."}) EXPECT_EQ(reason(name), "") << name;
  EXPECT_EQ(reason(""), "cannot be empty");
  EXPECT_EQ(reason("/a"), "can't begin with a slash");
  EXPECT_EQ(reason("a/"), "can't end with a slash");
  for (const char *name : {"a b", "a?b", "caf\xc3\xa9", "a\n", "a%20"})
    EXPECT_EQ(reason(name), "can contain only alphanumeric characters, underscore, dot, tilde, minus or slash") << name;
}

} // namespace
} // namespace sluice::config
