// Sends a plan's packets on connected UDP sockets: a batch with one system call (UDP_SEGMENT), or, where the way to the
// receiver does not allow it, packet by packet.
#pragma once

#include "workers/rtsp/datagram_plan.h"

namespace sluice::rtsp {

class DatagramSender {
public:
  // How many of the batch's packets were not sent: there is no room, or no way.
  size_t send(int fd, const DatagramPlan &plan, const DatagramBatch &batch);

private:
  static size_t send_singly(int fd, const DatagramPlan &plan, const DatagramBatch &batch);

  bool segmentation_ = true; // UDP_SEGMENT works for this receiver
};

} // namespace sluice::rtsp
