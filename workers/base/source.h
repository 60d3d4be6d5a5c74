// One attempt to pull a stream from another server into a ring, as Sources sees it: whatever fails ends it, and the
// supervisor decides what comes next. Owned by Sources; how it is done is the protocol's.
#pragma once

#include "common/base/fd.h"
#include "common/base/time.h"
#include "ipc/control/messages.h"

#include <string>
#include <vector>

namespace sluice::worker {

class Publication;

class Source {
public:
  Source(control::SourceId id, std::string path) : id_(id), path_(std::move(path)) {}
  virtual ~Source() = default;
  Source(const Source &) = delete;
  Source &operator=(const Source &) = delete;

  control::SourceId id() const { return id_; }
  const std::string &path() const { return path_; }
  virtual void begin() = 0;
  // To its SourceReady.
  virtual void on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) = 0;
  // Ends it without a word to the supervisor; the server is told, which may take a second.
  virtual void stop() = 0;
  // Ends it likewise, and the supervisor is told why.
  virtual void fail(const std::string &reason) = 0;
  virtual void on_second(Nanoseconds now) = 0;
  virtual Publication *publication() = 0; // null before the grant and after the end

private:
  control::SourceId id_;
  std::string path_;
};

} // namespace sluice::worker
