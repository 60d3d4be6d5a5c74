#include "supervisor/logs/file_log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <utility>

namespace sluice::logs {
namespace {

// Without waiting for whoever reads a pipe of that name.
Result<Fd> open_for_appending(const std::string &name) {
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Fd fd(::open(name.c_str(), kFlags, 0640));
  if (!fd) return os_error(name);
  return fd;
}

} // namespace

struct FileLog::Shared {
  Shared(Fd opened, std::string file_name) : name(std::move(file_name)), fd(std::move(opened)) {}

  void run();

  const std::string name; // empty: has none
  std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex:
  std::string queue;
  bool reopen_wanted = false, owner_gone = false, idle = true;
  std::string trouble;

private:
  using Lock = std::unique_lock<std::mutex>;
  void open_again(Lock &lock);
  bool write_some(Lock &lock);
  bool rest(Lock &lock);
  void complain(const std::string &what);

  // The thread's:
  Fd fd;
  std::string batch; // what is being written
  size_t written = 0;
  std::string told; // the last trouble, which is told once
};

// The thread. The lock is held except in system calls that may block.
void FileLog::Shared::run() {
  Lock lock(mutex);
  for (;;) {
    if (std::exchange(reopen_wanted, false)) open_again(lock);
    if (written == batch.size()) {
      batch.clear();
      written = 0;
      std::swap(batch, queue);
    }
    if (!batch.empty()) {
      idle = false;
      if (!write_some(lock) && !rest(lock)) return;
      continue;
    }
    idle = true;
    changed.notify_all();
    if (owner_gone) return;
    changed.wait(lock, [this] { return owner_gone || reopen_wanted || !queue.empty(); });
  }
}

// A line that the old file has only the begin of is in the new one as a whole.
void FileLog::Shared::open_again(Lock &lock) {
  if (name.empty()) return;
  lock.unlock();
  auto opened = open_for_appending(name);
  lock.lock();
  if (!opened) return complain("logFile can't be opened again: " + opened.error().message);
  fd = std::move(*opened);
  size_t line = written == 0 ? batch.npos : batch.rfind('\n', written - 1);
  written = line == batch.npos ? 0 : line + 1;
}

// False: not now.
bool FileLog::Shared::write_some(Lock &lock) {
  lock.unlock();
  ssize_t count = 0;
  do count = ::write(fd.get(), batch.data() + written, batch.size() - written);
  while (count < 0 && errno == EINTR);
  int error = errno;
  if (count < 0 && error == EAGAIN) {
    pollfd writable{fd.get(), POLLOUT, 0};
    ::poll(&writable, 1, 100);
  }
  lock.lock();
  if (count > 0) {
    written += static_cast<size_t>(count);
    told.clear();
    return true;
  }
  if (count < 0 && error == EAGAIN) return !owner_gone;
  errno = count == 0 ? ENOSPC : error;
  complain("log lines can't be written: " + os_error(name.empty() ? "standard output" : name).message);
  return false;
}

// Until it is worth another try; false: it never will be.
bool FileLog::Shared::rest(Lock &lock) {
  if (!owner_gone)
    changed.wait_for(lock, std::chrono::nanoseconds(kRetryInterval), [this] { return owner_gone || reopen_wanted; });
  return !owner_gone || reopen_wanted;
}

void FileLog::Shared::complain(const std::string &what) {
  if (what == told) return;
  told = trouble = what;
}

Result<std::unique_ptr<FileLog>> FileLog::open(const std::string &name) {
  return start(TRY(open_for_appending(name)), name);
}

Result<std::unique_ptr<FileLog>> FileLog::adopt(Fd fd) {
  return start(std::move(fd), {});
}

Result<std::unique_ptr<FileLog>> FileLog::start(Fd fd, std::string name) {
  auto shared = std::make_shared<Shared>(std::move(fd), std::move(name));
  auto argument = std::make_unique<std::shared_ptr<Shared>>(shared);
  auto run = [](void *passed) -> void * {
    std::unique_ptr<std::shared_ptr<Shared>> mine(static_cast<std::shared_ptr<Shared> *>(passed));
    (*mine)->run();
    return nullptr;
  };
  sigset_t all, before; // signals are the loop's
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  errno = ::pthread_create(&thread, nullptr, run, argument.get());
  bool started = errno == 0;
  Error error = os_error("a thread that writes the log");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) return error;
  [[maybe_unused]] auto *passed_on = argument.release();
  ::pthread_detach(thread);
  return std::unique_ptr<FileLog>(new FileLog(std::move(shared)));
}

FileLog::FileLog(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

FileLog::~FileLog() {
  std::lock_guard lock(shared_->mutex);
  shared_->owner_gone = true;
  shared_->changed.notify_all();
}

void FileLog::write(LogLevel level, std::string_view message) {
  Nanoseconds now = wall_now();
  std::string text;
  if (dropped_ > 0) {
    std::string notice = fmt::format("{} log lines were dropped, since they could not be written in time", dropped_);
    text = formatter_(LogLevel::Warn, now, notice);
  }
  text += formatter_(level, now, message);
  std::lock_guard lock(shared_->mutex);
  if (shared_->queue.size() + text.size() > kMaxQueuedBytes) return void(dropped_++);
  dropped_ = 0;
  shared_->queue += text;
  shared_->idle = false;
  shared_->changed.notify_all();
}

void FileLog::reopen() {
  std::lock_guard lock(shared_->mutex);
  shared_->reopen_wanted = true;
  shared_->changed.notify_all();
}

void FileLog::finish(Nanoseconds patience) {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, std::chrono::nanoseconds(patience), [this] { return shared_->idle; });
}

std::string FileLog::take_trouble() {
  std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->trouble, {});
}

const std::string &FileLog::name() const {
  return shared_->name;
}

} // namespace sluice::logs
