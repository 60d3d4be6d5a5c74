#include "supervisor/logs/syslog_log.h"

#include "common/base/result.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::logs {
namespace {

int severity_of(LogLevel level) {
  switch (level) {
  case LogLevel::Debug:
    return LOG_DEBUG;
  case LogLevel::Info:
    return LOG_INFO;
  case LogLevel::Warn:
    return LOG_WARNING;
  case LogLevel::Error:
    return LOG_ERR;
  }
  return LOG_ERR;
}

} // namespace

std::string syslog_header(LogLevel level, Nanoseconds wall_time, int pid) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t seconds = wall_time / kSecond;
  tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("<{}>{} {:2} {:02}:{:02}:{:02} sluice[{}]: ", LOG_DAEMON | severity_of(level),
                     kMonths[static_cast<size_t>(local.tm_mon)], local.tm_mday, local.tm_hour, local.tm_min,
                     local.tm_sec, pid);
}

SyslogLog::SyslogLog(std::string socket) : path_(std::move(socket)) {
  connect();
}

bool SyslogLog::connect() {
  tried_at_ = monotonic_now();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket_ && ::connect(socket_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0) {
    trouble_.clear();
    return true;
  }
  trouble_ = os_error(path_).message;
  socket_.reset();
  return false;
}

// False: not now.
bool SyslogLog::send(LogLevel level, std::string_view text) {
  std::string line = syslog_header(level, wall_now(), ::getpid());
  line += text;
  for (bool again : {true, false}) {
    bool early = monotonic_now() - tried_at_ < kReconnectInterval;
    if (!socket_ && (early || !connect())) return false;
    ssize_t sent = 0;
    do sent = ::send(socket_.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
      trouble_.clear();
      return true;
    }
    trouble_ = os_error(path_).message;
    if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE) return false;
    socket_.reset(); // the daemon has gone; there may be another one by now
    if (again) tried_at_ = 0;
  }
  return false;
}

void SyslogLog::write(LogLevel level, std::string_view text) {
  if (dropped_ > 0) {
    std::string notice = fmt::format("{} log lines were dropped, since syslog did not take them in time", dropped_);
    if (!send(LogLevel::Warn, notice)) return void(dropped_++);
    dropped_ = 0;
  }
  if (!send(level, text)) dropped_++;
}

} // namespace sluice::logs
