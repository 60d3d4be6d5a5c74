#include "supervisor/config/command_line.h"
#include "supervisor/config/default_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace sluice::config {
namespace {

using testing::HasSubstr;
using Action = CommandLine::Action;

CommandLine parse(std::vector<const char *> arguments) {
  arguments.insert(arguments.begin(), "sluice");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), "1.2.3");
}

TEST(CommandLine, ServesWithOrWithoutAFile) {
  EXPECT_EQ(parse({}).action, Action::Serve);
  EXPECT_EQ(parse({}).configuration, std::nullopt);
  EXPECT_EQ(parse({"x.yml"}).action, Action::Serve);
  EXPECT_EQ(parse({"x.yml"}).configuration, "x.yml");
}

TEST(CommandLine, Checks) {
  EXPECT_EQ(parse({"--check", "x.yml"}).action, Action::Check);
  EXPECT_EQ(parse({"--check", "x.yml"}).configuration, "x.yml");
  EXPECT_EQ(parse({"--check"}).configuration, std::nullopt);
}

TEST(CommandLine, AnswersHelpAndVersionOnStdout) {
  CommandLine help = parse({"--help"});
  EXPECT_EQ(help.action, Action::Exit);
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.standard_output, HasSubstr("--check"));
  EXPECT_THAT(help.standard_output, testing::Not(HasSubstr("print-default")));
  CommandLine version = parse({"--version"});
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_EQ(version.standard_output, "1.2.3\n");
  EXPECT_EQ(parse({"--print-default-config"}).standard_output, default_configuration_file());
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  for (const CommandLine &wrong : {parse({"--bogus"}), parse({"a.yml", "b.yml"}), parse({"-x"})}) {
    EXPECT_EQ(wrong.action, Action::Exit);
    EXPECT_EQ(wrong.exit_status, 1);
    EXPECT_EQ(wrong.standard_output, "");
    EXPECT_THAT(wrong.standard_error, HasSubstr("Usage: sluice"));
  }
}

std::string file_with(std::string_view text) {
  std::string name = testing::TempDir() + "sluice-check-XXXXXX";
  close(mkstemp(name.data()));
  std::ofstream(name) << text;
  return name;
}

TEST(Check, SaysOkInOneLine) {
  std::string file = file_with("paths:\n  a:\n  b:\n");
  CheckReport report = check_configuration(file, {});
  EXPECT_EQ(report.exit_status, 0);
  EXPECT_EQ(report.standard_output, file + ": OK, 2 paths\n");
  EXPECT_EQ(report.standard_error, "");
  unlink(file.c_str());
}

TEST(Check, PrintsAllErrors) {
  std::string file = file_with("readTimeout: 5\napi: yes\n");
  CheckReport report = check_configuration(file, {});
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_EQ(report.standard_output, "");
  EXPECT_THAT(report.standard_error, HasSubstr(file + ":1: readTimeout: "));
  EXPECT_THAT(report.standard_error, HasSubstr(file + ":2: api: "));
  unlink(file.c_str());
}

} // namespace
} // namespace sluice::config
