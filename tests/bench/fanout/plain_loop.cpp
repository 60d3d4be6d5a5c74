#include "tests/bench/fanout/plain_loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace sluice::fanout {
namespace {

constexpr int kTcpSendBuffer = 4 << 20; // a send never has to wait

void sleep_until(Nanoseconds due) {
  timespec at{due / kSecond, due % kSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

void send_run(int fd, uint8_t *data, const Span &span) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(uint16_t))> control{};
  iovec vector{data, span.size};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  uint16_t segment = static_cast<uint16_t>(span.segment);
  std::memcpy(CMSG_DATA(header), &segment, sizeof(segment));
  sendmsg(fd, &message, MSG_NOSIGNAL);
}

void send_round(Replay &replay, const Round &round, const LoopSockets &sockets) {
  for (const TlsPair &reader : sockets.tls)
    for (const Span &span : round.spans)
      SSL_write(reader.server.get(), replay.buffer.data() + span.offset, static_cast<int>(span.size));
  if (!sockets.tls.empty()) return;
  const std::vector<Fd> &senders = sockets.senders;
  for (size_t reader = 0; reader < senders.size(); reader += replay.sockets)
    for (const Span &span : round.spans) {
      uint8_t *data = replay.buffer.data() + span.offset;
      int fd = senders[reader + span.track].get();
      if (span.segment != 0)
        send_run(fd, data, span);
      else
        send(fd, data, span.size, MSG_NOSIGNAL);
    }
}

void send_for_ever(Replay &replay, const LoopSockets &sockets, Nanoseconds start, Nanoseconds lead) {
  std::array<uint16_t, 128> next_sequence{}; // by track; a channel number has 8 bits
  size_t index = 0;
  while (index < replay.rounds.size() && replay.rounds[index].due < replay.length - lead) index++;
  for (Nanoseconds base = start + lead - replay.length;; base += replay.length, index = 0)
    for (; index < replay.rounds.size(); index++) {
      const Round &round = replay.rounds[index];
      sleep_until(base + round.due);
      for (const SequenceField &field : round.sequences)
        store_be16(replay.buffer.data() + field.offset, next_sequence[field.track]++);
      send_round(replay, round, sockets);
    }
}

} // namespace

Result<LoopSockets> tcp_sockets(size_t readers) {
  LoopSockets sockets;
  Fd listener = TRY(tcp_listen());
  uint16_t port = TRY(local_port(listener));
  for (size_t i = 0; i < readers; i++) {
    sockets.receivers.push_back(TRY(tcp_connect(port)));
    Fd sender(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (sender.get() < 0) return os_error("accept");
    int on = 1;
    setsockopt(sender.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUF, &kTcpSendBuffer, sizeof(kTcpSendBuffer));
    sockets.senders.push_back(std::move(sender));
  }
  return sockets;
}

Result<LoopSockets> tls_sockets(size_t readers, const std::string &identity) {
  LoopSockets sockets = TRY(tcp_sockets(readers));
  for (size_t i = 0; i < readers; i++)
    sockets.tls.push_back(TRY(tls_pair(sockets.senders[i], sockets.receivers[i], identity)));
  return sockets;
}

Result<LoopSockets> udp_sockets(size_t readers, size_t sockets_per_reader) {
  LoopSockets sockets;
  for (size_t i = 0; i < readers * sockets_per_reader; i++) {
    UdpPair pair = TRY(udp_pair());
    sockets.senders.push_back(TRY(udp_connect(pair.rtp_port)));
    sockets.receivers.push_back(std::move(pair.rtp));
  }
  return sockets;
}

Result<LoopSockets> multicast_sockets(size_t groups) {
  constexpr uint16_t kPort = 9000;
  LoopSockets sockets;
  for (size_t i = 0; i < groups; i++) {
    std::string group = "239.1.0." + std::to_string(i + 1);
    sockets.receivers.push_back(TRY(multicast_join(group, kPort)));
    sockets.senders.push_back(TRY(multicast_connect(group, kPort)));
  }
  return sockets;
}

Result<Child> start_plain_loop(Replay &replay, const LoopSockets &sockets, Nanoseconds start, Nanoseconds lead) {
  return Child::fork(kServerCore, [&] { send_for_ever(replay, sockets, start, lead); });
}

} // namespace sluice::fanout
