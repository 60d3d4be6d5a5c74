// What a worker does about multicast: sends the streams that it is told to send, and listens for the reports of its own
// sessions' clients. Owned by the Server.
#pragma once

#include "workers/rtsp/multicast_reports.h"
#include "workers/rtsp/multicast_sender.h"

#include <unordered_map>

namespace sluice::rtsp {

// A session's part in the groups of its stream.
struct MulticastSeat {
  control::StreamId stream = 0;
  uint32_t interface = 0;
  loop::SocketAddress client;
};

class Multicast {
public:
  explicit Multicast(Server &server) : server_(server) {}

  void on_message(const control::SendMulticast &message, int ring_fd);
  void on_message(const control::StopMulticast &message);
  void on_second(Nanoseconds now);

  // The interface that a client is reached by whose RTSP connection came in at this address. Error: none.
  Result<uint32_t> interface_of(const loop::SocketAddress &local) const;
  // A session's client is to be heard, until leave().
  Result<void> join(const MulticastSeat &seat, const control::MulticastGranted &granted);
  void leave(const MulticastSeat &seat);
  Nanoseconds heard(const MulticastSeat &seat) const;

private:
  Result<void> send(const control::SendMulticast &message, int ring_fd);

  Server &server_;
  std::unordered_map<control::StreamId, std::unique_ptr<MulticastSender>> senders_;
  std::unordered_map<control::StreamId, std::unique_ptr<MulticastReports>> reports_;
};

} // namespace sluice::rtsp
