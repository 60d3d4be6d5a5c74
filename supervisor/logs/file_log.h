// Appends log lines to a file from a thread of its own, so that a full disk or a server of files that hangs delays
// nobody. Lines wait in a bounded queue; what does not fit is dropped, and counted in the next line that does. What
// can't be written is tried again each second.
//
// The owner never waits for the thread, except in finish(); the thread ends by itself when all is written after the
// owner has gone, and keeps what it uses alive until then.
#pragma once

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/result.h"

#include <memory>

namespace sluice::logs {

class FileLog {
public:
  static constexpr size_t kMaxQueuedBytes = size_t{1} << 20; // and once more as much is being written
  static constexpr Nanoseconds kRetryInterval = kSecond;

  // Opens or creates (mode 0640) the file.
  static Result<std::unique_ptr<FileLog>> open(const std::string &name);
  // For a file that is open already, which reopen() leaves as it is.
  static Result<std::unique_ptr<FileLog>> adopt(Fd fd);
  ~FileLog();
  FileLog(const FileLog &) = delete;
  FileLog &operator=(const FileLog &) = delete;

  void write(LogLevel level, std::string_view message);
  void set_formatter(LogFormatter formatter) { formatter_ = formatter; }
  // What follows goes to the file that has the name by then.
  void reopen();
  // Waits until all is written, but no longer than this.
  void finish(Nanoseconds patience);

  // What went wrong since the last call; empty: nothing.
  std::string take_trouble();
  const std::string &name() const;

private:
  struct Shared;
  explicit FileLog(std::shared_ptr<Shared> shared);
  static Result<std::unique_ptr<FileLog>> start(Fd fd, std::string name);

  std::shared_ptr<Shared> shared_;
  LogFormatter formatter_ = format_log_line;
  uint64_t dropped_ = 0;
};

} // namespace sluice::logs
