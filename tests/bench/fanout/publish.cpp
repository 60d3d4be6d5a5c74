#include "tests/bench/fanout/publish.h"

#include "tests/bench/fanout/rtmp_publisher.h"
#include "tests/bench/fanout/shared_counts.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <queue>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kWarmUp = 4 * kSecond; // two groups of pictures
constexpr const char *kRingMapping = "/memfd:sluice ring";

void sleep_until(Nanoseconds due) {
  timespec at{due / kSecond, due % kSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

std::string path_of(size_t publisher) {
  return "publisher" + std::to_string(publisher);
}

[[noreturn]] void publish_for_ever(std::vector<RtmpPublisher> &publishers, const SharedCounts &sent) {
  using Due = std::pair<Nanoseconds, size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue;
  for (size_t i = 0; i < publishers.size(); i++) queue.emplace(publishers[i].next_due(), i);
  uint64_t messages = 0, bytes = 0;
  while (!queue.empty()) {
    auto [due, index] = queue.top();
    queue.pop();
    sleep_until(due);
    RtmpPublisher &publisher = publishers[index];
    uint64_t messages_before = publisher.messages(), bytes_before = publisher.bytes();
    bool alive = publisher.send_due(monotonic_now()).has_value();
    messages += publisher.messages() - messages_before;
    bytes += publisher.bytes() - bytes_before;
    sent.set(messages, bytes);
    if (alive)
      queue.emplace(publisher.next_due(), index);
    else
      sent.count_cut_off();
  }
  _exit(1);
}

// Whether each of them can be described.
Result<void> check_streams(const Server &server, size_t publishers) {
  for (size_t i = 0; i < publishers; i++) {
    RtspClient client = TRY(RtspClient::open(server.port, path_of(i)));
    TRY(client.succeed("DESCRIBE", client.url()));
  }
  return {};
}

} // namespace

Result<Publishing> measure_publishing(const Paths &paths, size_t count, Nanoseconds length) {
  ServerOptions options{.name = "publish", .rtmp = true};
  Server server = TRY(start_server(paths, options));
  pid_t pid = server.process.pid();
  auto before_any = static_cast<double>(TRY(proportional_set_size(pid)));
  std::vector<RtmpPublisher> publishers;
  Nanoseconds group = kRtmpPace.video_interval * kRtmpPace.key_frame_interval, begin = monotonic_now();
  for (size_t i = 0; i < count; i++) {
    Nanoseconds start = begin + group * static_cast<int64_t>(i) / static_cast<int64_t>(count);
    publishers.push_back(TRY(RtmpPublisher::open(server.rtmp_port, path_of(i), kRtmpPace, start)));
  }
  SharedCounts sent = TRY(SharedCounts::create());
  Child process = TRY(Child::fork(kClientCore, [&] { publish_for_ever(publishers, sent); }));
  sleep_until(monotonic_now() + kWarmUp);
  if (sent.cut_off() > 0)
    return Error{fmt::format("{} publishers were cut off, see {}", sent.cut_off(), log_of(paths, options))};
  TRY(check_streams(server, count));

  Publishing publishing;
  CpuSeconds cpu_before = cpu_seconds(pid);
  double core_before = core_busy_seconds(kServerCore), client_core_before = core_busy_seconds(kClientCore);
  auto messages_before = static_cast<double>(sent.packets()), bytes_before = static_cast<double>(sent.bytes());
  begin = monotonic_now();
  sleep_until(begin + length);
  publishing.cpu = cpu_between(cpu_before, cpu_seconds(pid));
  publishing.seconds = static_cast<double>(monotonic_now() - begin) / kSecond;
  publishing.core_busy = core_busy_seconds(kServerCore) - core_before;
  publishing.client_core_busy = core_busy_seconds(kClientCore) - client_core_before;
  publishing.messages = static_cast<double>(sent.packets()) - messages_before;
  publishing.bytes = static_cast<double>(sent.bytes()) - bytes_before;
  publishing.cut_off = sent.cut_off();
  if (!process.running()) return Error{"all publishers were cut off, see " + log_of(paths, options)};
  publishing.ring_bytes = static_cast<double>(TRY(proportional_set_size_of(pid, kRingMapping)));
  publishing.other_bytes = static_cast<double>(TRY(proportional_set_size(pid))) - before_any - publishing.ring_bytes;
  return publishing;
}

} // namespace sluice::fanout
