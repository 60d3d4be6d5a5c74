// Sends one stream to its multicast groups, each packet once on each interface: follows the ring as a reader does and
// starts live. It alone does so for the stream, in all of the server. Owned by the worker's Multicast.
#pragma once

#include "common/loop/socket.h"
#include "workers/base/stream.h"
#include "workers/base/stream_reader.h"
#include "workers/rtsp/datagram_sender.h"

#include <vector>

namespace sluice::rtsp {

class Server;

class MulticastSender final : public StreamReader {
public:
  // Of both the stream outlives it.
  MulticastSender(Server &server, Stream &stream);
  ~MulticastSender();
  MulticastSender(const MulticastSender &) = delete;
  MulticastSender &operator=(const MulticastSender &) = delete;

  // Groups, ports and TTL are those of the first time; interfaces may change. Somebody may have joined, who waits for a
  // sender report. Error: not the groups of this stream.
  Result<void> follow(const control::SendMulticast &wanted, Nanoseconds now);
  void on_second(Nanoseconds now);
  // What the stream still holds, before it is destroyed.
  void finish();

  Stream &stream() { return stream_; }

  void start(const Start &start) override;
  void serve() override;
  bool blocked() const override { return false; }
  void watch() override {}
  const Generation *generation() const override { return generation_; }

private:
  enum class Progress : uint8_t { More, UpToDate };

  // The sockets of one interface: track i's RTP at 2i, RTCP at 2i+1.
  struct Outlet {
    uint32_t interface = 0;
    std::vector<Fd> sockets;
    DatagramSender sender;
  };

  bool places_itself();
  void open_missing_outlets();
  Result<Outlet> open_outlet(uint32_t interface) const;
  void close_outlet(Outlet &outlet);
  Progress serve_span(const ring::Span &span);
  Progress send(const ring::Span &span);
  void skip_to_random_access();
  void send_reports(Nanoseconds now);
  void tell_losses(Nanoseconds now);

  Server &server_;
  Stream &stream_;
  std::vector<loop::SocketAddress> groups_; // as the sockets: RTP and RTCP of each track
  uint8_t ttl_ = 0;
  std::vector<uint32_t> interfaces_; // that there are to be outlets for
  std::vector<Outlet> outlets_;
  media::StreamDescription description_;
  Generation *generation_ = nullptr;
  uint64_t cursor_ = 0;
  bool placed_ = true; // the cursor means something
  bool reports_due_ = false, complained_ = false;
  Nanoseconds reported_at_ = 0, losses_told_at_ = 0;
  uint64_t lost_ = 0; // packets, not told yet
};

} // namespace sluice::rtsp
