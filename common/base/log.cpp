#include "common/base/log.h"

#include "common/base/bytes.h"
#include "common/base/utf8.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice {
namespace {

std::atomic<LogSink *> current_sink = nullptr;
std::atomic<LogLevel> current_level = LogLevel::Info;

// Length of the UTF-8 character at the front, or 0 if there is none, or if it is a control character.
size_t printable_character(Bytes text) {
  uint8_t first = text[0];
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  size_t length = utf8_character_length(text);
  if (length == 2 && first == 0xc2 && text[1] < 0xa0) return 0; // C1 controls
  if (length == 3 && first == 0xe2 && text[1] == 0x80) {
    if (text[2] == 0xa8 || text[2] == 0xa9) return 0; // line separators
    if (text[2] >= 0xaa && text[2] <= 0xae) return 0; // bidirectional overrides
  }
  return length;
}

std::string escape(uint8_t byte) {
  switch (byte) {
  case '\n':
    return "\\n";
  case '\r':
    return "\\r";
  case '\t':
    return "\\t";
  default:
    return fmt::format("\\x{:02x}", byte);
  }
}

} // namespace

void set_log(LogSink *sink, LogLevel level) {
  current_sink = sink;
  current_level = level;
}

void set_log_level(LogLevel level) {
  current_level = level;
}

bool log_enabled(LogLevel level) {
  return level >= current_level.load(std::memory_order_relaxed) &&
         current_sink.load(std::memory_order_relaxed) != nullptr;
}

void log_message(LogLevel level, std::string_view message) {
  if (log_enabled(level)) current_sink.load(std::memory_order_acquire)->write(level, message);
}

void relay_message(LogLevel level, std::string_view message) {
  if (log_enabled(level)) current_sink.load(std::memory_order_acquire)->relay(level, message);
}

std::string_view level_name(LogLevel level) {
  switch (level) {
  case LogLevel::Debug:
    return "DEB";
  case LogLevel::Info:
    return "INF";
  case LogLevel::Warn:
    return "WAR";
  case LogLevel::Error:
    return "ERR";
  }
  return "ERR";
}

std::string printable(std::string_view text, size_t limit) {
  constexpr std::string_view kCut = "...";
  std::string result;
  size_t fits = 0; // length of `result` that leaves room for kCut
  Bytes rest = as_bytes(text);
  while (!rest.empty()) {
    size_t length = printable_character(rest);
    std::string piece = length == 0 ? escape(rest[0]) : std::string(as_text(rest.first(length)));
    if (result.size() + piece.size() > limit) return result.substr(0, fits).append(kCut);
    result += piece;
    if (result.size() + kCut.size() <= limit) fits = result.size();
    rest = rest.subspan(std::max<size_t>(length, 1));
  }
  return result;
}

std::string format_log_line(LogLevel level, Nanoseconds wall_time, std::string_view message) {
  time_t seconds = wall_time / kSecond;
  tm local{};
  localtime_r(&seconds, &local);
  std::string line = fmt::format("{:04}/{:02}/{:02} {:02}:{:02}:{:02} {} ", local.tm_year + 1900, local.tm_mon + 1,
                                 local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, level_name(level));
  line += printable(message, kMaxLogLineBytes - line.size() - 1);
  line += '\n';
  return line;
}

StreamLog::StreamLog(int fd, LogFormatter formatter) : fd_(fd), kind_(Kind::File), formatter_(formatter) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::Socket;
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return;
  // O_NONBLOCK on `fd` itself would also hit the shell or whoever else shares it.
  own_fd_ = open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  kind_ = own_fd_ >= 0 ? Kind::NonBlocking : Kind::Polled;
}

StreamLog::~StreamLog() {
  if (own_fd_ >= 0) close(own_fd_);
}

void StreamLog::write(LogLevel level, std::string_view message) {
  std::string_view unsent = unsent_;
  write_some(unsent);
  unsent_ = std::string(unsent);

  Nanoseconds now = wall_now();
  std::string text;
  if (dropped_ > 0) {
    std::string notice = fmt::format("{} log lines were dropped, since nobody read them in time", dropped_);
    text = formatter_(LogLevel::Warn, now, notice); // goes together with a line: alone it would fill small gaps
  }
  text += formatter_(level, now, message);
  std::string_view rest = text;
  if (unsent_.empty() && write_some(rest)) {
    unsent_ = std::string(rest);
    dropped_ = 0;
  } else {
    dropped_++;
  }
}

// Shortens `rest` by what was written; false if that was nothing.
bool StreamLog::write_some(std::string_view &rest) {
  bool any = false;
  while (!rest.empty()) {
    ssize_t written = -1;
    if (kind_ == Kind::Socket) {
      written = send(fd_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (kind_ == Kind::Polled) {
      // A pipe that is writable takes kMaxLogLineBytes (PIPE_BUF) without blocking.
      pollfd writable{fd_, POLLOUT, 0};
      if (poll(&writable, 1, 0) == 1) written = ::write(fd_, rest.data(), std::min(rest.size(), kMaxLogLineBytes));
    } else {
      written = ::write(kind_ == Kind::NonBlocking ? own_fd_ : fd_, rest.data(), rest.size());
    }
    if (written < 0 && errno == EINTR && kind_ != Kind::Polled) continue;
    if (written <= 0) return any;
    any = true;
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return any;
}

} // namespace sluice
