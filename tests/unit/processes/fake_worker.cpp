#include "fake_worker.h"

#include "common/base/time.h"
#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "supervisor/processes/keeper.h"
#include "supervisor/processes/process_title.h"
#include "supervisor/processes/spawn.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

namespace sluice::processes {
namespace {

std::string slot_name;

bool is_kind(const char *kind) {
  return slot_name.starts_with(kind);
}

// What a worker sees of its surroundings, for tests to compare.
std::string self_portrait() {
  std::string text = "environment " + std::string(environ == nullptr || *environ == nullptr ? "empty" : "not empty");
  text += ", group " + std::to_string(getpgrp()) + ", session " + std::to_string(getsid(0));
  text += ", keeper " + std::to_string(getppid());
  return text;
}

void on_command(control::Channel &channel, const std::string &command, int listener) {
  if (command == "hang") ::pause();
  if (command == "crash") ::abort();
  if (command == "stop") ::raise(SIGSTOP);
  if (command == "portrait") (void)!channel.send(control::LogLine{1, self_portrait()});
  if (command == "echo") (void)!channel.send(control::LogLine{1, "echo"});
  if (command == "lie") (void)!channel.send(control::Release{64 + 63});
  if (command == "accept" &&
      ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) >= 0) // kept open, for the successor to find
    (void)!channel.send(control::LogLine{1, "accepted"});
}

void serve(control::Channel &channel, shm::SessionTable &table, int listener) {
  if (is_kind("rubbish")) (void)!::send(channel.fd(), "\xff!", 2, 0);
  for (;;) {
    table.header().tick_ns = monotonic_now();
    pollfd readable{channel.fd(), POLLIN, 0};
    if (is_kind("deaf")) {
      ::usleep(50'000);
      continue;
    }
    ::poll(&readable, 1, 100);
    auto received = channel.receive();
    if (!received) ::_exit(3);
    if (!received->has_value()) continue;
    if (std::holds_alternative<control::Shutdown>((*received)->message)) ::_exit(0);
    if (const auto *kick = std::get_if<control::Kick>(&(*received)->message))
      on_command(channel, kick->reason, listener);
  }
}

} // namespace

void run_fake_worker(int control_fd) {
  if (is_kind("doomed")) ::_exit(7);
  control::Channel channel{Fd(control_fd)};
  if (is_kind("mute"))
    for (;;) ::pause();
  control::Hello hello;
  if (is_kind("stale")) hello.version++;
  if (!channel.send(hello)) ::_exit(4);
  for (;;) {
    pollfd readable{channel.fd(), POLLIN, 0};
    ::poll(&readable, 1, -1);
    auto received = channel.receive();
    if (!received) ::_exit(5);
    if (!received->has_value()) continue;
    auto table = shm::SessionTable::map((*received)->descriptors.at(0).get());
    if (!table) ::_exit(6);
    int listener = (*received)->descriptors.size() > 1 ? (*received)->descriptors[1].get() : -1;
    serve(channel, *table, listener);
  }
}

} // namespace sluice::processes

int main(int argc, char **argv) {
  using namespace sluice::processes;
  remember_arguments(argc, argv);
  if (argc == 3 && std::strcmp(argv[1], kKeeperArgument) == 0) {
    slot_name = argv[2];
    run_keeper(slot_name, run_fake_worker);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
