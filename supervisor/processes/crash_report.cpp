#include "supervisor/processes/crash_report.h"

#include "common/base/log.h"
#include "supervisor/processes/symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

namespace sluice::processes {

std::vector<std::string> crash_report(const shm::CrashRecord &record, int signal) {
  if (record.signal.load() != static_cast<uint32_t>(signal) || signal == 0) return {};
  struct Frame {
    std::string module;
    uint64_t offset;
  };
  std::vector<Frame> frames;
  std::vector<uint64_t> ours; // offsets in the executable of the frames that are there, else 0
  size_t count = std::min<size_t>(record.frames, shm::kMaxCrashFrames);
  for (size_t i = 0; i < count; i++) {
    shm::CrashFrame frame = record.frame[i];
    std::string module(frame.module, ::strnlen(frame.module, sizeof frame.module));
    uint64_t called_from = frame.offset - (i > 0 ? 1 : 0); // a call that does not return may be a function's last
    ours.push_back(module == shm::kExecutableModule ? called_from : 0);
    frames.push_back({std::move(module), frame.offset});
  }
  std::vector<std::string> names = function_names(ours);

  std::string head = fmt::format("crashed: signal {} ({})", signal, ::strsignal(signal));
  if (record.code == SI_USER)
    head += ", sent by a process";
  else if (record.code > 0 && (signal == SIGSEGV || signal == SIGBUS))
    head += fmt::format(", access to {:#x}", record.address);
  std::vector<std::string> lines{std::move(head)};
  for (size_t i = 0; i < frames.size(); i++) {
    std::string where = frames[i].module.empty() ? "?" : printable(frames[i].module);
    std::string name = ours[i] == 0 || names[i].empty() ? "" : " " + printable(names[i]);
    lines.push_back(fmt::format("#{} {}+{:#x}{}", i, where, frames[i].offset, name));
  }
  return lines;
}

} // namespace sluice::processes
