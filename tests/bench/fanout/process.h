// Child processes of the benchmark, each with a process group of its own, and what /proc says about them.
// A child and its whole group end with its Child object, at a signal to the benchmark, or with its death.
#pragma once

#include "common/base/result.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sluice::fanout {

constexpr int kServerCore = 0;
constexpr int kClientCore = 1;

class Child {
public:
  // Output goes to the file `log`.
  static Result<Child> execute(const std::vector<std::string> &command, int core, const std::string &log);
  // Runs `body` in a forked copy of this process, which leaves by _exit.
  static Result<Child> fork(int core, const std::function<void()> &body);

  Child(Child &&other) noexcept;
  Child &operator=(Child &&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  bool running();

private:
  explicit Child(pid_t pid) : pid_(pid) {}
  void stop();

  pid_t pid_;
};

// Kills all children and exits at SIGINT, SIGTERM, SIGHUP, and after `seconds` whatever happens.
void bound_lifetime(unsigned seconds);
void pin_to_core(int core);

// CPU seconds by process of the tree below and including a root.
using CpuSeconds = std::map<pid_t, double>;
CpuSeconds cpu_seconds(pid_t root);
// Of processes that are in both; a process that was replaced in between counts from its start.
double cpu_between(const CpuSeconds &before, const CpuSeconds &after);

// Proportional set size of the tree, bytes.
Result<uint64_t> proportional_set_size(pid_t root);
// That part of it which are mappings of files whose name begins so.
Result<uint64_t> proportional_set_size_of(pid_t root, const std::string &name);
// Seconds that a core was not idle (steal left out).
double core_busy_seconds(int core);

} // namespace sluice::fanout
