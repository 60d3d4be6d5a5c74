#include "tests/bench/fanout/sink.h"

#include "tests/bench/fanout/tls.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace sluice::fanout {
namespace {

constexpr size_t kDatagramsPerCall = 64;
constexpr std::string_view kSuccess = "RTSP/1.0 200";

} // namespace

Result<Sink> Sink::create(size_t checked_one_in) {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (epoll.get() < 0) return os_error("epoll_create1");
  return Sink(std::move(epoll), checked_one_in);
}

Result<void> Sink::add_tcp(int fd, bool expects_reply) {
  Kind kind = streams_++ % checked_one_in_ == 0 ? Kind::kParsed : Kind::kDiscarded;
  return add({fd, kind, expects_reply});
}

Result<void> Sink::add_tls(const Fd &socket, SSL *tls) {
  bool parsed = streams_++ % checked_one_in_ == 0;
  if (parsed) TRY(set_blocking(socket, false));
  return add({socket.get(), parsed ? Kind::kParsedTls : Kind::kDiscarded, false, tls});
}

Result<void> Sink::add_rtmp(int fd, RtmpParser parser) {
  Receiver receiver{fd, streams_++ % checked_one_in_ == 0 ? Kind::kParsedRtmp : Kind::kDiscarded};
  receiver.rtmp_parser = std::move(parser);
  return add(std::move(receiver));
}

Result<void> Sink::add_udp(int rtp_fd) {
  return add({rtp_fd, Kind::kUdp});
}

Result<void> Sink::add_uncounted(int fd, bool stream) {
  return add({fd, stream ? Kind::kUncountedStream : Kind::kUncountedDatagrams, stream});
}

Result<void> Sink::add(Receiver receiver) {
  receivers_.push_back(std::make_unique<Receiver>(std::move(receiver)));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = receivers_.back().get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, receivers_.back()->fd, &event) != 0) return os_error("epoll_ctl");
  return {};
}

void Sink::run_until(Nanoseconds end) {
  std::array<epoll_event, 1024> events;
  Nanoseconds left = 0;
  do {
    left = end - monotonic_now();
    int timeout_ms = left <= 0 ? 0 : static_cast<int>(std::min<Nanoseconds>(left / kMillisecond + 1, 1000));
    int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
    for (int i = 0; i < count; i++) receive(*static_cast<Receiver *>(events[static_cast<size_t>(i)].data.ptr));
  } while (left > 0);
}

void Sink::receive(Receiver &receiver) {
  switch (receiver.kind) {
  case Kind::kDiscarded:
  case Kind::kParsed:
  case Kind::kParsedRtmp:
  case Kind::kUncountedStream:
    return receive_stream(receiver);
  case Kind::kParsedTls:
    return receive_records(receiver);
  case Kind::kUdp:
  case Kind::kUncountedDatagrams:
    return receive_datagrams(receiver);
  }
}

void Sink::receive_stream(Receiver &receiver) {
  bool parsed = receiver.kind == Kind::kParsed || receiver.kind == Kind::kParsedRtmp;
  bool discards = !parsed && !receiver.expects_reply;
  // MSG_TRUNC on a TCP socket discards without a copy.
  ssize_t got = recv(receiver.fd, discards ? nullptr : scrap_.data(), discards ? 16 << 20 : scrap_.size(),
                     MSG_DONTWAIT | (discards ? MSG_TRUNC : 0));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return drop(receiver);
  Bytes received = discards ? Bytes() : Bytes(scrap_).first(static_cast<size_t>(got));
  if (std::exchange(receiver.expects_reply, false) && !as_text(received).starts_with(kSuccess)) return drop(receiver);
  if (receiver.kind != Kind::kUncountedStream) bytes_ += static_cast<uint64_t>(got);
  if (receiver.kind == Kind::kParsed) parse(receiver, received);
  if (receiver.kind == Kind::kParsedRtmp) parse_rtmp(receiver, received);
}

void Sink::receive_records(Receiver &receiver) {
  uint64_t before = BIO_number_read(SSL_get_rbio(receiver.tls));
  int got = 1;
  while (got > 0) {
    got = SSL_read(receiver.tls, scrap_.data(), static_cast<int>(scrap_.size()));
    if (got > 0) parse(receiver, Bytes(scrap_).first(static_cast<size_t>(got)));
  }
  bytes_ += BIO_number_read(SSL_get_rbio(receiver.tls)) - before;
  if (SSL_get_error(receiver.tls, got) != SSL_ERROR_WANT_READ) drop(receiver);
}

void Sink::parse(Receiver &receiver, Bytes received) {
  bool intact = receiver.parser.feed(received, [&](uint8_t channel, Bytes packet) {
    size_t track = channel / size_t{2};
    if (channel % 2 == 0 && track < std::size(receiver.tracks)) receiver.tracks[track].on_packet(packet);
  });
  if (!intact) drop(receiver);
}

void Sink::parse_rtmp(Receiver &receiver, Bytes received) {
  bool intact = receiver.rtmp_parser.feed(
      received, [&](const rtmp::Message &message, Bytes) { receiver.timestamps.on_message(message); });
  if (!intact) drop(receiver);
}

void Sink::receive_datagrams(Receiver &receiver) {
  struct Batch {
    std::array<mmsghdr, kDatagramsPerCall> messages{};
    std::array<iovec, kDatagramsPerCall> vectors{};
    std::array<std::array<uint8_t, kRtpHeaderSize>, kDatagramsPerCall> heads{};
    Batch() {
      for (size_t i = 0; i < kDatagramsPerCall; i++) {
        vectors[i] = {heads[i].data(), heads[i].size()};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
    }
  };
  static Batch batch;
  int count = recvmmsg(receiver.fd, batch.messages.data(), kDatagramsPerCall, MSG_TRUNC | MSG_DONTWAIT, nullptr);
  if (receiver.kind != Kind::kUdp) return;
  for (int i = 0; i < count; i++) {
    bytes_ += batch.messages[static_cast<size_t>(i)].msg_len;
    receiver.tracks[0].on_packet(batch.heads[static_cast<size_t>(i)]);
  }
}

void Sink::drop(Receiver &receiver) {
  broken_++;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, receiver.fd, nullptr);
}

SinkTotals Sink::totals() const {
  SinkTotals totals;
  totals.bytes = bytes_;
  totals.broken = broken_;
  for (const auto &receiver : receivers_) {
    totals.checked_packets += receiver->timestamps.messages;
    totals.lost += receiver->timestamps.lost;
    totals.disordered += receiver->timestamps.disordered;
    for (const SequenceCheck &track : receiver->tracks) {
      totals.checked_packets += track.packets;
      totals.lost += track.lost;
      totals.disordered += track.disordered;
    }
  }
  return totals;
}

} // namespace sluice::fanout
