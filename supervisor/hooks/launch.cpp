#include "supervisor/hooks/launch.h"

#include "common/base/check.h"
#include "common/base/fd.h"
#include "supervisor/processes/family.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace sluice::hooks {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";
constexpr int kReportFd = 3; // in the child, until the program runs

std::vector<char *> pointers_to(const std::vector<std::string> &texts) {
  std::vector<char *> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string &text : texts) pointers.push_back(const_cast<char *>(text.c_str())); // execve writes nothing
  pointers.push_back(nullptr);
  return pointers;
}

std::string_view path_of(const std::vector<std::string> &environment) {
  constexpr std::string_view kName = "PATH=";
  for (const std::string &line : environment)
    if (line.starts_with(kName)) return std::string_view(line).substr(kName.size());
  return kDefaultPath;
}

// All that the child needs; made before the fork, since afterwards nothing may be allocated.
struct Plan {
  std::vector<char *> programs, arguments, environment;
  int report;
  pid_t parent;
};

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number <= SIGRTMAX; number++) ::sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The first error other than "not there" counts, as for execvp.
int execute(const Plan &plan) {
  int error = ENOENT;
  for (char *const *program = plan.programs.data(); *program != nullptr; program++) {
    ::execve(*program, plan.arguments.data(), plan.environment.data());
    if (errno == EACCES)
      error = EACCES; // perhaps a later one may be executed
    else if (errno != ENOENT && errno != ENOTDIR)
      return errno;
  }
  return error;
}

// In the child, with all signals blocked.
[[noreturn]] void become_command(const Plan &plan) {
  if (plan.report != kReportFd) ::dup2(plan.report, kReportFd);
  ::fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  int null = ::open("/dev/null", O_RDONLY);
  int error = null < 0 ? errno : 0;
  if (null > STDIN_FILENO) ::dup2(null, STDIN_FILENO);
  if (null > STDIN_FILENO && null < kReportFd) ::close(null);
  ::closefrom(kReportFd + 1);
  if (error == 0 && ::setpgid(0, 0) != 0) error = errno;
  processes::set_oom_score(0);
  ::prctl(PR_SET_PDEATHSIG, SIGINT);
  if (::getppid() != plan.parent) ::_exit(127);
  reset_signals();
  if (error == 0) error = execute(plan);
  [[maybe_unused]] ssize_t written = ::write(kReportFd, &error, sizeof error); // else the parent sees an exit
  ::_exit(127);
}

// 0: the program runs.
int read_report(int fd) {
  int error = 0;
  ssize_t count;
  do count = ::read(fd, &error, sizeof error);
  while (count < 0 && errno == EINTR);
  return count == sizeof error ? error : 0;
}

} // namespace

std::vector<std::string> program_candidates(const std::string &program, const std::vector<std::string> &environment) {
  if (program.empty() || program.find('/') != std::string::npos) return {program};
  std::vector<std::string> candidates;
  std::string_view rest = path_of(environment);
  for (;;) {
    size_t colon = rest.find(':');
    std::string folder(rest.substr(0, colon));
    candidates.push_back((folder.empty() ? "." : folder) + "/" + program); // POSIX: nothing is the current one
    if (colon == rest.npos) return candidates;
    rest.remove_prefix(colon + 1);
  }
}

Result<pid_t> launch(const std::vector<std::string> &words, const std::vector<std::string> &environment) {
  CHECK(!words.empty());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return os_error("pipe");
  Fd ours(ends[0]), theirs(ends[1]);
  std::vector<std::string> candidates = program_candidates(words[0], environment);
  Plan plan{pointers_to(candidates), pointers_to(words), pointers_to(environment), theirs.get(), ::getpid()};

  // No handler of ours may run in the child: the loop's writes into a pipe that both have.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = ::fork();
  if (pid == 0) become_command(plan);
  int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return Error{std::string("fork: ") + ::strerror(error)};

  theirs.reset();
  error = read_report(ours.get());
  if (error == 0) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return Error{::strerror(error)};
}

} // namespace sluice::hooks
