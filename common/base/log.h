// Log lines: "2022/06/24 10:11:12 INF message", local time, one line each. A process installs one LogSink
// (the supervisor a StreamLog on stdout, a worker one that sends its lines over the control channel), which
// must outlive every call of log(). Logging never blocks and never fails.
#pragma once

#include "common/base/time.h"

#include <fmt/core.h>

#include <atomic>
#include <string>
#include <string_view>

namespace sluice {

enum class LogLevel : uint8_t { Debug, Info, Warn, Error };
inline bool is_valid(LogLevel level) {
  return level <= LogLevel::Error;
}

constexpr size_t kMaxLogLineBytes = 4096; // with its newline; longer lines are cut. What a pipe takes in one piece

class LogSink {
public:
  virtual ~LogSink() = default;
  // `message` is as the caller formatted it: unescaped, of any length.
  virtual void write(LogLevel level, std::string_view message) = 0;
  // The same with a line of another process, which has seen to it that there are not too many.
  virtual void relay(LogLevel level, std::string_view message) { write(level, message); }
};

// Lines below `level` are not formatted. A null sink drops all lines (the state at start).
void set_log(LogSink *sink, LogLevel level);
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);

// Hands over a finished message; relay_message: one that a worker sent.
void log_message(LogLevel level, std::string_view message);
void relay_message(LogLevel level, std::string_view message);

template <class... Args> void log(LogLevel level, fmt::format_string<Args...> format, Args &&...args) {
  if (!log_enabled(level)) return;
  log_message(level, fmt::vformat(format, fmt::make_format_args(args...)));
}

// `text` with control characters (also C1) and bytes that are not UTF-8 as \n, \r, \t or \xNN, so that
// nobody can forge a line or move a terminal's cursor. Longer than `limit` bytes (3 at least): cut, ending in "...".
std::string printable(std::string_view text, size_t limit = SIZE_MAX);

// "DEB", "INF", "WAR", "ERR".
std::string_view level_name(LogLevel level);

// One line with its newline, at most kMaxLogLineBytes.
using LogFormatter = std::string (*)(LogLevel level, Nanoseconds wall_time, std::string_view message);
std::string format_log_line(LogLevel level, Nanoseconds wall_time, std::string_view message);

// Writes lines to a descriptor that it does not own and that may be a pipe nobody reads. What does not fit
// at once is dropped; the number of dropped lines is written before the next line that fits.
// The process must ignore SIGPIPE.
class StreamLog : public LogSink {
public:
  explicit StreamLog(int fd, LogFormatter formatter = format_log_line);
  ~StreamLog() override;
  StreamLog(const StreamLog &) = delete;
  StreamLog &operator=(const StreamLog &) = delete;

  void write(LogLevel level, std::string_view message) override;
  void set_formatter(LogFormatter formatter) { formatter_ = formatter; }

private:
  bool write_some(std::string_view &rest);

  enum class Kind : uint8_t { File, Socket, NonBlocking, Polled };
  int fd_;
  int own_fd_ = -1; // the same pipe or terminal opened once more, so that only we see it non-blocking
  Kind kind_;
  LogFormatter formatter_;
  std::string unsent_; // rest of what was written in part; less than two lines
  uint64_t dropped_ = 0;
};

} // namespace sluice
