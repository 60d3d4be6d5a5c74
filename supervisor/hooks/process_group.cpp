#include "supervisor/hooks/process_group.h"

#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

namespace sluice::hooks {
namespace {

constexpr unsigned kWholeGroup = 4; // PIDFD_SIGNAL_PROCESS_GROUP

Fd open_handle(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

} // namespace

ProcessGroup::ProcessGroup(pid_t leader) : leader_(leader), handle_(open_handle(leader)) {}

int ProcessGroup::try_signal(int number) const {
  if (handle_.valid()) {
    if (::syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, kWholeGroup) == 0) return 0;
    if (errno == ESRCH) return ESRCH;
  }
  return ::kill(-leader_, number) == 0 ? 0 : errno;
}

void ProcessGroup::signal(int number) {
  if (gone_ || try_signal(number) != ESRCH) return;
  if (has_leader_)
    ::kill(leader_, number); // it has left its own group
  else
    gone_ = true;
}

bool ProcessGroup::exists() {
  if (!has_leader_) signal(0);
  return !gone_;
}

} // namespace sluice::hooks
