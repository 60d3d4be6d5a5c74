// What muxing a stream for HLS costs: bench_hls_mux [SECONDS]. A stream of 4 Mbit/s H.264 (25 pictures a second, a key
// frame each second) and 128 kbit/s AAC, muxed in each variant, its parts copied as a segment store takes them; beside
// a plain memcpy of the same access units. Prints nanoseconds of CPU for each access unit, the ratio, and the share of
// a core that one such stream takes.

#include "common/base/check.h"
#include "workers/hls/mux/segmenter.h"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace sluice;

namespace {

constexpr Nanoseconds kFrame = 40 * kMillisecond;
constexpr size_t kKeyFrameBytes = 100'000;
constexpr size_t kFrameBytes = 16'600; // with the key frame, 4 Mbit/s
constexpr size_t kAudioBytes = 341;    // 128 kbit/s
constexpr size_t kTarget = 4 << 20;    // bytes that copies go to, one after the other

Nanoseconds cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

struct Copies {
  ByteVector memory = ByteVector(kTarget + (1 << 20));
  size_t position = 0;
  void add(Bytes bytes) {
    if (position + bytes.size() > kTarget) position = 0;
    std::memcpy(memory.data() + position, bytes.data(), bytes.size());
    asm volatile("" : : "r"(memory.data()) : "memory");
    position += bytes.size();
  }
};

struct Store final : hls::Segmenter::Sink {
  void on_initialisation(uint64_t, Bytes section) override { copies.add(section); }
  void on_segment_begin(const hls::Segment &) override {}
  void on_part(const hls::FinishedPart &part, const hls::SegmenterState &) override {
    for (Bytes piece : part.pieces) {
      for (; piece.size() > (1 << 19); piece = piece.subspan(1 << 19)) copies.add(piece.first(1 << 19));
      copies.add(piece);
    }
  }
  void on_segment_end(const hls::Segment &, const hls::SegmenterState &) override { segments++; }
  Copies copies;
  uint64_t segments = 0;
};

// Calls push(track, unit) for each access unit of that many seconds; returns how many there were.
template <class Push> uint64_t play(Nanoseconds seconds, Push push) {
  ByteVector key(kKeyFrameBytes, 0x55), picture(kFrameBytes, 0x33), audio(kAudioBytes, 0x77);
  key[0] = 0x65;
  picture[0] = 0x41;
  uint64_t units = 0;
  int64_t frames = 0;
  for (Nanoseconds now = 0; now < seconds * kSecond; now += kFrame) {
    bool begins = now % kSecond == 0;
    Bytes data[] = {begins ? key : picture};
    push(0, rtp::AccessUnit{.units = data, .pts_ns = now, .dts_ns = now, .random_access = begins});
    units++;
    for (Nanoseconds at; (at = frames * 1024 * kSecond / 48000) < now + kFrame; frames++, units++) {
      Bytes sound[] = {audio};
      push(1, rtp::AccessUnit{.units = sound, .pts_ns = at, .dts_ns = at, .random_access = true});
    }
  }
  return units;
}

std::vector<hls::SegmenterTrack> tracks() {
  static constexpr uint8_t kSps[] = {0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbf, 0xac, 0x04, 0x40,
                                     0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x83, 0xc6, 0x0c, 0x65, 0x80};
  static constexpr uint8_t kPps[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};
  hls::SegmenterTrack video{{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", ""}, {}};
  video.sets.sps.assign(std::begin(kSps), std::end(kSps));
  video.sets.pps.assign(std::begin(kPps), std::end(kPps));
  hls::SegmenterTrack audio{{media::MediaKind::Audio, media::Codec::Aac, 97, 48000, 2, "mpeg4-generic",
                             "sizelength=13; indexlength=3; indexdeltalength=3; config=1190"},
                            {}};
  return {std::move(video), std::move(audio)};
}

double run(const char *name, Nanoseconds seconds, double plain, hls::Variant variant, Nanoseconds part) {
  hls::Segmenter segmenter = hls::Segmenter::create({.variant = variant, .part_duration = part}, tracks()).value();
  Store store;
  uint64_t source = 0;
  Nanoseconds begin = cpu_now();
  uint64_t units = play(seconds, [&](size_t track, const rtp::AccessUnit &unit) {
    CHECK(segmenter.push(track, unit, source++, store).has_value());
  });
  auto took = static_cast<double>(cpu_now() - begin);
  CHECK(store.segments > 0);
  std::printf("%-24s %8.1f ns per access unit  %5.2f x memcpy  %7.4f %% of a core\n", name,
              took / static_cast<double>(units), plain > 0 ? took / plain : 1.0,
              100 * took / static_cast<double>(seconds * kSecond));
  return took;
}

} // namespace

int main(int argc, char **argv) {
  Nanoseconds seconds = argc > 1 ? std::strtoll(argv[1], nullptr, 10) : 2000;
  if (seconds < 10) return 2;
  Copies copies;
  auto copy = [&](size_t, const rtp::AccessUnit &unit) { copies.add(unit.units[0]); };
  play(seconds / 10, copy);
  Nanoseconds begin = cpu_now();
  uint64_t units = play(seconds, copy);
  auto plain = static_cast<double>(cpu_now() - begin);
  std::printf("%-24s %8.1f ns per access unit\n", "memcpy loop", plain / static_cast<double>(units));
  run("mpegts", seconds, plain, hls::Variant::MpegTs, 0);
  run("fmp4", seconds, plain, hls::Variant::Fmp4, 0);
  run("lowLatency, 200 ms parts", seconds, plain, hls::Variant::LowLatency, 200 * kMillisecond);
}
