// Conversion between RTMP and the ring's packets: bench_conversion [ACCESS_UNITS]. Prints nanoseconds of CPU for each
// access unit, of video (H.264, 17 KB) and of audio (AAC, 370 bytes), beside a plain memcpy of the same bytes in the
// same run. What comes in: an RTMP message's payload, packets out as they are given to the ring. What goes out: packets
// as they were copied out of the ring, the bytes of a message in its chunks' payload out.

#include "common/base/check.h"
#include "common/rtp/depacketizer.h"
#include "common/rtp/packetizer.h"
#include "workers/rtmp/protocol/tracks.h"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace sluice;

namespace {

constexpr size_t kVideoBytes = 17'000;
constexpr size_t kAudioBytes = 370;
constexpr size_t kTarget = 4 << 20; // bytes that the copies go to, one after the other

Nanoseconds cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

template <class F> double measure(uint64_t count, F &&once) {
  for (uint64_t i = 0; i < count / 10; i++) once(i);
  Nanoseconds begin = cpu_now();
  for (uint64_t i = 0; i < count; i++) once(i);
  return static_cast<double>(cpu_now() - begin) / static_cast<double>(count);
}

struct Copies {
  ByteVector memory = ByteVector(kTarget + 64 * 1024);
  size_t position = 0;
  void add(Bytes bytes) {
    if (position + bytes.size() > kTarget) position = 0;
    std::memcpy(memory.data() + position, bytes.data(), bytes.size());
    asm volatile("" : : "r"(memory.data()) : "memory");
    position += bytes.size();
  }
};

// As the ring takes them.
struct PacketCopies final : rtp::PacketSink {
  void on_packet(Bytes packet, const rtp::PacketFacts &facts) override {
    copies.add(packet);
    if (keep) kept.push_back({ByteVector(packet.begin(), packet.end()), facts});
  }
  Copies copies;
  bool keep = false;
  std::vector<std::pair<ByteVector, rtp::PacketFacts>> kept;
};

// As a muxer's log takes them.
struct MessageCopies final : rtp::Depacketizer::Sink {
  void on_access_unit(const rtp::AccessUnit &unit) override {
    body.clear();
    rtmp::append_units(codec, unit.units, {}, body);
    bool video = codec == media::Codec::H264;
    rtmp::TagHead head = video ? rtmp::make_video_head(codec, rtmp::TagKind::Frame, unit.random_access,
                                                       static_cast<int32_t>((unit.pts_ns - unit.dts_ns) / kMillisecond))
                               : rtmp::make_audio_head(codec, rtmp::TagKind::Frame, {});
    copies.add(head.bytes());
    copies.add(body);
    units++;
  }
  void on_configuration(const media::ParameterSets &) override {}
  media::Codec codec = media::Codec::H264;
  ByteVector body;
  Copies copies;
  uint64_t units = 0;
};

ByteVector message_of(media::Codec codec) {
  bool video = codec == media::Codec::H264;
  rtmp::TagHead head = video ? rtmp::make_video_head(codec, rtmp::TagKind::Frame, false, 40)
                             : rtmp::make_audio_head(codec, rtmp::TagKind::Frame, {});
  ByteVector unit(video ? kVideoBytes : kAudioBytes);
  for (size_t i = 0; i < unit.size(); i++) unit[i] = static_cast<uint8_t>(i * 7);
  unit[0] = 0x41;
  Bytes units[] = {unit};
  ByteVector message(head.bytes().begin(), head.bytes().end());
  rtmp::append_units(codec, units, {}, message);
  return message;
}

void line(const char *what, double ns, double plain) {
  std::printf("%-44s %8.1f ns per access unit  %5.2f x memcpy\n", what, ns, ns / plain);
}

void run(const char *name, const media::Track &track, uint64_t count) {
  ByteVector message = message_of(track.codec);
  Copies plain_copies;
  double plain = measure(count, [&](uint64_t) { plain_copies.add(message); });

  rtp::Packetizer packetizer = rtp::Packetizer::create(track, {.ssrc = 1}).value();
  PacketCopies packets;
  std::vector<rtmp::MediaTag> tags;
  std::vector<Bytes> units;
  auto convert_in = [&](uint64_t i) {
    bool video = track.kind == media::MediaKind::Video;
    CHECK((video ? rtmp::parse_video_tag(message, tags) : rtmp::parse_audio_tag(message, tags)).has_value());
    CHECK(rtmp::split_units(track.codec, 4, tags[0].body, units).has_value());
    Nanoseconds dts = static_cast<Nanoseconds>(i) * 33 * kMillisecond;
    CHECK(packetizer.push({.units = units, .pts_ns = dts + 40 * kMillisecond, .dts_ns = dts}, packets).has_value());
  };
  double in = measure(count, convert_in);
  packets.keep = true;
  convert_in(0);

  rtp::Depacketizer depacketizer = rtp::Depacketizer::create(track).value();
  MessageCopies messages;
  messages.codec = track.codec;
  double out = measure(count, [&](uint64_t) {
    depacketizer.reset(); // the same packets come again
    for (const auto &[packet, facts] : packets.kept)
      depacketizer.push(packet, {facts.pts_ns, facts.dts_ns, facts.first_of_access_unit, facts.random_access},
                        messages);
  });
  CHECK(messages.units == count + count / 10);

  std::printf("%s, %zu packets\n", name, packets.kept.size());
  line("memcpy loop", plain, plain);
  line("RTMP message to packets, copied", in, plain);
  line("packets to RTMP message, copied", out, plain);
}

} // namespace

int main(int argc, char **argv) {
  uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  if (count < 10) return 2;
  media::Track video{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", ""};
  media::Track audio{media::MediaKind::Audio,
                     media::Codec::Aac,
                     97,
                     48000,
                     2,
                     "mpeg4-generic",
                     "sizelength=13; indexlength=3; indexdeltalength=3; config=1190"};
  run("H264, 17 KB", video, count);
  run("AAC, 370 bytes", audio, count);
}
