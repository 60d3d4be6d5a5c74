// Decides where parts end (draft-pantos-hls-rfc8216bis section 4.4.4.9: none longer than the part target, all but the
// last of a segment at least 85 % of it) and what the part target is: the wanted duration if a whole number of samples
// fits it that well, else the shortest multiple of a sample's duration above it. Samples that come unevenly make it
// grow when nothing else obeys the rule; with each segment it is chosen anew. Pure; plain data, in ticks of one
// timescale.
#pragma once

#include <cstdint>

namespace sluice::hls {

class PartCutter {
public:
  static constexpr int64_t kShortest = 85; // % of the target

  PartCutter() = default;
  // wanted 0: parts end with their segments only. Targets above `wanted` are multiples of `step`.
  PartCutter(int64_t wanted, int64_t step) : wanted_(wanted), step_(step) {}

  void begin_segment();
  // What follows may have other samples.
  void forget() { *this = PartCutter(wanted_, step_); }
  // Whether the part has to end before a sample of this duration.
  bool ends_before(int64_t duration) const;
  // Returns whether the part is full.
  bool add(int64_t duration);
  void begin_part() { part_ = 0; }

  // Whether it was made with the same durations, and holds what it can hold.
  bool continues(const PartCutter &fresh) const;

  int64_t target() const { return target_; } // 0: not known before the first sample
  int64_t part() const { return part_; }     // what was added to it so far

  bool operator==(const PartCutter &) const = default;

private:
  int64_t target_for(int64_t duration) const;
  int64_t round_up(int64_t ticks) const { return (ticks + step_ - 1) / step_ * step_; }
  bool is_long_enough(int64_t part) const { return part * 100 >= target_ * kShortest; }

  int64_t wanted_ = 0;
  int64_t step_ = 1;
  int64_t target_ = 0;
  int64_t part_ = 0;
  int64_t longest_part_ = 0, longest_sample_ = 0; // of the segment, as what follows
  int64_t total_ = 0;                             // of its samples
  int64_t count_ = 0;
};

} // namespace sluice::hls
