#include "tests/bench/fanout/receiving_loop.h"

#include "common/base/bytes.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string_view>

namespace sluice::fanout {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kFrameHeaderBytes = 4;
constexpr size_t kDatagrams = 32; // a call
constexpr size_t kDatagramBytes = 2048;
constexpr std::string_view kSuccess = "RTSP/1.0 200";

struct Stream {
  int fd;
  bool datagrams;
  ByteVector rest; // the begin of a frame
};

class Loop {
public:
  explicit Loop(const SharedCounts &counts)
      : counts_(counts), buffer_(kBufferBytes), batch_(std::make_unique<Batch>()) {
    for (size_t i = 0; i < kDatagrams; i++) {
      batch_->vectors[i] = {buffer_.data() + i * kDatagramBytes, kDatagramBytes};
      batch_->messages[i].msg_hdr.msg_iov = &batch_->vectors[i];
      batch_->messages[i].msg_hdr.msg_iovlen = 1;
    }
  }

  Result<void> add(int fd, bool datagrams) {
    streams_.push_back(std::make_unique<Stream>(Stream{fd, datagrams, {}}));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = streams_.back().get();
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return os_error("epoll_ctl");
    return {};
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 1024> events;
    for (;;) {
      int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; i++) {
        auto &stream = *static_cast<Stream *>(events[static_cast<size_t>(i)].data.ptr);
        if (stream.datagrams ? receive_datagrams(stream) : receive_stream(stream)) continue;
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, stream.fd, nullptr);
        counts_.count_cut_off();
      }
      counts_.set(packets_, bytes_);
    }
  }

private:
  struct Batch {
    std::array<mmsghdr, kDatagrams> messages{};
    std::array<iovec, kDatagrams> vectors{};
  };

  bool receive_stream(Stream &stream) {
    std::memcpy(buffer_.data(), stream.rest.data(), stream.rest.size());
    ssize_t got =
        recv(stream.fd, buffer_.data() + stream.rest.size(), buffer_.size() - stream.rest.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    Bytes input = Bytes(buffer_).first(stream.rest.size() + static_cast<size_t>(got));
    while (input.size() >= kFrameHeaderBytes) {
      size_t size = kFrameHeaderBytes + load_be16(input.data() + 2);
      if (input[0] != '$') { // the reply to PLAY
        size_t end = as_text(input).find("\r\n\r\n");
        if (!as_text(input).starts_with(kSuccess) || end == std::string_view::npos) return false;
        input = input.subspan(end + 4);
        continue;
      }
      if (size > input.size()) break;
      packets_++;
      bytes_ += size;
      input = input.subspan(size);
    }
    stream.rest.assign(input.begin(), input.end());
    return true;
  }

  bool receive_datagrams(Stream &stream) {
    int count = recvmmsg(stream.fd, batch_->messages.data(), kDatagrams, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; i++) bytes_ += batch_->messages[static_cast<size_t>(i)].msg_len;
    packets_ += count > 0 ? static_cast<uint64_t>(count) : 0;
    return true;
  }

  const SharedCounts &counts_;
  Fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<std::unique_ptr<Stream>> streams_;
  ByteVector buffer_;
  std::unique_ptr<Batch> batch_;
  uint64_t packets_ = 0, bytes_ = 0;
};

} // namespace

Result<ReceivingLoop> start_receiving_loop(const std::vector<Reader> &readers) {
  SharedCounts received = TRY(SharedCounts::create());
  Loop loop(received);
  for (const Reader &reader : readers) {
    TRY(loop.add(reader.client.fd(), false));
    for (const UdpPair &pair : reader.udp) {
      TRY(loop.add(pair.rtp.get(), true));
      TRY(loop.add(pair.rtcp.get(), true));
    }
  }
  Child process = TRY(Child::fork(kServerCore, [&] { loop.run(); }));
  return ReceivingLoop{std::move(process), std::move(received)};
}

} // namespace sluice::fanout
