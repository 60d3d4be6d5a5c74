#include "workers/rtsp/datagram_sender.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace sluice::rtsp {

size_t DatagramSender::send(int fd, const DatagramPlan &plan, const DatagramBatch &batch) {
  if (batch.parts == 1 || !segmentation_) return send_singly(fd, plan, batch);
  msghdr message{};
  message.msg_iov = const_cast<iovec *>(&plan.parts[batch.first_part]);
  message.msg_iovlen = batch.parts;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *segment = CMSG_FIRSTHDR(&message);
  segment->cmsg_level = SOL_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  std::memcpy(CMSG_DATA(segment), &batch.segment, sizeof(uint16_t));
  for (int attempt = 0; attempt < 2; attempt++) {
    if (::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
    if (errno == EMSGSIZE || errno == EINVAL || errno == EIO) { // a path of a smaller MTU
      segmentation_ = false;
      return send_singly(fd, plan, batch);
    }
    if (errno != ECONNREFUSED && errno != EINTR) break; // the former reports an earlier datagram
  }
  return batch.parts;
}

size_t DatagramSender::send_singly(int fd, const DatagramPlan &plan, const DatagramBatch &batch) {
  constexpr size_t kAtOnce = 64;
  std::array<mmsghdr, kAtOnce> messages{};
  size_t count = std::min<size_t>(batch.parts, kAtOnce);
  for (size_t i = 0; i < count; i++) {
    messages[i].msg_hdr.msg_iov = const_cast<iovec *>(&plan.parts[batch.first_part + i]);
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  size_t sent = 0;
  for (int failures = 0; sent < count && failures < 2;) {
    int now_sent =
        ::sendmmsg(fd, messages.data() + sent, static_cast<unsigned>(count - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (now_sent > 0)
      sent += static_cast<size_t>(now_sent);
    else if (errno == ECONNREFUSED || errno == EINTR)
      failures++;
    else
      break;
  }
  return batch.parts - sent;
}

} // namespace sluice::rtsp
