// What tests of muxing share: access units made by hand, what a segmenter calls its sink with, and small readers of
// MPEG-TS and MP4 that know nothing of the writers.
#pragma once

#include "common/base/check.h"
#include "tests/unit/media/hex.h"
#include "workers/hls/mux/segmenter.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::hls {

constexpr const char *kSps = "6764001facd9405005bfac0440000003004000000c83c60c6580";      // 1280 x 718, 25 Hz
constexpr const char *kOtherSps = "674d4028eca03c0113f2e022000003000200000300641e30632c"; // 1920 x 1080
constexpr const char *kPps = "68ebe3cb22c0";
constexpr Nanoseconds kFrame = 40 * kMillisecond;

inline SegmenterTrack h264_track() {
  return {{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", ""}, {{}, hex(kSps), hex(kPps)}};
}
inline SegmenterTrack aac_track() { // LC, 48 kHz, stereo
  return {{media::MediaKind::Audio, media::Codec::Aac, 97, 48000, 2, "mpeg4-generic",
           "sizelength=13; indexlength=3; indexdeltalength=3; config=1190"},
          {}};
}

// One that a test feeds, and may feed again.
struct Unit {
  size_t track = 0;
  std::vector<ByteVector> units;
  Nanoseconds pts = 0, dts = 0;
  bool random_access = false;
  uint64_t source = 0;
  std::optional<media::ParameterSets> sets; // that come with it
};

inline Unit picture(Nanoseconds dts, bool idr, size_t size = 500, Nanoseconds composition = 0) {
  ByteVector slice(size, static_cast<uint8_t>(dts / kMillisecond));
  slice[0] = idr ? 0x65 : 0x41;
  return {0, {slice}, dts + composition, dts, idr, 0, {}};
}
inline Unit frame(Nanoseconds pts, size_t track = 1, size_t size = 100) {
  return {track, {ByteVector(size, static_cast<uint8_t>(pts / kMicrosecond))}, pts, pts, true, 0, {}};
}

// Pictures of 40 ms with an IDR picture each `group`, AAC of 48 kHz: in the order of their times, numbered.
inline std::vector<Unit> stream(Nanoseconds duration, Nanoseconds group = kSecond, bool video = true,
                                bool audio = true) {
  std::vector<Unit> out;
  int64_t audio_frames = 0;
  auto audio_time = [&] { return audio_frames * 1024 * kSecond / 48000; };
  for (Nanoseconds now = 0; now < duration; now += kFrame) {
    if (video) out.push_back(picture(now, now % group == 0, now % group == 0 ? 3000 : 700));
    for (; audio && audio_time() < now + kFrame; audio_frames++) out.push_back(frame(audio_time(), video ? 1 : 0));
  }
  for (size_t i = 0; i < out.size(); i++) out[i].source = 100 + 3 * i;
  return out;
}

struct Recorder final : Segmenter::Sink {
  struct Made {
    Segment segment;
    ByteVector bytes;
    std::vector<Part> parts;
    std::vector<uint64_t> part_numbers;
    bool operator==(const Made &other) const { return bytes == other.bytes; }
  };

  void on_initialisation(uint64_t number, Bytes section) override {
    EXPECT_EQ(initialisations.count(number), 0u);
    initialisations[number] = ByteVector(section.begin(), section.end());
  }
  void on_segment_begin(const Segment &segment) override {
    EXPECT_FALSE(open);
    open = true;
    segments.push_back({segment, {}, {}, {}});
  }
  void on_part(const FinishedPart &part, const SegmenterState &state) override {
    EXPECT_TRUE(open);
    Made &made = segments.back();
    EXPECT_EQ(part.segment, made.segment.number);
    ByteVector bytes;
    for (Bytes piece : part.pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
    EXPECT_EQ(bytes.size(), part.part.bytes);
    made.bytes.insert(made.bytes.end(), bytes.begin(), bytes.end());
    made.parts.push_back(part.part);
    made.part_numbers.push_back(part.number);
    parts.push_back(bytes);
    targets.push_back(part.part_target);
    states.push_back({state, parts.size(), segments.size(), false});
  }
  void on_segment_end(const Segment &segment, const SegmenterState &state) override {
    EXPECT_TRUE(open);
    open = false;
    segments.back().segment = segment;
    EXPECT_EQ(segment.bytes, segments.back().bytes.size());
    EXPECT_TRUE(segment.finished);
    states.push_back({state, parts.size(), segments.size(), true});
  }

  struct At {
    SegmenterState state;
    size_t parts, segments;
    bool ended;
  };
  std::map<uint64_t, ByteVector> initialisations;
  std::vector<Made> segments;
  std::vector<ByteVector> parts;
  std::vector<Nanoseconds> targets; // the part target as each part was finished
  std::vector<At> states;
  bool open = false;
};

inline Result<void> feed(Segmenter &segmenter, const Unit &unit, Segmenter::Sink &sink) {
  if (unit.sets) segmenter.set_parameters(unit.track, *unit.sets);
  std::vector<Bytes> units(unit.units.begin(), unit.units.end());
  rtp::AccessUnit given;
  given.units = units;
  given.pts_ns = unit.pts;
  given.dts_ns = unit.dts;
  given.random_access = unit.random_access;
  return segmenter.push(unit.track, given, unit.source, sink);
}

inline void feed(Segmenter &segmenter, const std::vector<Unit> &units, Segmenter::Sink &sink) {
  for (const Unit &unit : units) {
    auto fed = feed(segmenter, unit, sink);
    ASSERT_TRUE(fed) << fed.error().message;
  }
}

inline Segmenter make_segmenter(Variant variant, std::vector<SegmenterTrack> tracks, Nanoseconds part = 0,
                                Nanoseconds segment = kSecond) {
  return Segmenter::create({.variant = variant, .segment_duration = segment, .part_duration = part}, std::move(tracks))
      .value();
}

// --- MPEG-TS ---

struct TsPes {
  uint64_t pts = 0;
  std::optional<uint64_t> dts;
  ByteVector data;
  bool random_access = false;
  size_t packet = 0; // at which it begins
};

struct TsFile {
  std::map<int, std::vector<TsPes>> pes;    // by PID
  std::map<int, std::vector<int>> counters; // of packets with payload
  std::vector<std::pair<size_t, uint64_t>> pcrs;
  std::vector<size_t> pats, pmts; // at which packet
  ByteVector pmt;                 // the last section
  int pcr_pid = -1;
  bool discontinuity = false; // said by an adaptation field
};

inline uint64_t read_ts_time(const uint8_t *p) {
  EXPECT_EQ(p[0] & 1, 1);
  return uint64_t{p[0] >> 1 & 7u} << 30 | static_cast<uint64_t>(load_be16(p + 1) >> 1) << 15 |
         static_cast<uint64_t>(load_be16(p + 3) >> 1);
}

inline void read_ts_payload(TsFile &file, int pid, bool start, Bytes payload, size_t number) {
  if (!start) {
    ASSERT_FALSE(file.pes[pid].empty());
    ByteVector &data = file.pes[pid].back().data;
    data.insert(data.end(), payload.begin(), payload.end());
    return;
  }
  ASSERT_GE(payload.size(), 14u);
  ASSERT_EQ(load_be32(payload.data()) >> 8, 1u);
  TsPes pes;
  pes.packet = number;
  pes.pts = read_ts_time(payload.data() + 9);
  if ((payload[7] & 0x40) != 0) pes.dts = read_ts_time(payload.data() + 14);
  Bytes data = payload.subspan(9 + size_t{payload[8]});
  pes.data.assign(data.begin(), data.end());
  file.pes[pid].push_back(pes);
}

inline TsFile read_ts(Bytes bytes) {
  TsFile file;
  EXPECT_EQ(bytes.size() % 188, 0u);
  bool random_access = false;
  for (size_t number = 0; number * 188 < bytes.size(); number++) {
    Bytes packet = bytes.subspan(number * 188, 188);
    EXPECT_EQ(packet[0], 0x47);
    int pid = load_be16(packet.data() + 1) & 0x1fff;
    bool start = (packet[1] & 0x40) != 0;
    size_t at = 4;
    random_access = false;
    if ((packet[3] & 0x20) != 0) {
      size_t length = packet[4];
      EXPECT_LE(length, 183u);
      if (length > 0) {
        random_access = (packet[5] & 0x40) != 0;
        file.discontinuity = file.discontinuity || (packet[5] & 0x80) != 0;
        if ((packet[5] & 0x10) != 0) {
          file.pcrs.emplace_back(number, uint64_t{load_be32(packet.data() + 6)} << 1 | packet[10] >> 7);
          file.pcr_pid = pid;
        }
      }
      at += 1 + length;
    }
    if ((packet[3] & 0x10) == 0) continue;
    file.counters[pid].push_back(packet[3] & 15);
    if (pid == 0) file.pats.push_back(number);
    if (pid == 4096) {
      file.pmts.push_back(number);
      size_t size = (load_be16(packet.data() + 6) & 0xfff) + size_t{3};
      file.pmt.assign(packet.begin() + 5, packet.begin() + 5 + static_cast<ptrdiff_t>(size));
    }
    if (pid == 0 || pid == 4096) continue;
    read_ts_payload(file, pid, start, packet.subspan(at), number);
    if (start) file.pes[pid].back().random_access = random_access;
  }
  return file;
}

// --- MP4 ---

struct Mp4Box {
  std::string type;
  Bytes content;
};

inline std::vector<Mp4Box> read_boxes(Bytes bytes) {
  std::vector<Mp4Box> out;
  while (!bytes.empty()) {
    if (bytes.size() < 8 || load_be32(bytes.data()) < 8 || load_be32(bytes.data()) > bytes.size()) {
      ADD_FAILURE() << "a box does not fit";
      return out;
    }
    size_t size = load_be32(bytes.data());
    out.push_back({std::string(as_text(bytes.subspan(4, 4))), bytes.subspan(8, size - 8)});
    bytes = bytes.subspan(size);
  }
  return out;
}

// The nth box at a path such as "moov/trak/mdia", `n` counted at the first step that repeats it.
inline Bytes find_box(Bytes bytes, const std::string &path, size_t n = 0) {
  size_t slash = path.find('/');
  std::string type = path.substr(0, slash);
  std::vector<Bytes> found;
  for (const Mp4Box &box : read_boxes(bytes)) {
    if (box.type == type) found.push_back(box.content);
  }
  bool repeated = found.size() > 1;
  if (found.empty() || (repeated && n >= found.size())) {
    ADD_FAILURE() << "no box " << path;
    return {};
  }
  Bytes content = found[repeated ? n : 0];
  return slash == std::string::npos ? content : find_box(content, path.substr(slash + 1), n);
}

struct Mp4Sample {
  uint64_t dts = 0;
  int64_t pts = 0;
  uint32_t duration = 0;
  ByteVector data;
  bool sync = true;
};

// Adds the samples of one moof and its mdat by track.
inline void read_fragment(Bytes whole, size_t moof_at, Bytes moof, std::map<uint32_t, std::vector<Mp4Sample>> &out) {
  for (const Mp4Box &traf : read_boxes(moof)) {
    if (traf.type != "traf") continue;
    uint32_t id = load_be32(find_box(traf.content, "tfhd").data() + 4);
    uint64_t time = load_be64(find_box(traf.content, "tfdt").data() + 4);
    ByteReader run(find_box(traf.content, "trun"));
    uint32_t flags = run.u32().value() & 0xffffff;
    uint32_t count = run.u32().value();
    size_t at = moof_at + run.u32().value();
    for (uint32_t i = 0; i < count; i++) {
      Mp4Sample sample;
      sample.dts = time;
      sample.duration = run.u32().value();
      uint32_t size = run.u32().value();
      if ((flags & 0x400) != 0) sample.sync = (run.u32().value() & 0x10000) == 0;
      sample.pts = static_cast<int64_t>(time) + ((flags & 0x800) != 0 ? static_cast<int32_t>(run.u32().value()) : 0);
      Bytes data = whole.subspan(at, size);
      sample.data.assign(data.begin(), data.end());
      at += size;
      time += sample.duration;
      out[id].push_back(sample);
    }
  }
}

inline std::map<uint32_t, std::vector<Mp4Sample>> read_mp4(Bytes bytes) {
  std::map<uint32_t, std::vector<Mp4Sample>> out;
  size_t at = 0;
  for (const Mp4Box &box : read_boxes(bytes)) {
    if (box.type == "moof") read_fragment(bytes, at, box.content, out);
    at += box.content.size() + 8;
  }
  return out;
}

} // namespace sluice::hls
