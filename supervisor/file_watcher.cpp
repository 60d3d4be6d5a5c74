#include "supervisor/file_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <climits>
#include <cstdlib>
#include <filesystem>

namespace sluice {
namespace {

constexpr uint32_t kEvents =
    IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr uint32_t kFolderGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED;

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
  watcher->whole_ = watcher->known_;
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

// The first event counts: a folder in which much happens does not hold up anything.
void FileWatcher::on_poll(int, int) {
  read_events();
  if (!settling_.active()) settling_.start(kSettling);
}

// One who writes truncates first, and what stands there until he closes is half a file.
void FileWatcher::read_events() {
  alignas(inotify_event) char buffer[16 * 1024];
  for (;;) {
    ssize_t count = ::read(inotify_.get(), buffer, sizeof buffer);
    if (count <= 0) return;
    for (const char *at = buffer; at < buffer + count;) {
      const auto *event = reinterpret_cast<const inotify_event *>(at);
      at += sizeof(inotify_event) + event->len;
      on_event(event->wd, event->mask, event->len > 0 ? event->name : "");
    }
  }
}

void FileWatcher::on_event(int watch, uint32_t mask, const std::string &name) {
  if ((mask & kFolderGone) != 0) { // watched again, by its name, when it is there
    if ((mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(inotify_.get(), watch);
    if (watch == folder_watch_) folder_watch_ = -1;
    if (watch == target_watch_) {
      target_watch_ = -1;
      target_.clear();
    }
    return;
  }
  bool ours =
      (watch == folder_watch_ && name == name_of(path_)) || (watch == target_watch_ && name == name_of(target_));
  if (!ours) return;
  bool appeared_empty = (mask & IN_CREATE) != 0 && !std::filesystem::is_symlink(path_);
  if (appeared_empty || ((mask & IN_MODIFY) != 0 && written_since_ == 0))
    written_since_ = loop_.now();
  else if ((mask & IN_MODIFY) == 0)
    written_since_ = 0; // closed, or another file by now
}

// Also seen from the file itself: one that is being truncated is empty for a while before it counts as modified, and
// before its watchers are told.
bool FileWatcher::is_being_written() {
  Signature now = signature();
  bool same_file = now.inode == whole_.inode && now.device == whole_.device;
  bool shrinks = same_file && now.bytes != whole_.bytes && now.modified_ns == whole_.modified_ns;
  bool is_empty = !now.target.empty() && now.bytes == 0 && now != whole_;
  if ((shrinks || is_empty) && written_since_ == 0) written_since_ = loop_.now();
  return written_since_ != 0 && loop_.now() - written_since_ < kPatience;
}

void FileWatcher::on_timer(loop::Timer &) {
  read_events();
  if (is_being_written()) return settling_.start(kSettling);
  watch_folders();
  if (folder_watch_ < 0) settling_.start(kRetry);
  Signature now = signature();
  if (now.target.empty() || now == known_) return; // one that is gone is about to come back, or not: it changes nothing
  known_ = now;
  listener_.on_file_changed();
}

bool FileWatcher::was_whole() {
  read_events();
  if (!is_being_written() && signature() == known_) {
    whole_ = known_;
    return true;
  }
  known_ = {};
  settling_.start(kSettling);
  return false;
}

FileWatcher::Signature FileWatcher::signature() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {target_.empty() ? path_ : target_, status.st_dev, status.st_ino, status.st_size,
          status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec};
}

} // namespace sluice
