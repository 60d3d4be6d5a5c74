#include "supervisor/logs/terminal_line.h"

#include <unistd.h>

#include <cstdlib>

namespace sluice::logs {
namespace {

std::string_view colour_of(LogLevel level) {
  switch (level) {
  case LogLevel::Debug:
    return "\x1b[90m"; // grey
  case LogLevel::Info:
    return "\x1b[32m"; // green
  case LogLevel::Warn:
    return "\x1b[33m"; // yellow
  case LogLevel::Error:
    return "\x1b[31m"; // red
  }
  return "";
}

} // namespace

std::string format_terminal_line(LogLevel level, Nanoseconds wall_time, std::string_view message) {
  std::string line = format_log_line(level, wall_time, message);
  std::string_view word = level_name(level);
  size_t at = line.find(word); // date and time have no letters
  return line.insert(at + word.size(), "\x1b[0m").insert(at, colour_of(level));
}

bool shows_colours(int fd) {
  const char *terminal = std::getenv("TERM"), *unwanted = std::getenv("NO_COLOR");
  if (unwanted != nullptr && *unwanted != '\0') return false;
  return terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb" && ::isatty(fd) == 1;
}

} // namespace sluice::logs
