// Tells when a file has become another one, however that was done: written in place, renamed over, or a symbolic link
// on the way to it changed (as Kubernetes does it). Loop and listener outlive it.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/loop/loop.h"

#include <cstdint>
#include <memory>
#include <string>

namespace sluice {

class FileWatcher : loop::Poll::Listener, loop::Timer::Listener {
public:
  static constexpr Nanoseconds kSettling = 20 * kMillisecond; // after an event, since editors do several things
  static constexpr Nanoseconds kPatience = 10 * kSecond;      // with one who writes the file and does not close it

  static constexpr Nanoseconds kRetry = kSecond / 2; // while the folder is gone

  struct Listener {
    virtual ~Listener() = default;
    virtual void on_file_changed() = 0;
  };

  // Error: inotify can't be had.
  static Result<std::unique_ptr<FileWatcher>> create(loop::Loop &loop, const std::string &path, Listener &listener);
  // What it is now counts as known.
  void note_as_known() { known_ = signature(); }
  // After the file was read: it is still what was known then, and nobody is writing it. Else what was read may be half
  // of something, and on_file_changed() follows.
  bool was_whole();

private:
  FileWatcher(loop::Loop &loop, std::string path, Listener &listener, Fd inotify);

  void on_poll(int fd, int events) override;
  void on_timer(loop::Timer &timer) override;
  void watch_folders();
  void read_events();
  void on_event(int watch, uint32_t mask, const std::string &name);
  bool is_being_written();

  // Differs when the file does.
  struct Signature {
    std::string target; // empty: there is no file
    uint64_t device = 0, inode = 0;
    int64_t bytes = 0, modified_ns = 0;
    bool operator==(const Signature &) const = default;
  };
  Signature signature() const;

  std::string path_;
  Listener &listener_;
  Fd inotify_;
  loop::Poll poll_;
  loop::Timer settling_;
  std::string target_; // what path_ leads to, whose folder is watched too
  int target_watch_ = -1, folder_watch_ = -1;
  Signature known_, whole_;       // whole_: when it was last read as a whole
  Nanoseconds written_since_ = 0; // somebody writes to it since; 0: nobody
  loop::Loop &loop_;
};

} // namespace sluice
