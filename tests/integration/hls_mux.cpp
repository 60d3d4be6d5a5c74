// Muxes a recording of access units with sluice::hls::Segmenter: hls_mux VARIANT SEGMENT_MS PART_MS DIRECTORY <
// recording. Writes initialisation sections, segments and stream.m3u8 there, and prints a line for each part: "part
// SEGMENT NUMBER DURATION_NS BYTES INDEPENDENT TARGET_NS". hls_mux.py (beside) makes recordings.
//
//   recording: { 'T' codec (8) clock rate (32) channels (8) fmtp size (16) fmtp configuration size (16) configuration
//              | 'U' track (8) pts, dts (64, ns) random access (8) number of units (16) { size (32) unit }… }…

#include "common/base/check.h"
#include "common/media/av1.h"
#include "common/media/avc_configuration.h"
#include "common/media/hevc_configuration.h"
#include "workers/hls/mux/segmenter.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace sluice;

namespace {

hls::SegmenterTrack read_track(ByteReader &reader) {
  hls::SegmenterTrack out;
  out.track.codec = static_cast<media::Codec>(reader.u8().value());
  bool video = out.track.codec <= media::Codec::Jpeg;
  out.track.kind = video ? media::MediaKind::Video : media::MediaKind::Audio;
  out.track.clock_rate = reader.u32().value();
  out.track.channels = reader.u8().value();
  out.track.fmtp = std::string(as_text(reader.bytes(reader.u16().value()).value()));
  Bytes configuration = reader.bytes(reader.u16().value()).value();
  if (out.track.codec == media::Codec::H264)
    out.sets = media::parse_avc_configuration(configuration).value().sets;
  else if (out.track.codec == media::Codec::H265)
    out.sets = media::parse_hevc_configuration(configuration).value().sets;
  else if (out.track.codec == media::Codec::Av1)
    out.sets.sps = media::parse_av1_configuration(configuration).value();
  return out;
}

struct Files final : hls::Segmenter::Sink {
  void on_initialisation(uint64_t number, Bytes section) override {
    write(fmt::format("init{}.mp4", number), section);
    initialised = true;
  }
  void on_segment_begin(const hls::Segment &) override { segment.clear(); }
  void on_part(const hls::FinishedPart &part, const hls::SegmenterState &) override {
    for (Bytes piece : part.pieces) segment.insert(segment.end(), piece.begin(), piece.end());
    fmt::print("part {} {} {} {} {} {}\n", part.segment, part.number, part.part.duration, part.part.bytes,
               part.part.independent ? 1 : 0, part.part_target);
  }
  void on_segment_end(const hls::Segment &ended, const hls::SegmenterState &) override {
    std::string name = fmt::format("seg{}.{}", ended.number, mpegts ? "ts" : "mp4");
    write(name, segment);
    CHECK(ended.bytes == segment.size());
    if (ended.discontinuity) playlist += "#EXT-X-DISCONTINUITY\n";
    if (!mpegts && (ended.number == 0 || ended.discontinuity))
      playlist += fmt::format("#EXT-X-MAP:URI=\"init{}.mp4\"\n", ended.initialisation);
    playlist += fmt::format("#EXTINF:{:.6f},\n{}\n", static_cast<double>(ended.duration) / kSecond, name);
  }
  void write(const std::string &name, Bytes bytes) const {
    std::ofstream(directory + "/" + name, std::ios::binary) << as_text(bytes);
  }
  std::string directory;
  bool mpegts = false, initialised = false;
  ByteVector segment;
  std::string playlist = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n";
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  std::string variant = argv[1];
  hls::SegmenterSettings settings;
  settings.variant = variant == "mpegts" ? hls::Variant::MpegTs
                     : variant == "fmp4" ? hls::Variant::Fmp4
                                         : hls::Variant::LowLatency;
  settings.segment_duration = std::stoll(argv[2]) * kMillisecond;
  settings.part_duration = std::stoll(argv[3]) * kMillisecond;
  std::string input((std::istreambuf_iterator<char>(std::cin)), {});
  ByteReader reader(as_bytes(input));
  Files files;
  files.directory = argv[4];
  files.mpegts = settings.variant == hls::Variant::MpegTs;
  std::vector<hls::SegmenterTrack> tracks;
  std::optional<hls::Segmenter> segmenter;
  std::vector<Bytes> units;
  for (uint64_t source = 0; auto kind = reader.u8(); source++) {
    if (*kind == 'T') {
      tracks.push_back(read_track(reader));
      continue;
    }
    if (!segmenter) segmenter = std::move(hls::Segmenter::create(settings, tracks)).value();
    uint8_t track = reader.u8().value();
    rtp::AccessUnit unit;
    unit.pts_ns = static_cast<Nanoseconds>(reader.u64().value());
    unit.dts_ns = static_cast<Nanoseconds>(reader.u64().value());
    unit.random_access = reader.u8().value() != 0;
    units.resize(reader.u16().value());
    for (Bytes &bytes : units) bytes = reader.bytes(reader.u32().value()).value();
    unit.units = units;
    if (auto pushed = segmenter->push(track, unit, source, files); !pushed) {
      fmt::print(stderr, "{}\n", pushed.error().message);
      return 1;
    }
  }
  if (!segmenter) return 1;
  hls::Segmenter::Facts facts = segmenter->facts();
  segmenter->flush(files);
  files.write("stream.m3u8", as_bytes(files.playlist + "#EXT-X-ENDLIST\n"));
  fmt::print("facts {} {} {} {}\n", facts.codecs, facts.width, facts.height, facts.frame_rate);
  return 0;
}
