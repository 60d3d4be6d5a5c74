// --ready: asks a running server, from another process, whether it serves. For probes that execute a command.
#pragma once

#include "supervisor/config/command_line.h"

#include <string>
#include <vector>

namespace sluice {

// What of this configuration's server answers: its API, else its metrics, else each of its listeners over TCP.
struct ReadinessQuestions {
  std::string url;                    // of /readyz; empty: nobody answers that
  std::vector<std::string> listeners; // to connect to, if so: "http://HOST:PORT"
};
ReadinessQuestions readiness_questions(const config::Configuration &configuration);

// All of it, the loading of the configuration included.
constexpr unsigned kReadinessPatienceSeconds = 5;

// 0, or 1 and the reason on stderr. Ends the process with 1 and a reason when its patience is over: names may be looked
// up and files read that never come. `environment`: as the server's.
config::Report ask_readiness(const std::optional<std::string> &path, const config::Environment &environment);

} // namespace sluice
