// Whoever follows a stream's ring in this worker: a session's reader, a sender to groups, a muxer. Registered
// with the Stream for as long as it follows.
#pragma once

#include <cstdint>

namespace sluice::worker {

class Generation;

// Where a reader begins.
struct Start {
  Generation *generation = nullptr;
  uint64_t cursor = 0;
  bool random_access = false; // the entry at the cursor is the first of a random access unit
};

class StreamReader {
public:
  virtual void start(const Start &start) = 0;
  // Sends what there is; may end itself.
  virtual void serve() = 0;
  virtual bool blocked() const = 0; // serve() is of no use for now; then, in its place:
  virtual void watch() = 0;         // lets go of what is about to be overwritten
  virtual const Generation *generation() const = 0;

protected:
  ~StreamReader() = default;
};

} // namespace sluice::worker
