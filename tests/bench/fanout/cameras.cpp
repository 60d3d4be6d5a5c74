#include "tests/bench/fanout/cameras.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace sluice::fanout {
namespace {

void sleep_until(Nanoseconds due) {
  timespec at{due / kSecond, due % kSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

[[noreturn]] void publish_for_ever(std::vector<SyntheticPublisher> &publishers, const SharedCounts &sent) {
  for (;;) {
    Nanoseconds due = publishers.front().next_due();
    for (const SyntheticPublisher &publisher : publishers) due = std::min(due, publisher.next_due());
    sleep_until(due);
    Nanoseconds now = monotonic_now();
    uint64_t packets = 0, bytes = 0;
    for (SyntheticPublisher &publisher : publishers) {
      if (!publisher.send_due(now)) _exit(1);
      packets += publisher.packets();
      bytes += publisher.bytes();
    }
    sent.set(packets, bytes);
  }
}

} // namespace

std::string camera_path(size_t camera) {
  return "cam" + std::to_string(camera);
}

Result<Cameras> start_cameras(uint16_t port, size_t cameras, const Pace &pace) {
  SharedCounts sent = TRY(SharedCounts::create());
  std::vector<SyntheticPublisher> publishers;
  Nanoseconds group = pace.video_interval * pace.key_frame_interval;
  Nanoseconds begin = monotonic_now();
  for (size_t i = 0; i < cameras; i++) {
    Nanoseconds start = begin + group * static_cast<int64_t>(i) / static_cast<int64_t>(cameras);
    publishers.push_back(TRY(SyntheticPublisher::open(port, camera_path(i), pace, start)));
  }
  Child process = TRY(Child::fork(kClientCore, [&] { publish_for_ever(publishers, sent); }));
  return Cameras{std::move(process), std::move(sent)};
}

} // namespace sluice::fanout
