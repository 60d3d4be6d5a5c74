// Sends one session what it reads, straight from the ring: over its connection as one span (or, with channels of
// the client's own choice, as a list of parts), over UDP as datagrams on connected sockets. Owned by its Session.
#pragma once

#include "ipc/shm/session_table.h"
#include "workers/rtsp/protocol/session_state.h"
#include "workers/rtsp/stream.h"

#include <array>

namespace sluice::rtsp {

class Connection;
class Session;

class Reader {
public:
  // `connection` is null over UDP.
  Reader(Session &session, Connection *connection, const media::StreamDescription &description);

  void start(Generation &generation, uint64_t cursor);
  // Sends what there is. May close the session.
  void serve();
  void on_writable();

  bool blocked() const { return blocked_; }
  const Generation *generation() const { return generation_; }

private:
  enum class Progress : uint8_t { More, UpToDate, Blocked, Closed };

  static constexpr size_t kMaxParts = 128; // of one sendmsg

  Progress serve_span(const ring::Span &span);
  ring::Span front_of(const ring::Span &span, size_t most) const;
  Progress send_whole(const ring::Span &whole);
  Progress send_parts(const ring::Span &span);
  Progress send_datagrams(const ring::Span &span);
  void send_batch(const DatagramPlan &plan, const DatagramBatch &batch);
  void send_singly(int fd, const DatagramPlan &plan, const DatagramBatch &batch);
  Progress after_short_send(const ring::Span &span, uint64_t sent_bytes);
  Progress close(const char *reason);
  void skip_to_random_access();
  uint64_t cursor() const { return record_.cursor.load(std::memory_order_relaxed); }
  void advance(uint64_t to, uint64_t bytes, uint64_t packets);

  Session &session_;
  shm::SessionRecord &record_;
  Connection *connection_;
  Generation *generation_ = nullptr;
  bool blocked_ = false;
  bool usual_channels_ = true; // all tracks, track i on channel 2i
  bool segmentation_ = true;   // UDP_SEGMENT works for this peer
  std::array<uint8_t, media::kMaxTracks> channels_{};
  std::array<bool, media::kMaxTracks> wanted_{};
};

} // namespace sluice::rtsp
