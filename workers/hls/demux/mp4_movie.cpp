#include "workers/hls/demux/mp4_movie.h"

#include "workers/hls/demux/mp4_boxes.h"

#include <algorithm>
#include <cmath>

namespace sluice::hls {

using media::Codec;

namespace {

Error malformed(const char *box) {
  return Error{std::string("invalid MP4: ") + box};
}

// tkhd: version, flags | creation, modification (32 or 64 each) | track_ID …
Result<uint32_t> read_track_id(Bytes tkhd) {
  FullBox box = TRY(open_full_box(tkhd));
  auto times = box.rest.bytes(box.version == 1 ? 16 : 8);
  auto id = box.rest.u32();
  if (!times || !id || *id == 0) return malformed("tkhd");
  return *id;
}

// mdhd and mvhd: version, flags | creation, modification | timescale …
Result<uint32_t> read_timescale(Bytes header) {
  FullBox box = TRY(open_full_box(header));
  auto times = box.rest.bytes(box.version == 1 ? 16 : 8);
  auto timescale = box.rest.u32();
  if (!times || !timescale || *timescale == 0) return malformed("timescale");
  return *timescale;
}

// elst: entries { segment_duration, media_time (-1: empty), rate }. What is empty in front comes later, then the media
// begin at the first media_time.
Result<int64_t> read_shift(Bytes elst, uint32_t movie_timescale, uint32_t timescale) {
  constexpr int64_t kMaxShiftSeconds = 1 << 20; // twelve days
  const int64_t max_shift = kMaxShiftSeconds * timescale;
  FullBox box = TRY(open_full_box(elst));
  auto count = box.rest.u32();
  int64_t shift = 0;
  for (uint32_t i = 0; i < count.value_or(0); i++) {
    bool wide = box.version == 1;
    auto number = [&] { return wide ? box.rest.u64() : std::optional<uint64_t>(box.rest.u32()); };
    auto duration = number();
    auto raw_time = number();
    if (!duration || !raw_time || !box.rest.u32()) return malformed("elst");
    auto time = wide ? static_cast<int64_t>(*raw_time) : static_cast<int32_t>(*raw_time);
    if (time >= 0) {
      if (time > max_shift) return malformed("elst");
      return shift - time;
    }
    double ticks = static_cast<double>(*duration) / movie_timescale * timescale;
    if (ticks > static_cast<double>(max_shift - shift)) return malformed("elst");
    shift += std::llround(ticks);
  }
  return shift;
}

Result<std::vector<SampleEntry>> read_entries(Bytes stsd) {
  FullBox box = TRY(open_full_box(stsd));
  if (!box.rest.u32()) return malformed("stsd");
  std::vector<SampleEntry> entries;
  Bytes rest = box.rest.rest();
  while (auto entry = TRY(take_box(rest))) {
    if (entries.size() == kMaxSampleEntries) break;
    entries.push_back(TRY(parse_sample_entry(entry->type, entry->body)));
  }
  return entries;
}

Result<Bytes> require_box(Bytes bytes, const char (&type)[5]) {
  auto box = TRY(find_box(bytes, four_characters(type)));
  if (!box) return Error{std::string("invalid MP4: without ") + type};
  return *box;
}

Result<MovieTrack> read_track(Bytes trak, uint32_t movie_timescale) {
  MovieTrack track;
  Bytes tkhd = TRY(require_box(trak, "tkhd"));
  Bytes mdia = TRY(require_box(trak, "mdia"));
  Bytes mdhd = TRY(require_box(mdia, "mdhd"));
  Bytes minf = TRY(require_box(mdia, "minf"));
  Bytes stbl = TRY(require_box(minf, "stbl"));
  Bytes stsd = TRY(require_box(stbl, "stsd"));
  track.id = TRY(read_track_id(tkhd));
  track.timescale = TRY(read_timescale(mdhd));
  track.entries = TRY(read_entries(stsd));
  if (auto edts = TRY(find_box(trak, four_characters("edts")))) {
    auto elst = TRY(find_box(*edts, four_characters("elst")));
    if (elst) track.shift = TRY(read_shift(*elst, movie_timescale, track.timescale));
  }
  return track;
}

// mvex: trex { track_ID, index, duration, size, flags } …
Result<void> read_defaults(Bytes mvex, std::vector<MovieTrack> &tracks) {
  while (auto box = TRY(take_box(mvex))) {
    if (box->type != four_characters("trex")) continue;
    FullBox trex = TRY(open_full_box(box->body));
    auto id = trex.rest.u32();
    SampleDefaults defaults;
    for (uint32_t *field : {&defaults.entry, &defaults.duration, &defaults.size, &defaults.flags}) {
      auto value = trex.rest.u32();
      if (!value) return malformed("trex");
      *field = *value;
    }
    for (MovieTrack &track : tracks) {
      if (track.id == id) track.defaults = defaults;
    }
  }
  return {};
}

bool is_carried(const MovieTrack &track) {
  return std::any_of(track.entries.begin(), track.entries.end(),
                     [](const SampleEntry &entry) { return entry.codec != Codec::Other; });
}

} // namespace

Result<std::vector<MovieTrack>> parse_movie(Bytes moov) {
  Bytes mvhd = TRY(require_box(moov, "mvhd"));
  uint32_t movie_timescale = TRY(read_timescale(mvhd));
  std::vector<MovieTrack> tracks;
  Bytes rest = moov;
  while (auto box = TRY(take_box(rest))) {
    if (box->type != four_characters("trak")) continue;
    MovieTrack track = TRY(read_track(box->body, movie_timescale));
    if (is_carried(track) && tracks.size() < media::kMaxTracks) tracks.push_back(std::move(track));
  }
  if (tracks.empty()) return Error{"no tracks with supported codecs"};
  if (auto mvex = TRY(find_box(moov, four_characters("mvex")))) TRY(read_defaults(*mvex, tracks));
  return tracks;
}

} // namespace sluice::hls
