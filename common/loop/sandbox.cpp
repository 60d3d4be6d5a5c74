#include "common/loop/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace sluice::loop {
namespace {

// No program in its right mind gets here.
constexpr int kNever[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(syslog),
    SCMP_SYS(move_pages),
    SCMP_SYS(migrate_pages),
    SCMP_SYS(pidfd_getfd),
};

// Libraries may try these, and go on without.
constexpr int kRefused[] = {
    SCMP_SYS(creat),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rmdir),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(truncate),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(process_madvise),
    SCMP_SYS(vmsplice),
};

struct Release {
  void operator()(void *filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

Result<void> checked(int result, const char *what) {
  if (result < 0) return Error{std::string("seccomp: ") + what + ": " + std::strerror(-result)};
  return {};
}

Result<void> refuse(const Filter &filter, int call) {
  int result = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
  return checked(result == -EFAULT ? 0 : result, "rule"); // this architecture has no such call
}

Result<void> refuse_if(const Filter &filter, int call, scmp_arg_cmp condition, int error = EPERM) {
  return checked(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(static_cast<uint32_t>(error)), call, 1, condition),
                 "rule");
}

// Any way to open for writing: each access mode, and what makes or cuts a file.
Result<void> refuse_writing(const Filter &filter) {
  for (auto [call, argument] : {std::pair{SCMP_SYS(open), 1U}, std::pair{SCMP_SYS(openat), 2U}}) {
    for (uint64_t mode : {uint64_t{O_WRONLY}, uint64_t{O_RDWR}})
      TRY(refuse_if(filter, call, SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE, mode)));
    for (uint64_t flag : {uint64_t{O_CREAT}, uint64_t{O_TRUNC}, uint64_t{O_APPEND}})
      TRY(refuse_if(filter, call, SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, flag, flag)));
  }
  // Its flags are in memory, which seccomp does not look at; who uses it falls back to openat().
  return checked(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0), "rule");
}

Result<void> load_filter(const SandboxOptions &options) {
  Filter filter(::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return Error{"seccomp: no memory"};
  constexpr uint32_t kBinaryTree = 2;
  TRY(checked(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, kBinaryTree), "attribute"));
  for (int call : kNever) {
    int result = ::seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0);
    TRY(checked(result == -EFAULT ? 0 : result, "rule"));
  }
  for (int call : kRefused) TRY(refuse(filter, call));
  TRY(refuse_writing(filter));
  auto self = static_cast<uint64_t>(::getpid());
  for (int call : {SCMP_SYS(kill), SCMP_SYS(tgkill)}) TRY(refuse_if(filter, call, SCMP_CMP(0, SCMP_CMP_NE, self)));
  TRY(refuse(filter, SCMP_SYS(tkill)));
  auto lowest = static_cast<uint64_t>(options.lowest_own_descriptor);
  for (int call : {SCMP_SYS(dup2), SCMP_SYS(dup3)}) TRY(refuse_if(filter, call, SCMP_CMP(1, SCMP_CMP_LT, lowest)));
  return checked(::seccomp_load(filter.get()), "load");
}

// Everything that changes files or runs them is handled, and nothing is allowed. Kernels without it: seccomp alone.
Result<void> restrict_files() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
      LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
      LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
  long rules = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (rules < 0) return errno == ENOSYS || errno == EOPNOTSUPP ? Result<void>() : os_error("Landlock");
  long entered = ::syscall(SYS_landlock_restrict_self, rules, 0);
  int error = errno;
  ::close(static_cast<int>(rules));
  errno = error;
  return entered == 0 ? Result<void>() : os_error("Landlock");
}

} // namespace

Result<void> enter_sandbox(const SandboxOptions &options) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return os_error("no_new_privs");
  TRY(restrict_files());
  return load_filter(options);
}

} // namespace sluice::loop
