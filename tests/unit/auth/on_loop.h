// Runs a loop until something has happened, and measures how long its turns take meanwhile.
#pragma once

#include "common/loop/loop.h"

#include <time.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace sluice::auth {

class OnLoop final : loop::Timer::Listener {
public:
  loop::Loop &loop() { return loop_; }

  // False: not within the limit.
  bool run_until(const std::function<bool()> &happened, Nanoseconds limit = 20 * kSecond) {
    happened_ = &happened;
    deadline_ = loop_.now() + limit;
    last_tick_ = loop_.now();
    last_busy_ = busy();
    longest_gap_ = longest_busy_ = 0;
    tick_.start(kMillisecond, kMillisecond);
    loop_.run();
    tick_.stop();
    return happened();
  }
  void run_for(Nanoseconds time) {
    run_until([] { return false; }, time);
  }
  // Between two ticks of 1 ms during the last run.
  Nanoseconds longest_gap() const { return longest_gap_; }
  // What of such a time this thread was computing: independent of the machine's other load.
  Nanoseconds longest_busy() const { return longest_busy_; }

private:
  static Nanoseconds busy() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * kSecond + time.tv_nsec;
  }

  void on_timer(loop::Timer &) override {
    Nanoseconds now = loop_.now(), computed = busy();
    longest_busy_ = std::max(longest_busy_, computed - std::exchange(last_busy_, computed));
    longest_gap_ = std::max(longest_gap_, now - std::exchange(last_tick_, now));
    if ((*happened_)() || now >= deadline_) loop_.stop();
  }

  loop::Loop loop_;
  loop::Timer tick_{loop_, *this};
  const std::function<bool()> *happened_ = nullptr;
  Nanoseconds deadline_ = 0, last_tick_ = 0, longest_gap_ = 0;
  Nanoseconds last_busy_ = 0, longest_busy_ = 0;
};

} // namespace sluice::auth
