// What every worker has, whatever its protocol: its records, listeners, streams and sources, the answers of the
// supervisor, the end of the loop's turn. A protocol's server derives from it and adds its connections and sessions.
// Connections, sessions and sources are retired, not destroyed, in callbacks; they go at the end of the turn. Owned by
// the process.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/next_turn.h"
#include "ipc/control/channel.h"
#include "ipc/shm/doorbell_board.h"
#include "ipc/shm/table_allocator.h"
#include "workers/base/listeners.h"
#include "workers/base/sources.h"
#include "workers/base/streams.h"
#include "workers/base/supervisor.h"

#include <vector>

namespace sluice::worker {

class Publication;

struct ServerParts {
  control::Welcome welcome;
  std::vector<Fd> listeners, udp_bases, doorbells;
  shm::DoorbellBoard board;
};

class Server : Listeners::Owner,
               Streams::Listener,
               Sources::Factory,
               loop::Check::Listener,
               loop::Timer::Listener,
               loop::NextTurn::Listener {
public:
  virtual ~Server();

  // --- for the process ---

  void on_message(control::Received &received);
  virtual void on_channel_room() = 0; // after congestion
  void shut_down();                   // closes all sessions, connections and sources in order
  // Nothing is accepted any more and nobody is left.
  bool drained() const { return draining_ && empty(); }
  bool empty() const { return !has_clients() && sources_.empty(); }

  // --- for connections, sessions, publishers, readers and sources ---

  const char *label() const { return label_; } // "RTSP"
  loop::Loop &event_loop() { return loop_; }
  shm::TableAllocator &allocator() { return allocator_; }
  const control::WorkerSettings &settings() const { return welcome_.settings; }
  uint16_t slot() const { return welcome_.slot; }
  Supervisor &supervisor() { return supervisor_; }
  Streams &streams() { return streams_; }
  Sources &sources() { return sources_; }
  // What is handled from here on is that of this session, or, with 0, of none.
  void note_blame(uint64_t session);

  control::RequestId new_request() { return next_request_++; }
  // Fresh records get ids of their own.
  void identify(shm::ConnectionRecord &record);
  uint32_t identify(shm::SessionRecord &record); // returns its low half, unique among the worker's sessions

  // Tells that a session is over: what flowed, and where. Its record is to be given back.
  void release(shm::SessionRecord &record, const std::string &path);
  void count_refused() { allocator_.table().header().refused.fetch_add(1, std::memory_order_relaxed); }

  // Whether so many more descriptors leave the reserve that messages need.
  bool has_descriptors(size_t more) const { return descriptors_ + more <= max_descriptors_; }
  void count_descriptors(ptrdiff_t more) {
    descriptors_ = static_cast<size_t>(static_cast<ptrdiff_t>(descriptors_) + more);
  }
  // For timers: the loop would first wait for the next event, which may be long in coming.
  void end_turn_soon() { next_turn_.request(); }

protected:
  static constexpr size_t kReservedDescriptors = 256; // listeners, doorbells, rings, messages under way

  // `label`: of log lines. `protocols`: that are offered inside TLS (ALPN).
  Server(loop::Loop &loop, Supervisor &supervisor, shm::SessionTable &table, ServerParts &parts, const char *label,
         std::vector<std::string> protocols = {});
  // To be called once the derived server is whole.
  void start(ServerParts &parts);

  Listeners &listeners() { return listeners_; }
  // Without listeners it only pulls. A draining one serves those that it has.
  bool serves_clients() const { return draining_ || !listeners_.empty(); }

  virtual bool has_clients() const = 0;
  virtual void close_clients() = 0; // sessions, then connections
  virtual bool has_session(uint32_t id) const = 0;
  virtual Publication *find_publication(control::StreamId stream) = 0; // of a session
  // The settings are others; `udp_bases`: base sockets of the UDP ports, instead of those before.
  virtual void on_settings(std::vector<Fd> udp_bases) = 0;
  virtual void on_kick(const control::Kick &message) = 0;
  // To a request that is not a source's.
  virtual void on_answer(control::RequestId request, control::Received &received) = 0;
  // What only some protocols get. False: it does not.
  virtual bool on_other(control::Received &received) = 0;
  virtual void on_second(Nanoseconds now) = 0;
  virtual void on_next_turn_begin() = 0; // as end_turn_soon() asked for
  virtual void sweep() = 0;

private:
  void on_rounds_due() override { on_turn_end(); }
  void on_store_news(size_t) override {} // unless a protocol has stores
  void on_turn_end() override;
  void on_timer(loop::Timer &timer) override;
  void on_next_turn() override { on_next_turn_begin(); }

  void take(control::Settings message, std::vector<Fd> &fds);
  void answer(control::RequestId request, control::Received &received);
  void replace_ring(const control::RingReplaced &message, const Fd &fd);
  Publication *publication_of(control::StreamId stream);
  void drain();

  loop::Loop &loop_;
  Supervisor &supervisor_;
  const char *label_;
  control::Welcome welcome_;
  shm::TableAllocator allocator_;
  Streams streams_;
  Listeners listeners_;
  Sources sources_;
  loop::NextTurn next_turn_;
  loop::Check turn_end_;
  loop::Timer second_;
  uint64_t next_connection_ = 1, next_request_ = 1, next_session_ = 1;
  size_t max_descriptors_, descriptors_ = 0; // of connections and media sockets
  bool leaving_ = false, draining_ = false;
};

} // namespace sluice::worker
