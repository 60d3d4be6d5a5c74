// What an RTSP worker serves: listeners, connections, sessions, and the streams that its sessions read. Carries the
// requests of connections to the supervisor and its answers back. Connections and sessions are retired, not
// destroyed, in callbacks; they go at the end of the loop's turn. Owned by the Worker.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/next_turn.h"
#include "common/loop/socket.h"
#include "common/loop/tls.h"
#include "ipc/control/channel.h"
#include "ipc/shm/doorbell_board.h"
#include "ipc/shm/table_allocator.h"
#include "workers/rtsp/connection.h"
#include "workers/rtsp/datagram_receiver.h"
#include "workers/rtsp/multicast.h"
#include "workers/rtsp/protocol/machine.h"
#include "workers/rtsp/session.h"
#include "workers/rtsp/sources.h"
#include "workers/rtsp/stray_datagrams.h"
#include "workers/rtsp/stream.h"

#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace sluice::rtsp {

class Publisher;

// The control channel as the server uses it.
class Supervisor {
public:
  virtual ~Supervisor() = default;
  virtual void send(const control::Message &message, std::span<const int> descriptors = {}) = 0;
  // Much waits to be sent: ask nothing more until on_channel_room().
  virtual bool congested() const = 0;
};

struct ServerParts {
  control::Welcome welcome;
  std::vector<Fd> listeners, udp_bases, doorbells;
  shm::DoorbellBoard board;
};

class Server final : public loop::Poll::Listener,
                     public loop::Check::Listener,
                     public loop::Timer::Listener,
                     public loop::NextTurn::Listener {
public:
  Server(loop::Loop &loop, Supervisor &supervisor, shm::SessionTable &table, ServerParts parts);
  ~Server() override;

  void on_message(control::Received &received);
  void on_channel_room(); // after congestion
  void shut_down();       // closes all sessions, connections and sources in order
  // Nothing is accepted any more and nobody is left.
  bool drained() const { return draining_ && empty(); }
  bool empty() const { return connections_.empty() && sessions_.empty() && sources_.empty(); }

  // --- for connections, sessions, publishers and readers ---

  loop::Loop &event_loop() { return loop_; }
  shm::TableAllocator &allocator() { return allocator_; }
  const control::WorkerSettings &settings() const { return parts_.welcome.settings; }
  ServerFacts facts() const;
  uint16_t slot() const { return parts_.welcome.slot; }
  uint16_t slots() const { return parts_.welcome.settings.slots; }
  Supervisor &supervisor() { return supervisor_; }
  DatagramReceiver &datagrams() { return datagrams_; }
  Multicast &multicast() { return multicast_; }
  void note_blame(const Session *session);
  void note_blame(const shm::SessionRecord &record);

  Session *find_session(uint32_t wire_id);
  Connection *find_connection(uint64_t id);
  // Null when the table is full.
  Session *create_session(Connection &connection);
  void retire(Connection &connection);
  void retire(Session &session);

  // The connection's on_channel_room() is called when the control channel has room again.
  void wait_for_channel(Connection &connection) { stalled_.push_back(connection.id()); }
  // The connection's on_unread() is called in the next turn.
  void read_again(Connection &connection);
  // Whether so many more descriptors leave the reserve that messages need.
  bool has_descriptors(size_t more) const;
  void count_descriptors(ptrdiff_t more) {
    media_sockets_ = static_cast<size_t>(static_cast<ptrdiff_t>(media_sockets_) + more);
  }
  // Asks the supervisor on a connection's behalf; on_answer() of the connection gets the answer.
  control::RequestId ask(Connection &connection);
  control::RequestId new_request() { return next_request_++; }
  // Fresh records get ids of their own.
  void identify(shm::ConnectionRecord &record) { record.id = next_connection_++; }
  uint32_t identify(shm::SessionRecord &record); // returns the wire id in it

  // A stream that a session was granted; it may let go of it with leave_stream().
  Result<Stream *> enter_stream(control::StreamId id, int ring_fd);
  void leave_stream(Stream &stream);
  void schedule_round(control::StreamId id);
  // For timers: the loop would first wait for the next event, which may be long in coming.
  void end_turn_soon() { next_turn_.request(); }
  void schedule_round_later(control::StreamId id); // within kCatchUpInterval
  void ring_doorbells(uint64_t subscribers, size_t ring_index, control::StreamId id);

  // `local`: of the client's RTSP connection, whose address it sends to.
  // Asks the supervisor on a session's behalf; on_claimed() of the session gets the answer.
  void ask_for_address(control::Claim claim);
  Result<Fd> connect_media_socket(bool rtcp, const loop::SocketAddress &local, const loop::SocketAddress &peer,
                                  int receive_buffer_bytes);

private:
  static constexpr int kAcceptsPerTurn = 64;
  static constexpr size_t kReservedDescriptors = 256; // listeners, doorbells, rings, messages under way

  void on_poll(int fd, int events) override;
  void on_turn_end() override;
  void on_timer(loop::Timer &timer) override;
  void on_next_turn() override;

  void accept_connections(int listener);
  enum class Kind : uint8_t { Plain, Tls };
  void adopt(Fd fd, Kind kind, const control::HandOver *from);
  void listen();
  // Without listeners it only pulls: rtspDisable. A draining one serves those that it has.
  bool serves_clients() const { return draining_ || !parts_.listeners.empty(); }
  void close_clients();
  void stop_listening();
  void refuse_connection(int fd, Kind kind);
  void drain_doorbell();
  void scan_all_streams();
  uint32_t new_wire_id();

  void on_handed_over(const control::HandOver &message, Fd fd);
  void on_ring_replaced(const control::RingReplaced &message, const Fd &fd);
  void on_kick(const control::Kick &message);
  void on_certificate(control::Certificate &certificate);
  void on_offer(const control::StrayOffer &offer);
  void on_settings(control::Settings settings, std::vector<Fd> &fds);
  Publisher *find_publisher(control::StreamId stream);
  void drain();
  void answer(control::RequestId request, control::Received &received);

  loop::Loop &loop_;
  Supervisor &supervisor_;
  ServerParts parts_;
  shm::TableAllocator allocator_;
  DatagramReceiver datagrams_;
  uint64_t next_connection_ = 1, next_request_ = 1, next_session_ = 1;
  std::vector<int> doorbell_fds_;
  loop::SocketAddress rtp_base_, rtcp_base_;

  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_map<uint32_t, std::unique_ptr<Session>> sessions_; // by wire id
  std::unordered_map<control::StreamId, std::unique_ptr<Stream>> streams_;
  std::unordered_multimap<size_t, control::StreamId> streams_by_ring_;
  std::unordered_map<control::RequestId, uint64_t> asked_; // connection
  std::unordered_map<control::RequestId, control::SessionId> claims_;
  std::unordered_set<control::StreamId> due_rounds_, later_rounds_;
  Multicast multicast_{*this}; // leaves the streams above before they go
  std::vector<std::unique_ptr<Connection>> retired_connections_;
  std::vector<std::unique_ptr<Session>> retired_sessions_;
  std::vector<std::unique_ptr<Stream>> retired_streams_;

  std::unique_ptr<loop::Poll> doorbell_poll_;
  std::vector<std::unique_ptr<loop::Poll>> polls_; // of listeners and UDP bases
  std::unordered_map<int, bool> udp_base_fds_;     // whether it is the one for RTCP
  std::unordered_set<int> tls_listener_fds_;
  StrayDatagrams strays_;
  std::optional<loop::TlsServerContext> tls_; // without it nobody is accepted at TLS listeners
  loop::NextTurn next_turn_;
  std::vector<uint64_t> unread_; // connections that read again in the next turn
  loop::Check turn_end_;
  loop::Timer second_, catch_up_timer_;
  Sources sources_{*this};
  std::vector<uint64_t> stalled_; // connections that wait for the control channel
  size_t max_descriptors_;        // of connections and media sockets
  size_t media_sockets_ = 0;
  bool accepting_ = true, draining_ = false;
  bool accept_failed_ = false; // no descriptors; tried again within a second
  bool had_room_ = true;       // for input buffers, a second ago
};

} // namespace sluice::rtsp
