#include "common/loop/loop.h"

#include "common/base/check.h"

#include <utility>

namespace sluice::loop {
namespace {

uint64_t milliseconds_up(Nanoseconds duration) {
  return duration <= 0 ? 0 : static_cast<uint64_t>((duration + kMillisecond - 1) / kMillisecond);
}

} // namespace

Loop::Loop() {
  CHECK(uv_loop_init(&loop_) == 0);
}

Loop::~Loop() {
  while (loop_.active_reqs.count > 0) uv_run(&loop_, UV_RUN_ONCE);
  uv_run(&loop_, UV_RUN_NOWAIT);
  uv_loop_close(&loop_);
}

void Loop::run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
}
void Loop::stop() {
  uv_stop(&loop_);
}
Nanoseconds Loop::now() const {
  return monotonic_now();
}

Poll::Poll(Loop &loop, int fd, Listener &listener) : handle_(new uv_poll_t), listener_(listener), fd_(fd) {
  CHECK(uv_poll_init(loop.raw(), handle_.get(), fd) == 0);
  handle_->data = this;
}

void Poll::watch(int events) {
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    uv_poll_stop(handle_.get());
    return;
  }
  int error = uv_poll_start(handle_.get(), events, [](uv_poll_t *handle, int status, int ready) {
    auto *self = static_cast<Poll *>(handle->data);
    if (self == nullptr) return;
    // libuv stops watching a descriptor with an error. A socket's error may be one datagram's only, and the next
    // call on the socket takes it away.
    if (status < 0) self->watch(std::exchange(self->events_, 0));
    self->listener_.on_poll(self->fd_, status < 0 ? kReadable | kWritable | kHungUp : ready);
  });
  CHECK(error == 0);
}

Timer::Timer(Loop &loop, Listener &listener) : handle_(new uv_timer_t), listener_(listener) {
  CHECK(uv_timer_init(loop.raw(), handle_.get()) == 0);
  handle_->data = this;
}

void Timer::start(Nanoseconds delay, Nanoseconds interval) {
  active_ = true;
  uv_update_time(handle_->loop);
  uv_timer_start(
      handle_.get(),
      [](uv_timer_t *handle) {
        auto *self = static_cast<Timer *>(handle->data);
        if (self == nullptr) return;
        self->active_ = uv_timer_get_repeat(handle) != 0;
        self->listener_.on_timer(*self);
      },
      milliseconds_up(delay), milliseconds_up(interval));
}

void Timer::stop() {
  if (std::exchange(active_, false)) uv_timer_stop(handle_.get());
}

Check::Check(Loop &loop, Listener &listener) : handle_(new uv_check_t), listener_(listener) {
  CHECK(uv_check_init(loop.raw(), handle_.get()) == 0);
  handle_->data = this;
  uv_check_start(handle_.get(), [](uv_check_t *handle) {
    auto *self = static_cast<Check *>(handle->data);
    if (self != nullptr) self->listener_.on_turn_end();
  });
}

Signal::Signal(Loop &loop, int number, Listener &listener) : handle_(new uv_signal_t), listener_(listener) {
  CHECK(uv_signal_init(loop.raw(), handle_.get()) == 0);
  handle_->data = this;
  int error = uv_signal_start(
      handle_.get(),
      [](uv_signal_t *handle, int signal) {
        auto *self = static_cast<Signal *>(handle->data);
        if (self != nullptr) self->listener_.on_signal(signal);
      },
      number);
  CHECK(error == 0);
}

} // namespace sluice::loop
