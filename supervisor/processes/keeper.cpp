#include "supervisor/processes/keeper.h"

#include "supervisor/processes/family.h"
#include "supervisor/processes/process_title.h"
#include "supervisor/processes/worker_start.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace sluice::processes {
namespace {

// Like fork, but with one descriptor table for both. The child's C library has to learn its new thread id, which
// fork would see to.
pid_t clone_with_shared_descriptors() {
  unsigned long flags = CLONE_FILES | SIGCHLD;
  void *thread_id = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &thread_id, 0, 0, 0) == 0) flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
  return static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, thread_id, 0));
#elif defined(__aarch64__) || defined(__arm__) || defined(__riscv)
  return static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, 0, thread_id));
#else
#error "the argument order of clone on this architecture is not known"
#endif
}

class Keeper {
public:
  Keeper(std::string_view slot, WorkerEntry entry) : slot_(slot), entry_(entry), pid_(::getpid()) {}

  [[noreturn]] void run() {
    for (;;) {
      pollfd ready[2] = {{kOrderFd, POLLIN, 0}, {kSignalFd, POLLIN, 0}};
      if (::poll(ready, 2, -1) < 0) {
        if (errno == EINTR) continue;
        ::_exit(1);
      }
      if ((ready[0].revents | ready[1].revents) & (POLLERR | POLLNVAL)) ::_exit(1);
      if (ready[1].revents != 0) on_signal();
      if (ready[0].revents != 0) on_order();
    }
  }

private:
  void on_signal() {
    signalfd_siginfo info;
    while (::read(kSignalFd, &info, sizeof info) > 0) {
    }
    int status = 0;
    if (worker_ == 0 || ::waitpid(worker_, &status, WNOHANG) != worker_) return;
    ::close(kControlFd); // so that the supervisor finds the end after the last message
    report(Report::Kind::Exited, status);
    worker_ = 0;
  }

  void on_order() {
    Order order{};
    iovec part{&order, sizeof order};
    alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = ancillary;
    header.msg_controllen = sizeof ancillary;
    ssize_t count = ::recvmsg(kOrderFd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // 0: the supervisor is gone, and so goes the worker. All else is not what it would ever send.
    if (count != sizeof order || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) ::_exit(1);
    int descriptor = -1;
    const cmsghdr *control = CMSG_FIRSTHDR(&header);
    if (control != nullptr && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
      std::memcpy(&descriptor, CMSG_DATA(control), sizeof descriptor);
    carry_out(order, descriptor);
  }

  void carry_out(const Order &order, int descriptor) {
    switch (order.kind) {
    case Order::Kind::Start:
      if (worker_ != 0 || descriptor < 0) ::_exit(1);
      start(order.epoch, descriptor);
      return;
    case Order::Kind::Kill:
      if (worker_ != 0 && order.epoch == epoch_) ::kill(worker_, SIGKILL);
      return;
    case Order::Kind::Leave:
      if (worker_ != 0) ::kill(worker_, SIGKILL);
      while (worker_ != 0 && ::waitpid(worker_, nullptr, 0) < 0 && errno == EINTR) {
      }
      ::_exit(0);
    }
    ::_exit(1);
  }

  void start(uint64_t epoch, int control) {
    epoch_ = epoch;
    if (control != kControlFd) {
      if (::dup3(control, kControlFd, O_CLOEXEC) < 0) return report(Report::Kind::Failed, errno);
      ::close(control);
    }
    pid_t pid = clone_with_shared_descriptors();
    if (pid == 0) {
      prepare_worker(slot_, pid_);
      entry_(kControlFd);
      ::_exit(1); // an entry point does not return
    }
    if (pid < 0) {
      int error = errno;
      ::close(kControlFd);
      return report(Report::Kind::Failed, error);
    }
    worker_ = pid;
    report(Report::Kind::Started, 0);
  }

  void report(Report::Kind kind, int status) {
    Report report{kind, worker_, epoch_, status, 0};
    ssize_t sent;
    do sent = ::send(kOrderFd, &report, sizeof report, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent != sizeof report) ::_exit(1);
  }

  std::string_view slot_;
  WorkerEntry entry_;
  pid_t pid_;
  pid_t worker_ = 0;
  uint64_t epoch_ = 0;
};

pid_t peer_of(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? peer.pid : -1;
}

void open_signals() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  int fd = ::signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) ::_exit(1);
  if (fd == kSignalFd) return;
  if (::dup3(fd, kSignalFd, O_CLOEXEC) < 0) ::_exit(1);
  ::close(fd);
}

} // namespace

void run_keeper(std::string_view slot, WorkerEntry worker) {
  // The title goes over the arguments, which `slot` may be one of.
  static char name[64];
  slot = slot.substr(0, sizeof name);
  slot = {name, slot.copy(name, slot.size())};
  die_with_parent(peer_of(kOrderFd));
  ignore_group_signals();
  ignore_broken_pipes();
  ::fcntl(kOrderFd, F_SETFD, FD_CLOEXEC);
  open_signals();
  set_oom_score(kOomKeep);
  char title[96];
  std::snprintf(title, sizeof title, "sluice: %.*s keeper", static_cast<int>(slot.size()), name);
  set_title(title);
  Keeper(slot, worker).run();
}

} // namespace sluice::processes
