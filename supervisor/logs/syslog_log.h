// Sends log lines to the machine's syslog daemon: one datagram each, in the form of RFC 3164 as the C library does,
//   <30>Jun 24 10:11:12 sluice[123]: message
// facility daemon, with the line's level as severity. Never blocks: what the daemon does not take at once is dropped
// and counted. A daemon that was restarted is found again.
#pragma once

#include "common/base/fd.h"
#include "common/base/log.h"

namespace sluice::logs {

class SyslogLog {
public:
  static constexpr const char *kSocket = "/dev/log";
  static constexpr Nanoseconds kReconnectInterval = kSecond;

  explicit SyslogLog(std::string socket = kSocket);

  // `text`: without date and level, one line of printable characters.
  void write(LogLevel level, std::string_view text);
  // Why the last line could not be sent; empty if it could.
  const std::string &trouble() const { return trouble_; }

private:
  bool connect();
  bool send(LogLevel level, std::string_view text);

  std::string path_;
  Fd socket_;
  Nanoseconds tried_at_ = 0;
  std::string trouble_;
  uint64_t dropped_ = 0;
};

// "<30>Jun 24 10:11:12 sluice[123]: ".
std::string syslog_header(LogLevel level, Nanoseconds wall_time, int pid);

} // namespace sluice::logs
