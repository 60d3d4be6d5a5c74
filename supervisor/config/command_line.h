// sluice [--check] [CONFIG], --help, --version. Parsing performs nothing: whoever calls prints and exits.
#pragma once

#include "supervisor/config/loader.h"

namespace sluice::config {

struct CommandLine {
  enum class Action : uint8_t { Serve, Check, Exit };
  Action action = Action::Serve;
  std::optional<std::string> configuration; // CONFIG
  // Of Action::Exit:
  int exit_status = 0;
  std::string standard_output, standard_error;
};
CommandLine parse_command_line(int argc, const char *const *argv, std::string_view version);

// What --check prints, and its exit status: 0 and one line on stdout, or 1 and all errors on stderr.
struct CheckReport {
  int exit_status = 0;
  std::string standard_output, standard_error;
};
CheckReport check_configuration(const std::optional<std::string> &path, const Environment &environment);

} // namespace sluice::config
