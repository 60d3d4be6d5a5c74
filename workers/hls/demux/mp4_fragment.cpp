#include "workers/hls/demux/mp4_fragment.h"

#include "workers/hls/demux/mp4_boxes.h"

#include <algorithm>

namespace sluice::hls {

namespace {

constexpr uint64_t kMaxOffset = uint64_t{1} << 62;
// Of decode times; with composition offsets and edit lists they stay nanoseconds of 64 bits.
constexpr int64_t kMaxSeconds = int64_t{1} << 31;

// Flags of tfhd and trun.
constexpr uint32_t kBaseOffset = 0x1, kEntryIndex = 0x2, kDefaultDuration = 0x8, kDefaultSize = 0x10,
                   kDefaultFlags = 0x20, kBaseIsMoof = 0x20000;
constexpr uint32_t kDataOffset = 0x1, kFirstFlags = 0x4, kDuration = 0x100, kSize = 0x200, kFlags = 0x400,
                   kComposition = 0x800;

Error malformed(const char *box) {
  return Error{std::string("invalid MP4: ") + box};
}

// Reads a field into `value` if the flag is set; false: it is cut off.
bool read_if(bool present, ByteReader &reader, uint32_t &value) {
  if (!present) return true;
  auto read = reader.u32();
  if (read) value = *read;
  return read.has_value();
}

class FragmentParser {
public:
  FragmentParser(uint64_t offset, const std::vector<MovieTrack> &tracks, DecodeTimes &times)
      : moof_offset_(offset), data_end_(offset), tracks_(tracks), times_(times) {}

  Result<void> read_traf(Bytes traf) {
    auto tfhd = TRY(find_box(traf, four_characters("tfhd")));
    if (!tfhd) return malformed("traf without tfhd");
    TRY(read_tfhd(*tfhd));
    if (auto tfdt = TRY(find_box(traf, four_characters("tfdt")))) TRY(read_tfdt(*tfdt));
    while (auto box = TRY(take_box(traf))) {
      if (box->type == four_characters("trun")) TRY(read_trun(box->body));
    }
    if (track_) times_[*track_] = time_;
    return {};
  }

  std::vector<MovieSample> take() { return std::move(samples_); }

private:
  // Samples of other tracks take place too, since what follows may begin where they end.
  Result<void> read_tfhd(Bytes body) {
    FullBox box = TRY(open_full_box(body));
    auto id = box.rest.u32();
    if (!id) return malformed("tfhd");
    track_.reset();
    defaults_ = {};
    for (size_t i = 0; i < tracks_.size(); i++) {
      if (tracks_[i].id != *id) continue;
      track_ = i;
      defaults_ = tracks_[i].defaults;
    }
    time_ = track_ ? times_[*track_].value_or(0) : 0;
    // Where neither is said, the first one begins at the moof, others where the one before ended.
    base_ = (box.flags & kBaseIsMoof) != 0 ? moof_offset_ : data_end_;
    if ((box.flags & kBaseOffset) != 0) {
      auto base = box.rest.u64();
      if (!base || *base > kMaxOffset) return malformed("tfhd");
      base_ = *base;
    }
    data_end_ = base_;
    if (!read_if((box.flags & kEntryIndex) != 0, box.rest, defaults_.entry) ||
        !read_if((box.flags & kDefaultDuration) != 0, box.rest, defaults_.duration) ||
        !read_if((box.flags & kDefaultSize) != 0, box.rest, defaults_.size) ||
        !read_if((box.flags & kDefaultFlags) != 0, box.rest, defaults_.flags))
      return malformed("tfhd");
    return {};
  }

  // The short form starts again after 32 bits.
  Result<void> read_tfdt(Bytes body) {
    FullBox box = TRY(open_full_box(body));
    auto time = box.version == 1 ? box.rest.u64() : std::optional<uint64_t>(box.rest.u32());
    if (!time) return malformed("tfdt");
    if (!track_) return {};
    if (box.version != 1 && times_[*track_]) {
      auto ahead = static_cast<int32_t>(static_cast<uint32_t>(*time) - static_cast<uint32_t>(time_));
      time_ += ahead;
    } else if (*time > kMaxOffset) {
      return malformed("tfdt");
    } else {
      time_ = static_cast<int64_t>(*time);
    }
    if (!is_sensible()) return malformed("tfdt");
    return {};
  }

  Result<void> read_trun(Bytes body) {
    FullBox box = TRY(open_full_box(body));
    auto count = box.rest.u32();
    if (!count) return malformed("trun");
    uint64_t offset = data_end_;
    if ((box.flags & kDataOffset) != 0) {
      auto relative = box.rest.u32();
      if (!relative) return malformed("trun");
      int64_t place = static_cast<int64_t>(base_) + static_cast<int32_t>(*relative);
      if (place < 0) return malformed("trun: data before the file");
      offset = static_cast<uint64_t>(place);
    }
    uint32_t first_flags = defaults_.flags;
    if (!read_if((box.flags & kFirstFlags) != 0, box.rest, first_flags)) return malformed("trun");
    if (*count > kMaxSamples - seen_) return Error{"invalid MP4: too many samples in a fragment"};
    seen_ += *count;
    for (uint32_t i = 0; i < *count; i++) {
      bool first = i == 0 && (box.flags & kFirstFlags) != 0;
      TRY(read_sample(box, first ? first_flags : defaults_.flags, offset));
    }
    data_end_ = offset;
    return {};
  }

  Result<void> read_sample(FullBox &box, uint32_t flags, uint64_t &offset) {
    uint32_t duration = defaults_.duration, size = defaults_.size, composition = 0;
    if (!read_if((box.flags & kDuration) != 0, box.rest, duration) ||
        !read_if((box.flags & kSize) != 0, box.rest, size) || !read_if((box.flags & kFlags) != 0, box.rest, flags) ||
        !read_if((box.flags & kComposition) != 0, box.rest, composition))
      return malformed("trun");
    if (track_ && defaults_.entry >= 1 && defaults_.entry <= tracks_[*track_].entries.size() && size > 0) {
      // Unsigned by version 0, but signed numbers are seen there too.
      samples_.push_back({*track_, defaults_.entry - 1, offset, size, time_, static_cast<int32_t>(composition), flags});
    }
    offset += size;
    time_ += duration;
    if (track_ && !is_sensible()) return malformed("trun: durations");
    return {};
  }

  bool is_sensible() const {
    int64_t seconds = time_ / static_cast<int64_t>(tracks_[*track_].timescale);
    return seconds > -kMaxSeconds && seconds < kMaxSeconds;
  }

  uint64_t moof_offset_;
  uint64_t data_end_; // of what was read last
  const std::vector<MovieTrack> &tracks_;
  DecodeTimes &times_;
  std::vector<MovieSample> samples_;
  size_t seen_ = 0;
  // Of the traf that is read.
  std::optional<size_t> track_;
  SampleDefaults defaults_;
  uint64_t base_ = 0;
  int64_t time_ = 0;
};

} // namespace

Result<std::vector<MovieSample>> parse_fragment(Bytes moof, uint64_t offset, const std::vector<MovieTrack> &tracks,
                                                DecodeTimes &times) {
  times.resize(tracks.size());
  FragmentParser parser(offset, tracks, times);
  while (auto box = TRY(take_box(moof))) {
    if (box->type == four_characters("traf")) TRY(parser.read_traf(box->body));
  }
  return parser.take();
}

} // namespace sluice::hls
