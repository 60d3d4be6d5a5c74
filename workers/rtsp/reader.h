// Sends one session what it reads, straight from the ring: over its connection as one span (or, with channels of
// the client's own choice, as a list of parts), over UDP as datagrams on connected sockets. One that is too slow loses
// whole access units. Owned by its Session.
#pragma once

#include "ipc/ring/whole_units.h"
#include "ipc/shm/session_table.h"
#include "workers/base/stream.h"
#include "workers/base/stream_reader.h"
#include "workers/rtsp/catch_up.h"
#include "workers/rtsp/datagram_sender.h"
#include "workers/rtsp/protocol/session_state.h"

#include <array>

namespace sluice::rtsp {

class Connection;
class Session;

class Reader final : public StreamReader {
public:
  // `connection` is null over UDP.
  Reader(Session &session, Connection *connection, const media::StreamDescription &description);

  void start(const Start &start) override;
  // Sends what there is. May close the session.
  void serve() override;
  void on_writable();
  void watch() override;
  // It gets no more than there is by now, and ends once it has that. False: it has that.
  bool finish();
  bool finishing() const { return finishing_; }
  void note_still_missing(); // at its end: what it lost without having gone on anywhere

  bool blocked() const override { return blocked_; }
  const Generation *generation() const override { return generation_; }

private:
  enum class Progress : uint8_t { More, UpToDate, HeldBack, Blocked, Closed };

  static constexpr size_t kMaxParts = 128; // of one sendmsg

  Progress serve_some();
  Progress serve_within_limits();
  Progress serve_span(const ring::Span &span);
  ring::Span front_of(const ring::Span &span, size_t most) const;
  Progress next_generation();
  Progress send_whole(const ring::Span &whole);
  Progress send_parts(const ring::Span &span);
  Progress send_datagrams(const ring::Span &span);
  bool places_itself();
  bool endangered(uint64_t position) const;
  bool overtaken() const;
  Progress skip();
  Progress send_rest(const ring::WholeUnits::Skip &skip);
  uint64_t limit();
  Progress after_short_send(const ring::Span &span, uint64_t sent_bytes);
  Progress close(const char *reason);
  uint64_t cursor() const { return record_.cursor.load(std::memory_order_relaxed); }
  void advance(uint64_t to, uint64_t bytes, uint64_t packets);
  void note_left_out(uint64_t entries);

  Session &session_;
  shm::SessionRecord &record_;
  Connection *connection_;
  Generation *generation_ = nullptr;
  ring::WholeUnits units_;
  std::optional<CatchUp> catch_up_; // over UDP, from a key frame on
  bool placed_ = true;              // its cursor means something
  bool limited_ = false;            // not everything that is committed may be sent
  bool finishing_ = false;
  bool blocked_ = false;
  bool usual_channels_ = true; // all tracks, track i on channel 2i
  DatagramSender datagrams_;
  std::array<uint8_t, media::kMaxTracks> channels_{};
};

} // namespace sluice::rtsp
