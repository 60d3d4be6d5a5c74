// A log line for a terminal: as in a file, with the level in colour.
#pragma once

#include "common/base/log.h"

namespace sluice::logs {

// A LogFormatter.
std::string format_terminal_line(LogLevel level, Nanoseconds wall_time, std::string_view message);

// Whether `fd` is a terminal that shows colours, and the user has nothing against it (NO_COLOR).
bool shows_colours(int fd);

} // namespace sluice::logs
