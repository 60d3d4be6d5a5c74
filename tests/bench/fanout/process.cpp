#include "tests/bench/fanout/process.h"

#include "common/base/time.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kStopGrace = 3 * kSecond;

// Groups to kill when a signal ends the benchmark. Only the main thread writes.
std::array<std::atomic<pid_t>, 16> g_groups;

void remember(pid_t group) {
  for (auto &slot : g_groups)
    if (slot == 0) {
      slot = group;
      return;
    }
}

void forget(pid_t group) {
  for (auto &slot : g_groups)
    if (slot == group) slot = 0;
}

void on_fatal_signal(int signal_number) {
  for (auto &slot : g_groups)
    if (slot != 0) kill(-slot, SIGKILL);
  if (signal_number == SIGALRM) {
    constexpr char kMessage[] = "bench_fanout: time is up\n";
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  }
  _exit(128 + signal_number);
}

void begin_child(int core) {
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGALRM}) signal(signal_number, SIG_DFL);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to_core(core);
}

std::vector<pid_t> numbers_in(const std::string &directory) {
  std::vector<pid_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos) numbers.push_back(std::stoi(name));
  }
  return numbers;
}

std::string text_of(const std::string &file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The second field after the command, which may itself contain spaces and parentheses.
std::optional<pid_t> parent_of(pid_t pid) {
  std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
  size_t close = stat.rfind(')');
  if (close == std::string::npos) return std::nullopt;
  std::istringstream rest(stat.substr(close + 1));
  char state = 0;
  pid_t parent = 0;
  if (!(rest >> state >> parent)) return std::nullopt;
  return parent;
}

std::vector<pid_t> process_tree(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (pid_t pid : numbers_in("/proc"))
    if (auto parent = parent_of(pid)) children.emplace(*parent, pid);
  std::vector<pid_t> tree{root};
  for (size_t i = 0; i < tree.size(); i++) {
    auto [first, last] = children.equal_range(tree[i]);
    for (auto it = first; it != last; ++it) tree.push_back(it->second);
  }
  return tree;
}

} // namespace

Result<Child> Child::execute(const std::vector<std::string> &command, int core, const std::string &log) {
  std::vector<char *> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string &argument : command) arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  int out = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) return os_error(log);
  pid_t pid = ::fork();
  if (pid == 0) {
    begin_child(core);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(arguments[0], arguments.data());
    perror(arguments[0]);
    _exit(127);
  }
  close(out);
  if (pid < 0) return os_error("fork");
  setpgid(pid, pid);
  remember(pid);
  return Child(pid);
}

Result<Child> Child::fork(int core, const std::function<void()> &body) {
  pid_t pid = ::fork();
  if (pid == 0) {
    begin_child(core);
    body();
    _exit(0);
  }
  if (pid < 0) return os_error("fork");
  setpgid(pid, pid);
  remember(pid);
  return Child(pid);
}

Child::Child(Child &&other) noexcept : pid_(std::exchange(other.pid_, 0)) {}

Child::~Child() {
  if (pid_ > 0) stop();
}

bool Child::running() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) {
    kill(-pid_, SIGKILL);
    forget(pid_);
    pid_ = 0;
  }
  return pid_ > 0;
}

void Child::stop() {
  pid_t group = pid_;
  kill(group, SIGTERM);
  for (Nanoseconds end = monotonic_now() + kStopGrace; running() && monotonic_now() < end;) usleep(10'000);
  kill(-group, SIGKILL);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
  forget(group);
  pid_ = 0;
}

void bound_lifetime(unsigned seconds) {
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGALRM}) signal(signal_number, on_fatal_signal);
  signal(SIGPIPE, SIG_IGN);
  alarm(seconds);
}

void pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

CpuSeconds cpu_seconds(pid_t root) {
  CpuSeconds used;
  for (pid_t pid : process_tree(root)) {
    std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (pid_t thread : numbers_in(tasks)) {
      std::istringstream schedstat(text_of(tasks + "/" + std::to_string(thread) + "/schedstat"));
      uint64_t on_cpu_ns = 0;
      if (schedstat >> on_cpu_ns) used[pid] += static_cast<double>(on_cpu_ns) / kSecond;
    }
  }
  return used;
}

double cpu_between(const CpuSeconds &before, const CpuSeconds &after) {
  double seconds = 0;
  for (auto [pid, used] : after) {
    auto earlier = before.find(pid);
    seconds += used - (earlier == before.end() ? 0 : earlier->second);
  }
  return seconds;
}

Result<uint64_t> proportional_set_size(pid_t root) {
  uint64_t bytes = 0;
  for (pid_t pid : process_tree(root)) {
    std::string file = "/proc/" + std::to_string(pid) + "/smaps_rollup";
    std::ifstream rollup(file);
    uint64_t kibibytes = 0;
    for (std::string word; kibibytes == 0 && rollup >> word;)
      if (word == "Pss:") rollup >> kibibytes;
    if (kibibytes == 0) return Error{file + " can't be read"};
    bytes += kibibytes * 1024;
  }
  return bytes;
}

Result<uint64_t> proportional_set_size_of(pid_t root, const std::string &name) {
  uint64_t bytes = 0;
  for (pid_t pid : process_tree(root)) {
    std::string file = "/proc/" + std::to_string(pid) + "/smaps";
    std::ifstream maps(file);
    if (!maps) return Error{file + " can't be read"};
    bool named = false;
    for (std::string line; std::getline(maps, line);) {
      if (line.find('-') < line.find(' ')) named = line.find(" " + name) != std::string::npos; // begins a mapping
      if (named && line.starts_with("Pss:")) bytes += std::stoull(line.substr(4)) * 1024;
    }
  }
  return bytes;
}

double core_busy_seconds(int core) {
  std::ifstream stat("/proc/stat");
  std::string wanted = "cpu" + std::to_string(core);
  for (std::string line; std::getline(stat, line);) {
    std::istringstream fields(line);
    std::string name;
    uint64_t user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0;
    if (!(fields >> name >> user >> nice >> system >> idle >> wait >> irq >> softirq) || name != wanted) continue;
    return static_cast<double>(user + nice + system + irq + softirq) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return 0;
}

} // namespace sluice::fanout
