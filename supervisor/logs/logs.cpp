#include "supervisor/logs/logs.h"

#include "supervisor/logs/json_line.h"
#include "supervisor/logs/terminal_line.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace sluice::logs {
namespace {

bool is_regular_file(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

} // namespace

Logs::Logs(loop::Loop &loop, int standard_output, std::string syslog_socket)
    : loop_(loop), standard_output_(standard_output), syslog_socket_(std::move(syslog_socket)),
      summary_timer_(loop, *this) {}

Logs::~Logs() {
  for (const Repetitions::Summary &summary : repetitions_.take_due(INT64_MAX)) emit(summary.level, summary.text);
  if (redirected_) redirected_->finish(kPatienceAtEnd);
  if (file_) file_->finish(kPatienceAtEnd);
}

Result<Logs::Opened> Logs::open(const config::Configuration &next) const {
  Opened opened;
  if (!next.log_destinations.to_file || (file_ && file_->name() == next.log_file)) return opened;
  auto file = FileLog::open(next.log_file);
  if (!file) return Error{"logFile: " + file.error().message};
  opened.file = std::move(*file);
  return opened;
}

void Logs::apply(Opened opened, const config::Configuration &next) {
  json_ = next.log_format == config::LogFormat::Json;
  apply_standard_output(next.log_destinations.to_stdout, json_);
  if (opened.file) file_ = std::move(opened.file);
  if (!next.log_destinations.to_file) file_.reset();
  if (file_) file_->set_formatter(json_ ? format_json_line : format_log_line);
  if (!next.log_destinations.to_syslog) {
    syslog_.reset();
  } else if (!syslog_) {
    syslog_ = std::make_unique<SyslogLog>(syslog_socket_);
    if (!syslog_->trouble().empty()) emit(LogLevel::Warn, "no syslog for now: " + syslog_->trouble());
  }
}

void Logs::apply_standard_output(bool wanted, bool json) {
  if (!wanted) {
    stream_.reset();
    redirected_.reset();
    return;
  }
  if (!stream_ && !redirected_) {
    if (is_regular_file(standard_output_)) {
      auto adopted = FileLog::adopt(Fd(::fcntl(standard_output_, F_DUPFD_CLOEXEC, 0)));
      if (adopted) redirected_ = std::move(*adopted);
    }
    if (!redirected_) stream_ = std::make_unique<StreamLog>(standard_output_);
  }
  LogFormatter text = shows_colours(standard_output_) ? format_terminal_line : format_log_line;
  if (stream_) stream_->set_formatter(json ? format_json_line : text);
  if (redirected_) redirected_->set_formatter(json ? format_json_line : format_log_line);
}

void Logs::reopen() {
  if (file_) file_->reopen();
}

void Logs::write(LogLevel level, std::string_view message) {
  summarise();
  if (repetitions_.admit(level, message, loop_.now())) return emit(level, message);
  if (!summary_timer_.active()) summary_timer_.start(kSecond);
}

void Logs::relay(LogLevel level, std::string_view message) {
  emit(level, message);
}

void Logs::summarise() {
  for (const Repetitions::Summary &summary : repetitions_.take_due(loop_.now())) emit(summary.level, summary.text);
  if (repetitions_.holds_back() && !summary_timer_.active()) summary_timer_.start(kSecond);
}

void Logs::emit(LogLevel level, std::string_view message) {
  for (FileLog *file : {file_.get(), redirected_.get()})
    if (std::string trouble = file != nullptr ? file->take_trouble() : ""; !trouble.empty())
      emit(LogLevel::Error, trouble);
  if (stream_) stream_->write(level, message);
  if (redirected_) redirected_->write(level, message);
  if (file_) file_->write(level, message);
  if (!syslog_) return;
  std::string text = json_ ? format_json_line(level, wall_now(), message) : printable(message, kMaxLogLineBytes);
  if (text.ends_with('\n')) text.pop_back();
  syslog_->write(level, text);
}

} // namespace sluice::logs
