#include "tests/bench/fanout/latency.h"

#include "tests/bench/fanout/interleaved.h"
#include "tests/bench/fanout/rtmp_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kWarmUp = 2 * kSecond, kRtmpWarmUp = 2 * kWarmUp; // RTMP begins with a key frame
constexpr size_t kMaxSamples = 10'000'000;

struct PacedReader {
  int fd() const { return rtmp ? rtmp->fd() : rtsp->client.fd(); }

  std::optional<Reader> rtsp; // or
  std::optional<RtmpClient> rtmp;
  InterleavedParser parser; // of RTSP
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

  Result<void> add(PacedReader reader, const std::string &path) {
    readers_.push_back(std::make_unique<PacedReader>(std::move(reader)));
    PacedReader &added = *readers_.back();
    TRY(added.rtmp ? added.rtmp->play(path) : play(*added.rtsp));
    return watch(added.fd(), &added);
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
    ssize_t got = recv(reader.fd(), chunk_.data(), chunk_.size(), MSG_DONTWAIT);
    Nanoseconds now = monotonic_now();
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got <= 0) return Error{"the server closed a reader"};
    Bytes received = Bytes(chunk_).first(static_cast<size_t>(got));
    bool intact;
    if (reader.rtmp)
      intact = reader.rtmp->parser().feed(received, [&](const rtmp::Message &message, Bytes) {
        bool video = message.type == rtmp::MessageType::Video;
        if (video || message.type == rtmp::MessageType::Audio) collect(video, message.payload, now);
      });
    else
      intact = reader.parser.feed(received, [&](uint8_t channel, Bytes packet) {
        if (channel % 2 == 0 && rtp_marker(packet)) collect(channel == 0, packet, now);
      });
    if (!intact) return Error{"broken framing"};
    return {};
  }

  // What ends with the time of its sending.
  void collect(bool video, Bytes bytes, Nanoseconds now) {
    if (!collecting_) return;
    std::vector<Nanoseconds> &samples = video ? video_ : audio_;
    auto sent = time_in(bytes);
    if (sent && samples.size() < kMaxSamples) samples.push_back(now - *sent);
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

Result<PacedStream> measure_paced_stream(const Paths &paths, const Pace &pace, size_t readers, Nanoseconds length,
                                         Transport transport) {
  const std::string path = "paced";
  bool over_rtmp = transport == Transport::kRtmp;
  Server server = TRY(start_server(paths, {.rtmp = over_rtmp}));
  SyntheticPublisher publisher = TRY(SyntheticPublisher::open(server.port, path, pace, monotonic_now()));
  PacedRun run = TRY(PacedRun::create(std::move(publisher)));
  TRY(run.run_until(0));
  std::vector<PacedReader> connected;
  for (size_t i = 0; i < readers; i++) {
    PacedReader &reader = connected.emplace_back();
    if (over_rtmp)
      reader.rtmp = TRY(RtmpClient::open(server.rtmp_port));
    else
      reader.rtsp = TRY(set_up_reader(server.port, path, transport));
    TRY(run.run_until(0));
  }
  for (PacedReader &reader : connected) TRY(run.add(std::move(reader), path));
  TRY(run.run_until(monotonic_now() + (over_rtmp ? kRtmpWarmUp : kWarmUp)));

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
