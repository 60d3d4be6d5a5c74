// Bounds lines that say the same again and again: of each kind so many a second, then one that counts the rest. Lines
// are of one kind if they differ in numbers, in what stands in quotes, and in the client ("[conn 1.2.3.4:5]"). Those of
// different paths are not.
#pragma once

#include "common/base/log.h"

#include <array>
#include <string>
#include <vector>

namespace sluice::logs {

class Repetitions {
public:
  static constexpr uint32_t kLinesPerSecond = 100;
  static constexpr size_t kKinds = 32; // that are watched at a time; lines of others pass

  // Whether the line is to be written. Else it will be told of by take_due().
  bool admit(LogLevel level, std::string_view message, Nanoseconds now);

  struct Summary {
    LogLevel level{};
    std::string text; // the last line, and how many there were beside it
  };
  // For kinds whose second is over.
  std::vector<Summary> take_due(Nanoseconds now);
  bool holds_back() const { return held_back_ > 0; } // something will be due within a second

private:
  struct Kind {
    uint64_t hash = 0; // 0: unused
    Nanoseconds began = 0;
    uint32_t lines = 0;
    uint64_t omitted = 0;
    LogLevel level{}; // of the last one
    std::string last;
  };
  Kind *find(uint64_t hash, Nanoseconds now);

  std::array<Kind, kKinds> kinds_;
  size_t held_back_ = 0; // kinds with omitted lines
};

} // namespace sluice::logs
