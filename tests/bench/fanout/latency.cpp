#include "tests/bench/fanout/latency.h"

#include "tests/bench/fanout/interleaved.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kWarmUp = 2 * kSecond;
constexpr size_t kMaxSamples = 10'000'000;

struct PacedReader {
  explicit PacedReader(Reader reader) : session(std::move(reader)) {}

  Reader session;
  InterleavedParser parser;
};

// One thread: the publisher's packets at their times, the readers in between.
class PacedRun {
public:
  static Result<PacedRun> create(SyntheticPublisher publisher) {
    Fd epoll(epoll_create1(EPOLL_CLOEXEC));
    Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (epoll.get() < 0 || timer.get() < 0) return os_error("epoll_create1 or timerfd_create");
    PacedRun run(std::move(publisher), std::move(epoll), std::move(timer));
    TRY(run.watch(run.timer_.get(), nullptr));
    return run;
  }

  Result<void> add(Reader reader) {
    readers_.push_back(std::make_unique<PacedReader>(std::move(reader)));
    TRY(play(readers_.back()->session));
    return watch(readers_.back()->session.client.fd(), readers_.back().get());
  }

  // One round at the least, also when `end` has passed.
  Result<void> run_until(Nanoseconds end) {
    Nanoseconds now = 0;
    do {
      TRY(publisher_.send_due(monotonic_now()));
      Nanoseconds due = std::min(publisher_.next_due(), end);
      itimerspec at{{}, {due / kSecond, due % kSecond + (due == 0 ? 1 : 0)}};
      timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
      std::array<epoll_event, 256> events;
      int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 1000);
      for (int i = 0; i < count; i++)
        if (void *reader = events[static_cast<size_t>(i)].data.ptr) TRY(receive(*static_cast<PacedReader *>(reader)));
      now = monotonic_now();
    } while (now < end);
    return {};
  }

  void begin_collecting() { collecting_ = true; }
  std::vector<Nanoseconds> &video() { return video_; }
  std::vector<Nanoseconds> &audio() { return audio_; }

private:
  PacedRun(SyntheticPublisher publisher, Fd epoll, Fd timer)
      : publisher_(std::move(publisher)), epoll_(std::move(epoll)), timer_(std::move(timer)), chunk_(256 << 10) {}

  Result<void> watch(int fd, PacedReader *reader) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = reader;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return os_error("epoll_ctl");
    return {};
  }

  Result<void> receive(PacedReader &reader) {
    ssize_t got = recv(reader.session.client.fd(), chunk_.data(), chunk_.size(), MSG_DONTWAIT);
    Nanoseconds now = monotonic_now();
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got <= 0) return Error{"the server closed a reader"};
    bool intact = reader.parser.feed(Bytes(chunk_).first(static_cast<size_t>(got)), [&](uint8_t channel, Bytes packet) {
      if (!collecting_ || channel % 2 == 1 || !rtp_marker(packet)) return;
      std::vector<Nanoseconds> &samples = channel == 0 ? video_ : audio_;
      auto sent = time_in(packet);
      if (sent && samples.size() < kMaxSamples) samples.push_back(now - *sent);
    });
    if (!intact) return Error{"broken interleaved framing"};
    return {};
  }

  SyntheticPublisher publisher_;
  Fd epoll_;
  Fd timer_; // due: the publisher's next packet, or the end
  ByteVector chunk_;
  std::vector<std::unique_ptr<PacedReader>> readers_;
  bool collecting_ = false;
  std::vector<Nanoseconds> video_;
  std::vector<Nanoseconds> audio_;
};

Distribution distribution_of(std::vector<Nanoseconds> &samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  return {samples.size(), samples[samples.size() / 2], samples[samples.size() * 99 / 100]};
}

} // namespace

Result<PacedStream> measure_paced_stream(const Paths &paths, const Pace &pace, size_t readers, Nanoseconds length) {
  const std::string path = "paced";
  Server server = TRY(start_server(paths));
  SyntheticPublisher publisher = TRY(SyntheticPublisher::open(server.port, path, pace, monotonic_now()));
  PacedRun run = TRY(PacedRun::create(std::move(publisher)));
  TRY(run.run_until(0));
  std::vector<Reader> connected;
  for (size_t i = 0; i < readers; i++) {
    connected.push_back(TRY(set_up_reader(server.port, path, Transport::kTcp)));
    TRY(run.run_until(0));
  }
  for (Reader &reader : connected) TRY(run.add(std::move(reader)));
  TRY(run.run_until(monotonic_now() + kWarmUp));

  run.begin_collecting();
  Nanoseconds begin = monotonic_now();
  CpuSeconds before = cpu_seconds(server.process.pid());
  TRY(run.run_until(begin + length));
  CpuSeconds after = cpu_seconds(server.process.pid());
  double seconds = static_cast<double>(monotonic_now() - begin) / kSecond;

  PacedStream measured{distribution_of(run.video()), distribution_of(run.audio()), 0};
  measured.server_share = cpu_between(before, after) / seconds;
  if (measured.video.samples == 0) return Error{"no access unit of the synthetic stream arrived"};
  return measured;
}

} // namespace sluice::fanout
