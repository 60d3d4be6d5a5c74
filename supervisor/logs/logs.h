// Where the supervisor's log lines, and those that workers sent, go: any of standard output, a file and syslog, each as
// the configuration says. No destination delays another one or the loop. The loop outlives it.
#pragma once

#include "common/loop/loop.h"
#include "supervisor/config/configuration.h"
#include "supervisor/logs/file_log.h"
#include "supervisor/logs/repetitions.h"
#include "supervisor/logs/syslog_log.h"

#include <memory>

namespace sluice::logs {

class Logs final : public LogSink, loop::Timer::Listener {
public:
  static constexpr Nanoseconds kPatienceAtEnd = 2 * kSecond; // with a file that takes nothing

  explicit Logs(loop::Loop &loop, int standard_output = 1, std::string syslog_socket = SyslogLog::kSocket);
  ~Logs() override;

  // What may fail, and is not open yet: the file.
  struct Opened {
    std::unique_ptr<FileLog> file;
  };
  Result<Opened> open(const config::Configuration &next) const;
  void apply(Opened opened, const config::Configuration &next);

  // The file was renamed, as logrotate does.
  void reopen();

  void write(LogLevel level, std::string_view message) override;
  void relay(LogLevel level, std::string_view message) override;

private:
  void on_timer(loop::Timer &) override { summarise(); }
  void apply_standard_output(bool wanted, bool json);
  void summarise();
  void emit(LogLevel level, std::string_view message);

  loop::Loop &loop_;
  int standard_output_;
  std::string syslog_socket_;
  bool json_ = false;
  std::unique_ptr<StreamLog> stream_;   // standard output, unless
  std::unique_ptr<FileLog> redirected_; // it is a file
  std::unique_ptr<FileLog> file_;
  std::unique_ptr<SyslogLog> syslog_;
  Repetitions repetitions_;
  loop::Timer summary_timer_;
};

} // namespace sluice::logs
