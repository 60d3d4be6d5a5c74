#include "supervisor/config/command_line.h"

#include "supervisor/config/default_file.h"
#include "supervisor/config/encryption.h"
#include "supervisor/config/file.h"
#include "supervisor/config/reference_page.h"
#include "supervisor/config/yaml.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <sstream>

namespace sluice::config {
namespace {

Report failed(std::string error) {
  return {1, {}, std::move(error) + "\n"};
}

Result<std::string> read_existing_file(const std::string &path, size_t max_bytes) {
  std::optional<std::string> text = TRY(read_file(path, max_bytes));
  if (!text) return Error{path + ": no such file"};
  return std::move(*text);
}

Result<std::string_view> key_of(const Environment &environment) {
  auto key = environment.find(kKeyVariable);
  if (key == environment.end())
    return Error{fmt::format("{} is not set; expected the key in this environment variable", kKeyVariable)};
  return key->second;
}

} // namespace

CommandLine parse_command_line(int argc, const char *const *argv, std::string_view version) {
  CLI::App app("Live media server: publish, read and convert audio and video.", "sluice");
  std::string configuration;
  bool check = false, ready = false, encrypt_file = false, decrypt_file = false, print_default = false,
       print_reference = false;
  auto *file =
      app.add_option("CONFIG", configuration,
                     "Configuration file; without it sluice.yml, rtsp-simple-server.yml or /etc/sluice/sluice.yml");
  auto *checks = app.add_flag("--check", check, "Check the configuration, print all errors and exit");
  auto *asks =
      app.add_flag("--ready", ready, "Ask the server of this configuration whether it serves; the exit status says it");
  asks->excludes(checks);
  auto *encrypts =
      app.add_flag("--encrypt", encrypt_file, "Print CONFIG, encrypted with the key RTSP_CONFKEY, and exit");
  auto *decrypts =
      app.add_flag("--decrypt", decrypt_file, "Print CONFIG, decrypted with the key RTSP_CONFKEY, and exit");
  encrypts->needs(file)->excludes(checks)->excludes(asks);
  decrypts->needs(file)->excludes(checks)->excludes(asks)->excludes(encrypts);
  app.add_flag("--print-default-config", print_default)->group("");            // what deploy/sluice.yml is made with
  app.add_flag("--print-configuration-reference", print_reference)->group(""); // deploy/configuration.md likewise
  app.set_version_flag("--version", std::string(version), "Print the version and exit");
  app.set_help_flag("--help", "Print this help and exit");

  CommandLine result;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &outcome) { // also --help and --version
    std::ostringstream out, err;
    bool failed = app.exit(outcome, out, err) != 0;
    result.action = CommandLine::Action::Exit;
    result.exit_status = failed ? 1 : 0;
    result.standard_output = failed ? "" : out.str();
    if (failed) result.standard_error = fmt::format("{}\n\n{}", outcome.what(), app.help());
    return result;
  }
  if (app.count("CONFIG") > 0) result.configuration = configuration;
  if (check) result.action = CommandLine::Action::Check;
  if (ready) result.action = CommandLine::Action::Ready;
  if (encrypt_file) result.action = CommandLine::Action::Encrypt;
  if (decrypt_file) result.action = CommandLine::Action::Decrypt;
  if (print_default || print_reference) {
    result.action = CommandLine::Action::Exit;
    result.standard_output = print_default ? default_configuration_file() : configuration_reference();
  }
  return result;
}

Report check_configuration(const std::optional<std::string> &path, const Environment &environment) {
  LoadResult loaded = load_configuration(path, environment);
  Report report;
  if (!loaded) {
    report.exit_status = 1;
    for (const std::string &error : loaded.error()) report.standard_error += error + "\n";
    return report;
  }
  for (const std::string &note : loaded->notes) report.standard_error += note + "\n";
  size_t paths = loaded->configuration.paths.size();
  report.standard_output = fmt::format("{}: OK, {} path{}\n", loaded->file.empty() ? "configuration" : loaded->file,
                                       paths, paths == 1 ? "" : "s");
  return report;
}

Report encrypt_configuration(const std::string &path, const Environment &environment) {
  auto key = key_of(environment);
  if (!key) return failed(key.error().message);
  if (key->empty()) return failed(fmt::format("{} is empty: anyone could read the result", kKeyVariable));
  auto text = read_existing_file(path, kMaxYamlBytes);
  if (!text) return failed(text.error().message);
  return {0, encrypt(*text, *key, random_encryption_nonce()), {}};
}

Report decrypt_configuration(const std::string &path, const Environment &environment) {
  auto key = key_of(environment);
  if (!key) return failed(key.error().message);
  auto encrypted = read_existing_file(path, kMaxEncryptedBytes);
  if (!encrypted) return failed(encrypted.error().message);
  auto text = decrypt(*encrypted, *key);
  if (!text) return failed(fmt::format("{}: {}", path, text.error().message));
  return {0, std::move(*text), {}};
}

} // namespace sluice::config
