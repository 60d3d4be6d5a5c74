// What ps shows: "sluice: supervisor". Writes over the arguments that the process was started with.
#pragma once

#include <string_view>

namespace sluice::processes {

constexpr std::string_view kSupervisorTitle = "sluice: supervisor";

// Remembers where the arguments lie; once, at the begin of main. The strings of argv are not to be used after
// the first set_title().
void remember_arguments(int argc, char **argv);

// Whether the arguments have room for any title of this process, that is, argv[0] is the title already.
bool was_started_as(std::string_view title, const char *argv0);

// Executes this program again with the same arguments and environment, but `title` as argv[0].
// Returns only if that failed.
void execute_again_as(std::string_view title, char **argv);

// Cut to what fits. Also names the thread (comm), cut to 15 bytes. Allocates nothing.
void set_title(std::string_view title);

} // namespace sluice::processes
