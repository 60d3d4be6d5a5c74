#include "supervisor/config/command_line.h"
#include "supervisor/config/default_file.h"
#include "supervisor/config/encryption.h"
#include "supervisor/config/reference_page.h"

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

TEST(CommandLine, AsksWhetherAServerIsReady) {
  EXPECT_EQ(parse({"--ready"}).action, Action::Ready);
  EXPECT_EQ(parse({"--ready"}).configuration, std::nullopt);
  EXPECT_EQ(parse({"x.yml", "--ready"}).configuration, "x.yml");
  for (const CommandLine &wrong : {parse({"--ready", "--check"}), parse({"--ready", "--encrypt", "x.yml"})})
    EXPECT_EQ(wrong.action, Action::Exit);
}

TEST(CommandLine, EncryptsAndDecryptsAFile) {
  EXPECT_EQ(parse({"--encrypt", "x.yml"}).action, Action::Encrypt);
  EXPECT_EQ(parse({"x.yml", "--decrypt"}).action, Action::Decrypt);
  EXPECT_EQ(parse({"--decrypt", "x.yml"}).configuration, "x.yml");
  for (const CommandLine &wrong : {parse({"--encrypt"}), parse({"--decrypt"}), parse({"--encrypt", "--decrypt", "x"}),
                                   parse({"--check", "--encrypt", "x"}), parse({"--encrypt", "x", "key"})}) {
    EXPECT_EQ(wrong.action, Action::Exit);
    EXPECT_EQ(wrong.exit_status, 1);
  }
}

TEST(CommandLine, AnswersHelpAndVersionOnStdout) {
  CommandLine help = parse({"--help"});
  EXPECT_EQ(help.action, Action::Exit);
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.standard_output, HasSubstr("--check"));
  EXPECT_THAT(help.standard_output, testing::Not(HasSubstr("print-")));
  CommandLine version = parse({"--version"});
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_EQ(version.standard_output, "1.2.3\n");
  EXPECT_EQ(parse({"--print-default-config"}).standard_output, default_configuration_file());
  EXPECT_EQ(parse({"--print-configuration-reference"}).standard_output, configuration_reference());
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
  Report report = check_configuration(file, {});
  EXPECT_EQ(report.exit_status, 0);
  EXPECT_EQ(report.standard_output, file + ": OK, 2 paths\n");
  EXPECT_EQ(report.standard_error, "");
  unlink(file.c_str());
}

TEST(Check, PrintsAllErrors) {
  std::string file = file_with("readTimeout: 5\npprof: yes\n");
  Report report = check_configuration(file, {});
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_EQ(report.standard_output, "");
  EXPECT_THAT(report.standard_error, HasSubstr(file + ":1: readTimeout: "));
  EXPECT_THAT(report.standard_error, HasSubstr(file + ":2: pprof: "));
  unlink(file.c_str());
}

TEST(EncryptAndDecrypt, AreEachOthersReverse) {
  const Environment environment{{"RTSP_CONFKEY", "secret"}};
  std::string text("paths:\n  all:\n\0", 16);
  std::string plain = file_with(text);
  Report encrypted = encrypt_configuration(plain, environment);
  EXPECT_EQ(encrypted.exit_status, 0);
  EXPECT_EQ(encrypted.standard_error, "");
  EXPECT_NE(encrypt_configuration(plain, environment).standard_output, encrypted.standard_output); // another nonce
  std::string sealed = file_with(encrypted.standard_output);
  Report decrypted = decrypt_configuration(sealed, environment);
  EXPECT_EQ(decrypted.exit_status, 0);
  EXPECT_EQ(decrypted.standard_output, text);
  Report wrong = decrypt_configuration(sealed, {{"RTSP_CONFKEY", "other"}});
  EXPECT_EQ(wrong.exit_status, 1);
  EXPECT_EQ(wrong.standard_output, "");
  EXPECT_THAT(wrong.standard_error, HasSubstr(sealed + ": decryption error"));
  unlink(plain.c_str());
  unlink(sealed.c_str());
}

TEST(EncryptAndDecrypt, NeedTheKeyAndTheFile) {
  for (auto convert : {encrypt_configuration, decrypt_configuration}) {
    Report without_key = convert("/dev/null", {});
    EXPECT_EQ(without_key.exit_status, 1);
    EXPECT_EQ(without_key.standard_output, "");
    EXPECT_THAT(without_key.standard_error, HasSubstr("RTSP_CONFKEY is not set"));
    EXPECT_EQ(convert("/nonexistent", {{"RTSP_CONFKEY", "x"}}).standard_error, "/nonexistent: no such file\n");
  }
  EXPECT_THAT(encrypt_configuration("/dev/null", {{"RTSP_CONFKEY", ""}}).standard_error, HasSubstr("is empty"));
}

} // namespace
} // namespace sluice::config
