#include "supervisor/processes/spawn.h"

#include "supervisor/processes/keeper.h"

#include <spawn.h>

#include <csignal>
#include <cstring>

namespace sluice::processes {

Result<pid_t> spawn_keeper(const std::string &slot, int order_socket) {
  std::string title = "sluice: " + slot + " keeper"; // also makes room for the titles of keeper and worker
  std::string argument = kKeeperArgument, name = slot;
  char *argv[] = {title.data(), argument.data(), name.data(), nullptr};
  char *environment[] = {nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, order_socket, kOrderFd); // also if it is the same: clears CLOEXEC
  posix_spawn_file_actions_addclosefrom_np(&actions, kOrderFd + 1);   // what we inherited without CLOEXEC
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGCHLD);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  pid_t pid = 0;
  int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error{std::string("start of a keeper: ") + ::strerror(error)};
  return pid;
}

} // namespace sluice::processes
