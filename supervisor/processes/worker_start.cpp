#include "supervisor/processes/worker_start.h"

#include "common/loop/socket.h"
#include "supervisor/processes/family.h"
#include "supervisor/processes/keeper.h"
#include "supervisor/processes/process_title.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

namespace sluice::processes {
namespace {

std::vector<int> descriptors_above(int last_kept) {
  std::vector<int> numbers;
  DIR *directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return numbers;
  while (const dirent *entry = ::readdir(directory)) {
    const char *end = entry->d_name + std::strlen(entry->d_name);
    int number = 0;
    if (std::from_chars(entry->d_name, end, number).ptr != end) continue; // "." and ".."
    if (number > last_kept && number != ::dirfd(directory)) numbers.push_back(number);
  }
  ::closedir(directory);
  return numbers;
}

int option_of(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

bool is_tcp_connection(int fd) {
  return option_of(fd, SO_PROTOCOL) == IPPROTO_TCP && option_of(fd, SO_ACCEPTCONN) == 0;
}

void accept_all_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

} // namespace

void prepare_worker(std::string_view slot, pid_t keeper) {
  die_with_parent(keeper);
  set_title("sluice: " + std::string(slot));
  ignore_group_signals();
  ignore_broken_pipes();
  accept_all_signals();
  set_oom_score(kOomWorker);
  close_leftovers(kLastKeeperFd);
}

void close_leftovers(int last_kept) {
  for (int fd : descriptors_above(last_kept)) {
    if (is_tcp_connection(fd)) loop::close_in_order(fd);
    ::close(fd);
  }
  ::close_range(static_cast<unsigned>(last_kept) + 1, ~0U, 0); // also where there is no /proc
}

} // namespace sluice::processes
