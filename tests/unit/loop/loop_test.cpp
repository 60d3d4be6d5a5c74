#include "common/base/fd.h"
#include "common/loop/loop.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>

namespace sluice::loop {
namespace {

sockaddr_in local_address(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length), 0);
  return address;
}

Fd udp_socket(uint16_t port_in_network_order) {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = port_in_network_order;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  return fd;
}

// Receives once per call; stops the loop at the first datagram or the deadline.
struct Receiver final : Poll::Listener, Timer::Listener {
  explicit Receiver(Loop &watched) : loop(watched) {}

  void on_poll(int fd, int) override {
    char byte = 0;
    if (::recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
      refused += errno == ECONNREFUSED;
      if (refused > 0 && on_refused) on_refused();
    } else {
      received++;
      loop.stop();
    }
  }
  void on_timer(Timer &) override { loop.stop(); }

  Loop &loop;
  std::function<void()> on_refused;
  int refused = 0, received = 0;
};

struct HangUp final : Poll::Listener {
  explicit HangUp(Loop &watched) : loop(watched) {}
  void on_poll(int, int ready) override {
    events = ready;
    loop.stop();
  }

  Loop &loop;
  int events = 0;
};

TEST(Poll, TellsThatAPeerHasHungUpWhateverThereIsToBeRead) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  Fd mine(pair[0]), peer(pair[1]);
  Loop loop;
  HangUp listener(loop);
  Poll poll(loop, mine.get(), listener);
  poll.watch(Poll::kHungUp);
  ASSERT_EQ(::send(peer.get(), "last words", 10, 0), 10);
  peer.reset();
  loop.run();
  EXPECT_EQ(listener.events, Poll::kHungUp);
}

TEST(Poll, GoesOnAfterADatagramWasRefused) {
  Loop loop;
  Receiver receiver(loop);
  Fd mine = udp_socket(0), peer = udp_socket(0);
  sockaddr_in target = local_address(peer.get()), own = local_address(mine.get());
  peer.reset();
  ASSERT_EQ(::connect(mine.get(), reinterpret_cast<sockaddr *>(&target), sizeof target), 0);
  Poll poll(loop, mine.get(), receiver);
  poll.watch(Poll::kReadable);
  Timer deadline(loop, receiver);
  deadline.start(5 * kSecond);

  receiver.on_refused = [&] {
    peer = udp_socket(target.sin_port);
    EXPECT_EQ(::sendto(peer.get(), "a", 1, 0, reinterpret_cast<sockaddr *>(&own), sizeof own), 1);
    receiver.on_refused = nullptr;
  };
  ASSERT_EQ(::send(mine.get(), "a", 1, 0), 1);
  loop.run();
  EXPECT_EQ(receiver.refused, 1);
  EXPECT_EQ(receiver.received, 1);
  EXPECT_EQ(poll.watched(), Poll::kReadable);
}

struct Counter final : Timer::Listener {
  explicit Counter(Loop &watched) : loop(watched) {}
  void on_timer(Timer &timer) override {
    was_active = timer.active();
    if (--calls == 0) loop.stop();
  }
  Loop &loop;
  int calls = 1;
  bool was_active = false;
};

TEST(Timer, IsActiveUntilItIsOver) {
  Loop loop;
  Counter counter(loop);
  Timer timer(loop, counter);
  EXPECT_FALSE(timer.active());
  timer.start(kMillisecond);
  EXPECT_TRUE(timer.active());
  timer.stop();
  EXPECT_FALSE(timer.active());
  timer.start(kMillisecond);
  loop.run();
  EXPECT_FALSE(counter.was_active);
  EXPECT_FALSE(timer.active());
}

TEST(Timer, StaysActiveIfItRepeats) {
  Loop loop;
  Counter counter(loop);
  counter.calls = 3;
  Timer timer(loop, counter);
  timer.start(0, kMillisecond);
  loop.run();
  EXPECT_TRUE(counter.was_active);
  EXPECT_TRUE(timer.active());
  timer.stop();
  EXPECT_FALSE(timer.active());
}

} // namespace
} // namespace sluice::loop
