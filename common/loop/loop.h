// Thin owners of libuv handles. A handle's storage outlives its owner: the owner's destructor clears `data`
// and closes, the close callback frees. Listeners are interfaces; they outlive the owner that calls them.
#pragma once

#include "common/base/time.h"

#include <uv.h>

#include <memory>

namespace sluice::loop {

// The loop must outlive all owners; run() returns once stop() was called.
class Loop {
public:
  Loop();
  ~Loop(); // waits for background jobs, runs the remaining close callbacks
  Loop(const Loop &) = delete;
  Loop &operator=(const Loop &) = delete;

  void run();
  void stop();
  Nanoseconds now() const; // CLOCK_MONOTONIC, as of now, not as of the turn's begin
  uv_loop_t *raw() { return &loop_; }

private:
  uv_loop_t loop_;
};

template <class Handle> struct CloseHandle {
  void operator()(Handle *handle) const {
    handle->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t *>(handle),
             [](uv_handle_t *closed) { delete reinterpret_cast<Handle *>(closed); });
  }
};
template <class Handle> using Owned = std::unique_ptr<Handle, CloseHandle<Handle>>;

// Readiness of a descriptor that belongs to someone else, who closes it after this is gone.
class Poll {
public:
  static constexpr int kReadable = UV_READABLE;
  static constexpr int kWritable = UV_WRITABLE;
  static constexpr int kHungUp = UV_DISCONNECT; // the peer sends no more, whatever there is still to be read

  struct Listener {
    virtual ~Listener() = default;
    virtual void on_poll(int fd, int events) = 0; // errors are reported as all three, again until a call on the
                                                  // descriptor takes them
  };

  Poll(Loop &loop, int fd, Listener &listener);
  void watch(int events); // 0: none
  int watched() const { return events_; }
  int fd() const { return fd_; }

private:
  Owned<uv_poll_t> handle_;
  Listener &listener_;
  int fd_;
  int events_ = 0;
};

class Timer {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_timer(Timer &timer) = 0;
  };

  Timer(Loop &loop, Listener &listener);
  // Rounded up to whole milliseconds; interval 0: once.
  void start(Nanoseconds delay, Nanoseconds interval = 0);
  void stop();
  bool active() const { return active_; }

private:
  Owned<uv_timer_t> handle_;
  Listener &listener_;
  bool active_ = false; // known here, since hot paths ask again and again
};

// Called once per turn of the loop, after all I/O callbacks of the turn.
class Check {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_turn_end() = 0;
  };

  Check(Loop &loop, Listener &listener);

private:
  Owned<uv_check_t> handle_;
  Listener &listener_;
};

class Signal {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_signal(int number) = 0;
  };

  Signal(Loop &loop, int number, Listener &listener);

private:
  Owned<uv_signal_t> handle_;
  Listener &listener_;
};

} // namespace sluice::loop
