// One RTSP session: a publisher or a reader of a path, over its connection (TCP), over connected UDP sockets or by
// multicast; the latter two outlive the connection. Its state stands in the session table. Owned by the Server.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "ipc/control/messages.h"
#include "ipc/shm/session_table.h"
#include "workers/rtsp/beginning.h"
#include "workers/rtsp/moved_sender.h"
#include "workers/rtsp/multicast.h"
#include "workers/rtsp/protocol/machine.h"
#include "workers/rtsp/publisher.h"
#include "workers/rtsp/reader.h"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace sluice::rtsp {

class Connection;
class Server;

class Session final : public loop::Poll::Listener, public Publisher::Listener {
public:
  // `local`: address of the connection that makes it, and whose client it is.
  Session(Server &server, shm::SessionRecord &record, const loop::SocketAddress &local, const Connection &connection);
  ~Session() override;

  control::SessionId id() const { return record_.id; }
  uint32_t wire_id() { return state().wire_id; }
  uint32_t log_id() const { return record_.log_id; }
  const char *label() const { return tls_ ? "RTSPS" : "RTSP"; } // of its log lines
  SessionState &state() { return *reinterpret_cast<SessionState *>(record_.protocol_state); }
  shm::SessionRecord &record() { return record_; }
  Stream *stream() { return stream_; }
  // Of an interleaved session that plays or records; null otherwise.
  Connection *media_connection();

  void keep_alive(Nanoseconds now) { record_.last_active_ns.store(now, std::memory_order_relaxed); }
  void on_second(Nanoseconds now);

  // The client's addresses of a track, as the supervisor is to know them; then its sockets. Error texts are the
  // client's.
  control::Claim claim_of(const PortPair &client, std::string path, bool publishes) const;
  enum class Direction { Play, Record };
  Result<void> open_udp(uint32_t track, const PortPair &client, Direction direction);

  // A reader's part in its stream's groups: what to ask for, and the answer.
  Result<control::JoinMulticast> join_of();
  Result<void> join(const control::MulticastGranted &granted);
  // Of a track; null unless the session has joined.
  const MulticastGroup *group_of(uint32_t track);

  Result<void> granted_publish(const control::PublishGranted &granted, const std::vector<Fd> &rings,
                               const media::StreamDescription &description);
  // Takes the session's place in the stream over, also on failure.
  Result<void> granted_read(Stream &stream, bool from_key_frame);
  size_t track_count() const { return description_.tracks.size(); }
  void schedule_round();
  void schedule_round_later(); // soon enough for what is held back
  Nanoseconds now() const;
  Publisher *publisher() { return publisher_.get(); }
  Reader *reader() { return reader_.get(); }

  Start choose_start();
  void prepare_play(); // before rtp_info()
  std::vector<RtpInfo> rtp_info(Nanoseconds now);
  std::optional<uint32_t> ssrc_of(uint32_t track) const;
  void enter_play(); // from here on the stream's packets are this reader's, so before the reply to PLAY is sent
  void start_play(); // the reply is queued
  void pause_play();
  void stop_play();
  void start_record();
  void stop_record();

  // A frame of the interleaved connection. Error: the connection must close.
  Result<void> on_frame(uint8_t channel, Bytes payload, Nanoseconds now, Nanoseconds wall);
  void on_input_end(uint64_t input_position, Nanoseconds now);
  // Datagrams that may be its client's, from another port than it named; then whether that address is its own.
  void on_offer(const control::StrayOffer &offer);
  void on_claimed(bool granted);

  // What the stream still holds for a reader, as far as it takes it at once.
  void deliver_rest();
  void warn_too_slow();
  // Like close(), but if the stream is over and a reader gets the rest of it with time, after that.
  void close_after_rest(const std::string &reason);
  void finish(); // the rest was sent
  // Ends it; an interleaved session's connection is closed too, unless it asks itself.
  void close(const std::string &reason, const Connection *except = nullptr);

private:
  void on_poll(int fd, int events) override;
  void on_uncongested() override;
  void on_receiver_report(uint32_t track, Bytes rtcp) override;
  Result<void> on_report(uint32_t track, Bytes rtcp, Nanoseconds now);
  void note_malformed(const Error &error);
  void receive_datagrams(size_t socket);
  bool on_datagram(size_t socket, Bytes datagram, Nanoseconds now, Nanoseconds wall);
  void punch_holes();
  void send_rtcp(uint32_t track, Bytes rtcp);
  void send_initial_reports(Nanoseconds now);
  void log_losses();
  void close_sockets();
  void note_foreign_payload();
  void note_heard_all();
  Result<void> move_socket(size_t socket, uint16_t port);
  shm::Carrier carrier();
  std::string media_text(); // "2 tracks with UDP"
  bool over_udp() { return state().transport == TransportKind::Udp; }
  bool by_multicast() { return state().transport == TransportKind::Multicast; }

  Server &server_;
  shm::SessionRecord &record_;
  loop::SocketAddress local_, peer_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Reader> reader_;
  Stream *stream_ = nullptr; // that is read
  bool from_key_frame_ = false;
  std::optional<Start> start_;         // of the PLAY that is being answered
  std::optional<Beginning> beginning_; // likewise, at a random access point
  std::string finish_reason_;
  media::StreamDescription description_;
  std::vector<std::unique_ptr<loop::Poll>> polls_;
  const bool tls_;
  std::vector<MulticastGroup> groups_; // of each track, once it has joined
  uint32_t interface_ = 0;             // that it has asked for them on
  std::optional<MulticastSeat> seat_;
  bool closed_ = false;
  bool foreign_payload_noted_ = false, heard_all_noted_ = false;

  struct Move {
    size_t socket;
    uint16_t port;
  };
  // Where what is published over UDP comes from. Readers, of whom there are many, have none.
  struct UdpInput {
    MovedSender moved_sender;
    std::array<Nanoseconds, shm::kMaxMediaSockets> heard{}; // when each socket brought something of use last
    std::vector<uint16_t> left_ports;                       // claimed, and moved from
    std::optional<Move> move;                               // the supervisor was asked for the address
  };
  std::unique_ptr<UdpInput> udp_input_;
};

} // namespace sluice::rtsp
