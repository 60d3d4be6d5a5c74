// Discards what many readers receive, in this process, and counts it. Of TCP readers some are read in full to check
// their framing and sequence numbers or timestamps, the others leave their bytes in the kernel; of UDP readers all RTP
// headers are checked.
#pragma once

#include "common/base/time.h"
#include "tests/bench/fanout/interleaved.h"
#include "tests/bench/fanout/rtmp_client.h"
#include "tests/bench/fanout/socket.h"

#include <openssl/types.h>

#include <memory>
#include <vector>

namespace sluice::fanout {

struct SinkTotals {
  uint64_t bytes = 0;
  uint64_t checked_packets = 0;
  uint64_t lost = 0;       // sequence numbers that were skipped
  uint64_t disordered = 0; // or repeated
  uint64_t broken = 0;     // readers that were closed, refused or got broken framing
};

class Sink {
public:
  // Of TCP readers one in `checked_one_in` is read in full.
  static Result<Sink> create(size_t checked_one_in = 50);

  // The descriptors must stay open while the sink runs. `expects_reply`: that of PLAY comes first.
  Result<void> add_tcp(int fd, bool expects_reply);
  // The bytes of records count; `tls` must stay, too. Its socket becomes non-blocking if it is read in full.
  Result<void> add_tls(const Fd &socket, SSL *tls);
  // The parser has had what came so far.
  Result<void> add_rtmp(int fd, RtmpParser parser);
  Result<void> add_udp(int rtp_fd);
  // A connection or socket whose bytes do not count; a reply other than 200 breaks its reader.
  Result<void> add_uncounted(int fd, bool stream);

  // One round at the least, also when `end` has passed.
  void run_until(Nanoseconds end);
  SinkTotals totals() const;

private:
  enum class Kind { kDiscarded, kParsed, kParsedTls, kParsedRtmp, kUdp, kUncountedStream, kUncountedDatagrams };
  struct Receiver {
    int fd;
    Kind kind;
    bool expects_reply = false;
    SSL *tls = nullptr;
    InterleavedParser parser{};
    SequenceCheck tracks[4]{}; // as many as a reader sets up at most
    RtmpParser rtmp_parser{};
    TimestampCheck timestamps{};
  };

  Sink(Fd epoll, size_t checked_one_in)
      : epoll_(std::move(epoll)), checked_one_in_(checked_one_in), scrap_(256 << 10) {}
  Result<void> add(Receiver receiver);
  void receive(Receiver &receiver);
  void receive_stream(Receiver &receiver);
  void receive_records(Receiver &receiver);
  void parse(Receiver &receiver, Bytes received);
  void parse_rtmp(Receiver &receiver, Bytes received);
  void receive_datagrams(Receiver &receiver);
  void drop(Receiver &receiver);

  Fd epoll_;
  size_t checked_one_in_;
  ByteVector scrap_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  size_t streams_ = 0;
  uint64_t bytes_ = 0;
  uint64_t broken_ = 0;
};

} // namespace sluice::fanout
