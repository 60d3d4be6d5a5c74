// One end of a control channel: a SOCK_SEQPACKET socket that carries messages and descriptors. Owns the socket;
// does no waiting of its own: its owner watches fd() and calls receive() when readable, flush() when writable.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "ipc/control/messages.h"

#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::control {

struct Received {
  Message message;
  std::vector<Fd> descriptors;
};

class Channel {
public:
  static constexpr size_t kMaxQueuedBytes = 64 << 20; // a peer that does not read is given up beyond this
  // Above this the owner takes nothing more from its own side that it would have to answer or pass on.
  static constexpr size_t kHighBytes = 1 << 20, kHighMessages = 256;

  explicit Channel(Fd socket) : socket_(std::move(socket)) {}

  // A connected pair, non-blocking and close-on-exec.
  static Result<std::pair<Fd, Fd>> make_pair();

  // Sends or queues. The descriptors are duplicated into the queue if need be; the caller keeps its own.
  // Error: the peer is gone or its queue is full.
  Result<void> send(const Message &message, std::span<const int> descriptors = {});

  // The next message, or nothing if there is none now. Error: the peer is gone or sent rubbish.
  Result<std::optional<Received>> receive();

  // receive() came to the end: nobody holds the other end any more.
  bool ended() const { return ended_; }

  Result<void> flush();
  bool wants_write() const { return !queue_.empty(); }
  bool congested() const { return queued_bytes_ > kHighBytes || queue_.size() > kHighMessages; }
  uint64_t flushed() const { return flushed_; } // messages that waited and were sent
  int fd() const { return socket_.get(); }

private:
  struct Queued {
    ByteVector bytes;
    std::vector<Fd> descriptors;
  };

  Fd socket_;
  std::deque<Queued> queue_;
  size_t queued_bytes_ = 0;
  uint64_t flushed_ = 0;
  bool ended_ = false;
  ByteVector buffer_ = ByteVector(kMaxMessageBytes + 1);
};

} // namespace sluice::control
