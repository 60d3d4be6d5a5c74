#include "common/media/av1.h"
#include "common/rtp/access_unit.h"
#include "common/rtp/packetizer.h"
#include "common/rtp/sequence.h"
#include "tests/unit/rtp/media_samples.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>

namespace sluice::rtp {
namespace {

using media::Codec;

constexpr Packetizer::Start kStart{.ssrc = 0xcafe, .sequence = 65530, .timestamp = 0xfffffff0};

Packetizer make(const media::Track &track) {
  return Packetizer::create(track, kStart).value();
}

TEST(Packetizer, H264UnitsAreGatheredOrCut) {
  Packetizer packetizer = make(video(Codec::H264));
  ByteVector idr = filled("65", 3000);
  SampleFrame frame({hex(kSampleSps), hex(kSamplePps), idr}, kSecond, true);
  Packets out;
  ASSERT_TRUE(packetizer.push(frame.frame(), out));
  ASSERT_EQ(out.all.size(), 4u);
  EXPECT_EQ(out.all[0].view().payload[0], 0x78); // STAP-A, NRI 3
  EXPECT_EQ(load_be16(out.all[0].view().payload.data() + 1), hex(kSampleSps).size());
  EXPECT_EQ(out.all[1].bytes.size(), kMaxPacket);
  EXPECT_EQ(ByteVector(out.all[1].view().payload.begin(), out.all[1].view().payload.begin() + 2), hex("7c85"));
  EXPECT_EQ(out.all[2].view().payload[1], 0x05);
  EXPECT_EQ(out.all[3].view().payload[1], 0x45);
  for (size_t i = 0; i < 4; i++) {
    const PacketFacts &facts = out.all[i].facts;
    Header header = out.all[i].view().header;
    EXPECT_EQ(header.sequence, static_cast<uint16_t>(65530 + i));
    EXPECT_EQ(header.timestamp, static_cast<uint32_t>(0xfffffff0 + 90000));
    EXPECT_EQ(header.ssrc, 0xcafeu);
    EXPECT_EQ(header.payload_type, 96);
    EXPECT_EQ(header.marker, i == 3);
    EXPECT_EQ(facts.marker, i == 3);
    EXPECT_EQ(facts.first_of_access_unit, i == 0);
    EXPECT_EQ(facts.random_access, i == 0);
    EXPECT_EQ(facts.ends_access_unit, i == 3);
    EXPECT_EQ(facts.arrival_ns, kSecond + 7);
  }
}

TEST(Packetizer, ParameterSetsPrecedeKeyFramesThatBringNone) {
  for (Codec codec : {Codec::H264, Codec::H265}) {
    Packetizer packetizer = make(video(codec));
    bool h265 = codec == Codec::H265;
    ByteVector sps = h265 ? filled("4201", 30) : hex(kSampleSps);
    ByteVector key = h265 ? filled("2601", 1440) : filled("65", 1440);
    ByteVector other = h265 ? filled("0201", 100) : filled("41", 100);
    packetizer.set_configuration({sps});
    auto first_of = [&](std::vector<ByteVector> units, bool is_key) {
      SampleFrame frame(std::move(units), 0, is_key);
      Packets out;
      EXPECT_TRUE(packetizer.push(frame.frame(), out));
      Bytes payload = out.all[0].view().payload;
      return std::pair(out.all.size(), ByteVector(payload.begin(), payload.end()));
    };
    EXPECT_EQ(first_of({key}, true), std::pair(size_t{2}, sps));
    EXPECT_EQ(first_of({other}, false), std::pair(size_t{1}, other));
    EXPECT_EQ(first_of({sps, key}, true), std::pair(size_t{2}, sps));
  }
}

TEST(Packetizer, AacHasOneUnitAPacketAndALargeOneIsCut) {
  Packetizer packetizer = make(aac());
  Packets out;
  ASSERT_TRUE(packetizer.push(SampleFrame({filled("21", 300)}).frame(), out));
  ASSERT_TRUE(packetizer.push(SampleFrame({filled("21", 2000)}, 21 * kMillisecond).frame(), out));
  ASSERT_EQ(out.all.size(), 3u);
  EXPECT_EQ(load_be32(out.all[0].view().payload.data()), 0x100000u | 300 << 3);
  EXPECT_EQ(out.all[0].view().payload.size(), 304u);
  EXPECT_TRUE(out.all[0].facts.marker);
  EXPECT_EQ(load_be32(out.all[1].view().payload.data()), 0x100000u | 2000 << 3);
  EXPECT_FALSE(out.all[1].facts.marker);
  EXPECT_TRUE(out.all[2].facts.marker);
  EXPECT_FALSE(packetizer.push(SampleFrame({filled("21", 8192)}).frame(), out)); // its size has 13 bits
}

// Milliseconds, as RTMP has them, of frames of 1024 samples.
TEST(Packetizer, TimestampsOfAudioCountSamplesUntilTimesDisagree) {
  Packetizer packetizer = make(aac());
  Packets out;
  for (int64_t i = 0; i < 1000; i++) {
    Nanoseconds ms = i * 1024 / 48;
    if (i >= 500) ms += 40;
    ASSERT_TRUE(packetizer.push(SampleFrame({filled("21", 10)}, ms * kMillisecond).frame(), out));
    EXPECT_EQ(out.all.back().facts.dts_ns, ms * kMillisecond);
  }
  auto ticks = [&](size_t i) { return out.all[i].view().header.timestamp - kStart.timestamp; };
  for (size_t i = 1; i < 1000; i++) {
    if (i == 500) continue;
    EXPECT_EQ(ticks(i) - ticks(i - 1), 1024u) << i;
  }
  EXPECT_NEAR(ticks(500) - ticks(499), 1024 + 40 * 48, 48);
}

TEST(Packetizer, OpusAndG711AndMpegAudio) {
  Packets out;
  Packetizer opus = make(audio(Codec::Opus));
  ASSERT_TRUE(opus.push(SampleFrame({filled("fc", 200)}).frame(), out));
  EXPECT_EQ(out.all.back().view().payload.size(), 200u);
  EXPECT_TRUE(out.all.back().facts.ends_access_unit);
  EXPECT_FALSE(opus.push(SampleFrame({filled("fc", 1461)}).frame(), out));

  Packets pcm_out;
  Packetizer pcm = make(audio(Codec::Pcmu, 8000));
  ASSERT_TRUE(pcm.push(SampleFrame({filled("00", 3000)}).frame(), pcm_out));
  ASSERT_EQ(pcm_out.all.size(), 3u);
  EXPECT_EQ(pcm_out.all[1].view().header.timestamp - kStart.timestamp, 1460u);
  EXPECT_EQ(pcm_out.all[1].facts.pts_ns, 1460 * kSecond / 8000);
  EXPECT_TRUE(pcm_out.all[1].facts.first_of_access_unit);

  Packets mpa_out;
  Packetizer mpa = make(audio(Codec::MpegAudio, 90000));
  ASSERT_TRUE(mpa.push(SampleFrame({filled("fffbe000", 1600)}).frame(), mpa_out));
  ASSERT_EQ(mpa_out.all.size(), 2u);
  EXPECT_EQ(load_be32(mpa_out.all[1].view().payload.data()), 1456u);
}

TEST(Packetizer, SenderStateMeetsDtsAndArrival) {
  Packetizer packetizer = make(video(Codec::H264));
  ByteVector slice = filled("41", 500);
  Bytes unit = slice;
  Packets out;
  Frame frame{.units = std::span(&unit, 1),
              .pts_ns = 80 * kMillisecond,
              .dts_ns = 40 * kMillisecond,
              .random_access = false,
              .arrival_ns = kSecond,
              .wall_ns = 5 * kSecond};
  ASSERT_TRUE(packetizer.push(frame, out));
  const SenderState &state = packetizer.sender_state();
  EXPECT_EQ(state.first_sequence, 65530);
  EXPECT_EQ(state.packets, 1u);
  EXPECT_EQ(state.octets, 500u);
  EXPECT_EQ(state.reference_rtp_time - kStart.timestamp, 3600u);
  EXPECT_EQ(state.reference_monotonic, kSecond);
  EXPECT_EQ(state.reference_wall, 5 * kSecond);
}

TEST(Packetizer, RefusesWhatItHasNoFormatFor) {
  EXPECT_FALSE(Packetizer::create(video(Codec::Jpeg), kStart));
  EXPECT_FALSE(Packetizer::create(audio(Codec::Aac), kStart)); // without configuration
  Packetizer packetizer = make(video(Codec::H264));
  Packets out;
  EXPECT_FALSE(packetizer.push(SampleFrame({filled("65", kMaxAccessUnit + 1)}).frame(), out));
  EXPECT_TRUE(packetizer.push(SampleFrame({{}, hex("65")}).frame(), out)); // nothing but a header
  EXPECT_TRUE(out.all.empty());
}

ByteVector av1_obu(uint8_t type, size_t size, bool with_size) {
  ByteVector payload = filled("", size);
  media::Obu obu{static_cast<media::ObuType>(type), static_cast<uint8_t>(type << 3), false, 0, payload, 0};
  ByteVector out;
  media::append_obu(out, obu, with_size);
  return out;
}

std::vector<ByteVector> random_units(Codec codec, bool key, std::mt19937 &random) {
  size_t size = 1 + random() % (random() % 3 == 0 ? 5000u : 1600u);
  std::vector<ByteVector> units;
  auto start = [&](const char *bytes) { return filled(bytes, std::max<size_t>(size, 5), random() & 0xff); };
  switch (codec) {
  case Codec::H264:
    if (key) units = {hex(kSampleSps), hex(kSamplePps)};
    for (size_t i = 0; i <= random() % 3; i++) units.push_back(start(key ? "6500" : "4100"));
    break;
  case Codec::H265:
    if (key) units = {hex("40010c01ff"), hex("4201010160"), hex("4401c172b4")};
    for (size_t i = 0; i <= random() % 3; i++) units.push_back(start(key ? "2601" : "0201"));
    break;
  case Codec::Av1:
    if (key) units.push_back(av1_obu(1, 12, false));
    for (size_t i = 0; i <= random() % 3; i++) units.push_back(av1_obu(6, size + i * 700, false));
    break;
  case Codec::Vp8:
    units.push_back(start(key ? "00" : "01"));
    break;
  case Codec::Vp9:
    units.push_back(start(key ? "82" : "86"));
    break;
  case Codec::Opus:
    units.push_back(filled("fc", 1 + size % 1460));
    break;
  case Codec::MpegAudio:
    units.push_back(filled("fffde400", 1152 * 384 / 8 * 1000 / 48000)); // layer II, 384 kbit/s
    break;
  case Codec::Ac3:
    units.push_back(filled("0b770000244000e100", 2560)); // 640 kbit/s at 48 kHz
    break;
  default:
    units.push_back(start("21"));
  }
  return units;
}

std::vector<media::Track> all_tracks() {
  return {video(Codec::H264),
          video(Codec::H265),
          video(Codec::Av1),
          video(Codec::Vp8),
          video(Codec::Vp9),
          aac(),
          audio(Codec::MpegAudio, 90000),
          audio(Codec::Opus),
          audio(Codec::Flac),
          audio(Codec::Ac3),
          aac("sizelength=16; indexlength=0")};
}

TEST(PacketizerAndBack, GivesTheSameAccessUnits) {
  std::mt19937 random(5);
  for (const media::Track &track : all_tracks()) {
    SCOPED_TRACE(static_cast<int>(track.codec));
    Packetizer packetizer = make(track);
    Depacketizer depacketizer = Depacketizer::create(track).value();
    bool is_video = track.kind == media::MediaKind::Video;
    Packets out;
    std::vector<SampleFrame> frames;
    for (int i = 0; i < 200; i++) {
      bool key = i % 30 == 0 || !is_video;
      frames.emplace_back(random_units(track.codec, key, random), i * 40 * kMillisecond, key);
      ASSERT_TRUE(packetizer.push(frames.back().frame(), out));
    }
    Units units;
    for (const auto &packet : out.all) push(depacketizer, packet, units);
    ASSERT_EQ(units.all.size(), frames.size());
    for (size_t i = 0; i < frames.size(); i++) {
      EXPECT_EQ(units.all[i].units, frames[i].units()) << i;
      EXPECT_EQ(units.all[i].pts_ns, frames[i].frame().pts_ns);
      EXPECT_EQ(units.all[i].random_access, frames[i].frame().random_access);
      EXPECT_FALSE(units.all[i].after_loss);
    }
    EXPECT_EQ(depacketizer.lost_packets() + depacketizer.dropped_units(), 0u);
  }
}

// What the packetizer says of its packets is what a receiver of them finds out.
TEST(PacketizerAndBack, FactsAgreeWithAccessUnitFinder) {
  std::mt19937 random(6);
  for (const media::Track &track : all_tracks()) {
    SCOPED_TRACE(static_cast<int>(track.codec));
    Packetizer packetizer = make(track);
    AccessUnitFinder finder(track.codec);
    for (int i = 0; i < 200; i++) {
      bool key = i % 30 == 0 || track.kind == media::MediaKind::Audio;
      SampleFrame frame(random_units(track.codec, key, random), i * 40 * kMillisecond, key);
      Packets out;
      ASSERT_TRUE(packetizer.push(frame.frame(), out));
      for (const auto &packet : out.all) {
        PacketView view = packet.view();
        EXPECT_LE(packet.bytes.size(), kMaxPacket);
        UnitFacts facts = finder.inspect(view.header, view.payload);
        EXPECT_EQ(facts.first, packet.facts.first_of_access_unit) << i;
        EXPECT_EQ(facts.ends, packet.facts.ends_access_unit) << i;
        EXPECT_EQ(facts.random_access, packet.facts.random_access) << i;
      }
    }
  }
}

TEST(PacketizerAndBack, ALossCostsTheUnitsThatItHits) {
  std::mt19937 random(8);
  for (const media::Track &track : all_tracks()) {
    SCOPED_TRACE(static_cast<int>(track.codec));
    Packetizer packetizer = make(track);
    Depacketizer depacketizer = Depacketizer::create(track).value();
    bool is_video = track.kind == media::MediaKind::Video;
    Units units;
    std::vector<SampleFrame> whole;
    uint64_t lost = 0, lost_before_end = 0;
    std::vector<bool> after_loss;
    bool loss = false;
    for (int i = 0; i < 400; i++) {
      bool key = i % 30 == 0 || !is_video;
      SampleFrame frame(random_units(track.codec, key, random), i * 40 * kMillisecond, key);
      Packets out;
      ASSERT_TRUE(packetizer.push(frame.frame(), out));
      bool hit = false;
      for (const auto &packet : out.all) {
        if (random() % 20 == 0 && i != 0 && i != 399) {
          lost++;
          hit = true;
        } else {
          push(depacketizer, packet, units);
          lost_before_end = lost;
        }
      }
      loss = loss || hit;
      if (hit) continue;
      whole.push_back(frame);
      after_loss.push_back(std::exchange(loss, false));
    }
    EXPECT_EQ(depacketizer.lost_packets(), lost_before_end);
    ASSERT_EQ(units.all.size(), whole.size());
    for (size_t i = 0; i < whole.size(); i++) {
      EXPECT_EQ(units.all[i].units, whole[i].units());
      EXPECT_EQ(units.all[i].after_loss, after_loss[i]) << i;
    }
  }
}

} // namespace
} // namespace sluice::rtp
