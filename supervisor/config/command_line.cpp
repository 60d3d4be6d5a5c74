#include "supervisor/config/command_line.h"

#include "supervisor/config/default_file.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <sstream>

namespace sluice::config {

CommandLine parse_command_line(int argc, const char *const *argv, std::string_view version) {
  CLI::App app("Live media server: publish, read and convert audio and video.", "sluice");
  std::string configuration;
  bool check = false, print_default = false;
  app.add_option("CONFIG", configuration,
                 "Configuration file; without it sluice.yml, rtsp-simple-server.yml or /etc/sluice/sluice.yml");
  app.add_flag("--check", check, "Check the configuration, print all errors and exit");
  app.add_flag("--print-default-config", print_default)->group(""); // what deploy/sluice.yml is made with
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
  if (print_default) {
    result.action = CommandLine::Action::Exit;
    result.standard_output = default_configuration_file();
  }
  return result;
}

CheckReport check_configuration(const std::optional<std::string> &path, const Environment &environment) {
  LoadResult loaded = load_configuration(path, environment);
  CheckReport report;
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

} // namespace sluice::config
