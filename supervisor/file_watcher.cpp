#include "supervisor/file_watcher.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <climits>
#include <cstdlib>
#include <filesystem>

namespace sluice {
namespace {

constexpr uint32_t kEvents = IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM;

std::string name_of(const std::string &path) {
  return std::filesystem::path(path).filename().string();
}

std::string folder_of(const std::string &path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

} // namespace

Result<std::unique_ptr<FileWatcher>> FileWatcher::create(loop::Loop &loop, const std::string &path,
                                                         Listener &listener) {
  Fd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) return os_error("inotify");
  std::error_code error;
  std::string absolute = std::filesystem::absolute(path, error).string();
  if (error) return Error{path + ": " + error.message()};
  std::unique_ptr<FileWatcher> watcher(new FileWatcher(loop, absolute, listener, std::move(inotify)));
  watcher->watch_folders();
  if (watcher->folder_watch_ < 0) return os_error(folder_of(absolute));
  watcher->note_as_known();
  return watcher;
}

FileWatcher::FileWatcher(loop::Loop &loop, std::string path, Listener &listener, Fd inotify)
    : path_(std::move(path)), listener_(listener), inotify_(std::move(inotify)), poll_(loop, inotify_.get(), *this),
      settling_(loop, *this), loop_(loop) {
  poll_.watch(loop::Poll::kReadable);
}

// The folder of the path, where links are swapped, and that of what it leads to in the end.
void FileWatcher::watch_folders() {
  if (folder_watch_ < 0) folder_watch_ = ::inotify_add_watch(inotify_.get(), folder_of(path_).c_str(), kEvents);
  char resolved[PATH_MAX];
  std::string target = ::realpath(path_.c_str(), resolved) != nullptr ? resolved : "";
  if (target == target_) return;
  if (target_watch_ >= 0 && target_watch_ != folder_watch_) ::inotify_rm_watch(inotify_.get(), target_watch_);
  target_ = target;
  target_watch_ = target.empty() ? -1 : ::inotify_add_watch(inotify_.get(), folder_of(target).c_str(), kEvents);
}

void FileWatcher::on_poll(int, int) {
  if (read_events()) settling_.start(kSettling);
}

// Whether there was any. One who writes truncates first, and what stands there until he closes is half a file.
bool FileWatcher::read_events() {
  alignas(inotify_event) char buffer[16 * 1024];
  bool any = false;
  for (;;) {
    ssize_t count = ::read(inotify_.get(), buffer, sizeof buffer);
    if (count <= 0) return any;
    any = true;
    for (const char *at = buffer; at < buffer + count;) {
      const auto *event = reinterpret_cast<const inotify_event *>(at);
      at += sizeof(inotify_event) + event->len;
      std::string name = event->len > 0 ? event->name : "";
      bool ours = (event->wd == folder_watch_ && name == name_of(path_)) ||
                  (event->wd == target_watch_ && name == name_of(target_));
      if (!ours) continue;
      if ((event->mask & IN_MODIFY) != 0 && written_since_ == 0) written_since_ = loop_.now();
      if ((event->mask & ~IN_MODIFY) != 0) written_since_ = 0; // closed, or another file by now
      bool made_empty = (event->mask & IN_CREATE) != 0 && !std::filesystem::is_symlink(path_);
      if (made_empty) written_since_ = loop_.now();
    }
  }
}

bool FileWatcher::is_being_written() const {
  return written_since_ != 0 && loop_.now() - written_since_ < kPatience;
}

void FileWatcher::on_timer(loop::Timer &) {
  read_events();
  if (is_being_written()) return settling_.start(kSettling);
  watch_folders();
  std::string now = signature();
  if (now.empty() || now == known_) return; // one that is gone is about to come back, or not: it changes nothing
  known_ = now;
  listener_.on_file_changed();
}

bool FileWatcher::was_whole() {
  read_events();
  if (!is_being_written() && signature() == known_) return true;
  known_.clear();
  settling_.start(kSettling);
  return false;
}

std::string FileWatcher::signature() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return fmt::format("{} {} {} {} {}.{}", target_, status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

} // namespace sluice
