// sluice [--check | --ready] [CONFIG], --encrypt CONFIG, --decrypt CONFIG, --help, --version. Parsing performs nothing:
// whoever calls prints and exits.
#pragma once

#include "supervisor/config/loader.h"

namespace sluice::config {

struct CommandLine {
  enum class Action : uint8_t { Serve, Check, Ready, Encrypt, Decrypt, Exit };
  Action action = Action::Serve;
  std::optional<std::string> configuration; // CONFIG; of Encrypt and Decrypt always there
  // Of Action::Exit:
  int exit_status = 0;
  std::string standard_output, standard_error;
};
CommandLine parse_command_line(int argc, const char *const *argv, std::string_view version);

// What a command prints, and its exit status.
struct Report {
  int exit_status = 0;
  std::string standard_output, standard_error;
};

// --check: 0 and one line on stdout, or 1 and all errors on stderr.
Report check_configuration(const std::optional<std::string> &path, const Environment &environment);

// --encrypt and --decrypt: the converted file on stdout, or an error on stderr. The key is the environment's
// RTSP_CONFKEY: a command line is for everyone to see.
Report encrypt_configuration(const std::string &path, const Environment &environment);
Report decrypt_configuration(const std::string &path, const Environment &environment);

} // namespace sluice::config
