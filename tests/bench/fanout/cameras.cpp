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
  uint64_t packets_of_lost = 0, bytes_of_lost = 0;
  while (!publishers.empty()) {
    Nanoseconds due = publishers.front().next_due();
    for (const SyntheticPublisher &publisher : publishers) due = std::min(due, publisher.next_due());
    sleep_until(due);
    Nanoseconds now = monotonic_now();
    std::erase_if(publishers, [&](SyntheticPublisher &publisher) {
      if (publisher.send_due(now)) return false;
      sent.count_cut_off();
      packets_of_lost += publisher.packets();
      bytes_of_lost += publisher.bytes();
      return true;
    });
    uint64_t packets = packets_of_lost, bytes = bytes_of_lost;
    for (const SyntheticPublisher &publisher : publishers) {
      packets += publisher.packets();
      bytes += publisher.bytes();
    }
    sent.set(packets, bytes);
  }
  _exit(1);
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
