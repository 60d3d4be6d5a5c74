// Starts the process of a command: leader of a process group of its own, stdin from /dev/null, stdout, stderr and
// working directory as the server's, no other descriptor, default signal dispositions, empty mask, default
// oom_score_adj. It gets SIGINT should the server die without a word.
#pragma once

#include "common/base/result.h"

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::hooks {

// Where `program` may be: itself if it has a slash, else in the folders of PATH, as `environment` ("NAME=value"
// lines) has it.
std::vector<std::string> program_candidates(const std::string &program, const std::vector<std::string> &environment);

// Returns once the program runs; then it is a child that nobody waits for. A script needs a "#!" line: no shell
// is tried. At least one word.
Result<pid_t> launch(const std::vector<std::string> &words, const std::vector<std::string> &environment);

} // namespace sluice::hooks
