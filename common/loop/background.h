// Work that takes too long for the loop, done by libuv's threads. Few at a time: the threads are shared.
#pragma once

#include "common/loop/loop.h"

#include <memory>

namespace sluice::loop {

struct BackgroundJob {
  virtual ~BackgroundJob() = default;
  virtual void run() = 0;  // on another thread; touches nothing that others touch meanwhile
  virtual void done() = 0; // afterwards, on the loop; then the job is destroyed
};

// Every job is run and done. The loop's destructor waits for those that are under way; what `done` uses must
// outlive it, or tell the job that it is gone.
void run_in_background(Loop &loop, std::unique_ptr<BackgroundJob> job);

} // namespace sluice::loop
