#include "workers/rtsp/datagram_receiver.h"

#include <cerrno>

namespace sluice::rtsp {

DatagramReceiver::DatagramReceiver() {
  for (size_t i = 0; i < kAtOnce; i++) {
    parts_[i] = {buffers_[i].data(), kMaxBytes};
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &senders_[i];
  }
}

DatagramReceiver::Batch DatagramReceiver::receive(int fd, socklen_t name_bytes) {
  for (mmsghdr &message : messages_) message.msg_hdr.msg_namelen = name_bytes;
  int count = ::recvmmsg(fd, messages_.data(), kAtOnce, MSG_DONTWAIT, nullptr);
  if (count < 0) return {{}, {}, errno == ECONNREFUSED || errno == EINTR}; // the former tells of a datagram of ours
  size_t kept = 0;
  for (size_t i = 0; i < static_cast<size_t>(count); i++) {
    if ((messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) continue;
    senders_[kept] = senders_[i];
    datagrams_[kept++] = Bytes(buffers_[i]).first(messages_[i].msg_len);
  }
  return {std::span(datagrams_).first(kept), std::span(senders_).first(name_bytes > 0 ? kept : 0),
          static_cast<size_t>(count) == kAtOnce};
}

} // namespace sluice::rtsp
