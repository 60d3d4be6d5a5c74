#include "common/media/bit_reader.h"
#include "common/rtp/repacketizer.h"
#include "tests/unit/rtp/make_packet.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sluice::rtp {
namespace {

using media::Codec;
using Units = std::vector<ByteVector>;

media::Track track_of(Codec codec) {
  media::Track track{media::MediaKind::Video, codec, 96, 90000, 0, "", ""};
  if (codec == Codec::Aac) {
    track.kind = media::MediaKind::Audio;
    track.clock_rate = 44100;
    track.fmtp = "mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; config=1210";
  }
  return track;
}

// An independent, plain depacketiser of what comes out.
struct Collector final : PacketListener {
  explicit Collector(bool is_h265) : h265(is_h265) {}

  void on_packet(Bytes bytes) override {
    auto view = parse_packet(bytes);
    ASSERT_TRUE(view);
    EXPECT_LE(view->payload.size(), kMaxPayload);
    EXPECT_FALSE(view->payload.empty());
    headers.push_back(view->header);
    sizes.push_back(view->payload.size());
    const uint8_t *p = view->payload.data();
    size_t header = h265 ? 2 : 1;
    unsigned type = h265 ? p[0] >> 1 & 0x3f : p[0] & 0x1f;
    if (type == (h265 ? 48 : 24)) {
      size_t count = 0;
      for (Bytes rest = view->payload.subspan(header); !rest.empty(); count++) {
        size_t size = load_be16(rest.data());
        ASSERT_LE(2 + size, rest.size());
        units.emplace_back(rest.begin() + 2, rest.begin() + 2 + static_cast<ptrdiff_t>(size));
        rest = rest.subspan(2 + size);
      }
      EXPECT_GE(count, 2u);
    } else if (type == (h265 ? 49 : 28)) {
      uint8_t fragment = p[header];
      EXPECT_NE(fragment & 0xc0, 0xc0); // never start and end in one
      EXPECT_EQ((fragment & 0x80) != 0, !open);
      if ((fragment & 0x80) != 0) {
        ByteVector unit(p, p + header);
        unit[0] = h265 ? static_cast<uint8_t>((p[0] & 0x81) | (fragment & 0x3f) << 1)
                       : static_cast<uint8_t>((p[0] & 0xe0) | (fragment & 0x1f));
        units.push_back(unit);
      }
      units.back().insert(units.back().end(), view->payload.begin() + static_cast<ptrdiff_t>(header) + 1,
                          view->payload.end());
      open = (fragment & 0x40) == 0;
    } else {
      units.emplace_back(view->payload.begin(), view->payload.end());
    }
  }

  bool h265;
  bool open = false;
  Units units;
  std::vector<Header> headers;
  std::vector<size_t> sizes;
};

Result<void> push(Repacketizer &repacketizer, Bytes packet, PacketListener &out) {
  return repacketizer.push(TRY(parse_packet(packet)), out);
}

TEST(Repacketizer, LargeNalUnitIsCutIntoFragments) {
  auto repacketizer = Repacketizer::create(track_of(Codec::H264));
  Collector out(false);
  ByteVector unit = filled("65", 4000);
  ASSERT_TRUE(push(*repacketizer, make_packet(65535, 777, true, unit, 0xabcd), out));
  EXPECT_EQ(out.units, Units{unit});
  EXPECT_EQ(out.sizes, (std::vector<size_t>{1460, 1460, 3999 - 2 * 1458 + 2}));
  ASSERT_EQ(out.headers.size(), 3u);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(out.headers[i].sequence, static_cast<uint16_t>(65535 + i));
    EXPECT_EQ(out.headers[i].timestamp, 777u);
    EXPECT_EQ(out.headers[i].ssrc, 0xabcdu);
    EXPECT_EQ(out.headers[i].payload_type, 96);
    EXPECT_EQ(out.headers[i].marker, i == 2);
  }
}

TEST(Repacketizer, NumbersGoOnWhateverThePublisherCounts) {
  auto repacketizer = Repacketizer::create(track_of(Codec::H264));
  Collector out(false);
  ASSERT_TRUE(push(*repacketizer, make_packet(10, 1, true, filled("65", 2000)), out));
  ASSERT_TRUE(push(*repacketizer, make_packet(11, 2, true, "41aa"), out));
  EXPECT_EQ(out.headers.back().sequence, 12);
}

TEST(Repacketizer, SmallNalUnitsAreGatheredUntilTheMarker) {
  auto repacketizer = Repacketizer::create(track_of(Codec::H264));
  Collector out(false);
  ASSERT_TRUE(push(*repacketizer, make_packet(1, 1, false, "6764000a"), out));
  ASSERT_TRUE(push(*repacketizer, make_packet(2, 1, false, "08eb"), out));
  EXPECT_TRUE(out.units.empty());
  ByteVector large = filled("65", 1500);
  ASSERT_TRUE(push(*repacketizer, make_packet(3, 1, true, large), out));
  EXPECT_EQ(out.units, (Units{hex("6764000a"), hex("08eb"), large}));
  EXPECT_EQ(out.headers.size(), 3u);
  EXPECT_TRUE(out.headers.back().marker);
  EXPECT_FALSE(out.headers.front().marker);
  EXPECT_EQ(out.sizes.front(), 1 + 2 + 4 + 2 + 2u);
}

TEST(Repacketizer, HeldUnitsLeaveWithTheirOwnTimestamp) {
  auto repacketizer = Repacketizer::create(track_of(Codec::H264));
  Collector out(false);
  ASSERT_TRUE(push(*repacketizer, make_packet(1, 100, false, "41aa"), out));
  ASSERT_TRUE(push(*repacketizer, make_packet(2, 200, true, "41bb"), out));
  ASSERT_EQ(out.headers.size(), 2u);
  EXPECT_EQ(out.headers[0].timestamp, 100u);
  EXPECT_FALSE(out.headers[0].marker);
  EXPECT_EQ(out.headers[1].timestamp, 200u);
}

TEST(Repacketizer, UnitOfExactlyOnePacketIsSentAlone) {
  for (Codec codec : {Codec::H264, Codec::H265}) {
    for (size_t size = kMaxPayload - 6; size < kMaxPayload + 3; size++) {
      auto repacketizer = Repacketizer::create(track_of(codec));
      Collector out(codec == Codec::H265);
      ByteVector unit = filled(codec == Codec::H265 ? "2601" : "65", size);
      ASSERT_TRUE(push(*repacketizer, make_packet(1, 1, true, unit), out));
      EXPECT_EQ(out.units, Units{unit});
      EXPECT_EQ(out.headers.size(), size <= kMaxPayload ? 1u : 2u);
    }
  }
}

TEST(Repacketizer, FragmentsThatBeganBeforeAreContinued) {
  auto repacketizer = Repacketizer::create(track_of(Codec::H264));
  struct Payloads final : PacketListener {
    void on_packet(Bytes packet) override { all.emplace_back(packet.begin() + 12, packet.end()); }
    Units all;
  } out;
  ASSERT_TRUE(push(*repacketizer, make_packet(5, 1, true, filled("7c45", 2000)), out));
  ASSERT_EQ(out.all.size(), 2u);
  EXPECT_EQ(out.all[0][1], 0x05); // neither start nor end
  EXPECT_EQ(out.all[1][1], 0x45);
  ASSERT_TRUE(push(*repacketizer, make_packet(6, 2, false, filled("7c05", 100)), out));
  EXPECT_EQ(out.all.size(), 2u); // its start never came
}

TEST(Repacketizer, AggregatesHaveTheHeaderOfAll) {
  struct First final : PacketListener {
    void on_packet(Bytes packet) override { first.assign(packet.begin() + 12, packet.begin() + 14); }
    ByteVector first;
  } out;
  auto h264 = Repacketizer::create(track_of(Codec::H264));
  ASSERT_TRUE(push(*h264, make_packet(1, 1, false, "01aa"), out));
  ASSERT_TRUE(push(*h264, make_packet(2, 1, true, "61aa"), out));
  EXPECT_EQ(out.first[0], 0x78); // NRI 3
  auto h265 = Repacketizer::create(track_of(Codec::H265));
  ASSERT_TRUE(push(*h265, make_packet(1, 1, false, "420baa"), out)); // layer 1, TID 3
  ASSERT_TRUE(push(*h265, make_packet(2, 1, true, "4412aa"), out));  // layer 2, TID 2
  EXPECT_EQ(out.first, hex("600a"));
}

TEST(Repacketizer, MalformedPayloadsAreErrors) {
  auto h264 = Repacketizer::create(track_of(Codec::H264));
  Collector out(false);
  EXPECT_FALSE(push(*h264, make_packet(1, 1, true, "78 0005 65aa"), out));
  EXPECT_FALSE(push(*h264, make_packet(1, 1, true, "78 00"), out));
  for (const char *payload : {"00aa", "19aaaaaa", "1aaaaaaa", "1daaaaaa", "1eaaaaaa", "1faaaaaa"})
    EXPECT_FALSE(push(*h264, make_packet(1, 1, true, payload), out)) << payload;
  EXPECT_TRUE(push(*h264, make_packet(1, 1, true, ""), out));
  EXPECT_TRUE(push(*h264, make_packet(1, 1, true, "7c"), out));
  auto h265 = Repacketizer::create(track_of(Codec::H265));
  EXPECT_FALSE(push(*h265, make_packet(1, 1, true, "6001 0005 26aa"), out));
  EXPECT_FALSE(push(*h265, make_packet(1, 1, true, "6401aaaa"), out)); // PACI
  EXPECT_TRUE(out.units.empty());
}

TEST(Repacketizer, NalUnitsAreBounded) {
  auto repacketizer = Repacketizer::create(track_of(Codec::H264));
  Collector out(false);
  ASSERT_TRUE(push(*repacketizer, make_packet(1, 1, false, filled("7c85", 60002)), out));
  size_t size = 60001;
  while (size + 60000 <= kMaxNalUnit) {
    ASSERT_TRUE(push(*repacketizer, make_packet(2, 1, false, filled("7c05", 60002)), out));
    size += 60000;
  }
  EXPECT_FALSE(push(*repacketizer, make_packet(2, 1, false, filled("7c05", 60002)), out));
}

// Units in = units out, through any mixture of packet types.
TEST(Repacketizer, AnyAccessUnitsComeOutAsTheyWentIn) {
  std::mt19937 random(3);
  for (Codec codec : {Codec::H264, Codec::H265}) {
    bool h265 = codec == Codec::H265;
    size_t header = h265 ? 2 : 1;
    auto repacketizer = Repacketizer::create(track_of(codec));
    Collector out(h265);
    Units in;
    uint16_t sequence = 65000;
    for (uint32_t picture = 0; picture < 300; picture++) {
      std::vector<ByteVector> packets;
      size_t count = 1 + random() % 5;
      for (size_t i = 0; i < count; i++) {
        size_t size = header + 1 + (random() % 3 == 0 ? random() % 9000 : random() % 500);
        ByteVector unit = filled(h265 ? (random() % 2 ? "2601" : "4201") : (random() % 2 ? "65" : "06"), size,
                                 static_cast<uint8_t>(random()));
        in.push_back(unit);
        size_t pieces = random() % 4;
        if (pieces < 2 || size < header + 8) {
          packets.push_back(unit);
          continue;
        }
        Bytes data = Bytes(unit).subspan(header);
        size_t step = data.size() / pieces + 1;
        for (size_t at = 0; at < data.size(); at += step) {
          Bytes part = data.subspan(at, std::min(step, data.size() - at));
          uint8_t type = h265 ? unit[0] >> 1 & 0x3f : unit[0] & 0x1f;
          ByteVector packet;
          packet.push_back(static_cast<uint8_t>(h265 ? (unit[0] & 0x81) | 49 << 1 : (unit[0] & 0xe0) | 28));
          if (h265) packet.push_back(unit[1]);
          packet.push_back(static_cast<uint8_t>((at == 0 ? 0x80 : 0) | (at + step >= data.size() ? 0x40 : 0) | type));
          packet.insert(packet.end(), part.begin(), part.end());
          packets.push_back(packet);
        }
      }
      for (size_t i = 0; i < packets.size(); i++) {
        auto result =
            push(*repacketizer, make_packet(sequence++, picture * 3000, i + 1 == packets.size(), packets[i]), out);
        ASSERT_TRUE(result) << result.error().message;
      }
      ASSERT_EQ(out.units.size(), in.size());
      ASSERT_TRUE(out.headers.back().marker);
    }
    EXPECT_EQ(out.units, in);
    size_t markers = 0;
    for (size_t i = 0; i < out.headers.size(); i++) {
      EXPECT_EQ(out.headers[i].sequence, static_cast<uint16_t>(65000 + i));
      markers += out.headers[i].marker;
    }
    EXPECT_EQ(markers, 300u);
  }
}

TEST(Repacketizer, OtherTracksStayAsTheyAre) {
  EXPECT_EQ(Repacketizer::create(track_of(Codec::Vp8)), nullptr);
  media::Track aac = track_of(Codec::Aac);
  EXPECT_NE(Repacketizer::create(aac), nullptr);
  aac.fmtp = "mode=AAC-hbr";
  EXPECT_EQ(Repacketizer::create(aac), nullptr);
  aac.fmtp = "sizelength=13; ctsdeltalength=9; config=1210";
  EXPECT_EQ(Repacketizer::create(aac), nullptr);
}

// Of AAC: (timestamp, unit) with fragments joined.
struct AacCollector final : PacketListener {
  void on_packet(Bytes bytes) override {
    auto view = parse_packet(bytes);
    ASSERT_TRUE(view);
    EXPECT_LE(view->payload.size(), kMaxPayload);
    EXPECT_EQ(view->header.sequence, static_cast<uint16_t>(first_sequence + packets));
    packets++;
    size_t bits = load_be16(view->payload.data());
    ASSERT_EQ(bits % 16, 0u);
    Bytes data = view->payload.subspan(2 + bits / 8);
    for (size_t i = 0; i < bits / 16; i++) {
      size_t size = load_be16(view->payload.data() + 2 + 2 * i) >> 3;
      uint32_t timestamp = view->header.timestamp + static_cast<uint32_t>(i) * 1024;
      if (size > data.size()) {
        ASSERT_EQ(bits, 16u);
        if (!cut) units.emplace_back(timestamp, ByteVector());
        units.back().second.insert(units.back().second.end(), data.begin(), data.end());
        cut = !view->header.marker;
        if (!cut) {
          EXPECT_EQ(units.back().second.size(), size);
        }
        return;
      }
      units.emplace_back(timestamp, ByteVector(data.begin(), data.begin() + static_cast<ptrdiff_t>(size)));
      data = data.subspan(size);
    }
    EXPECT_TRUE(view->header.marker);
    EXPECT_TRUE(data.empty());
  }

  uint16_t first_sequence = 0;
  size_t packets = 0;
  bool cut = false;
  std::vector<std::pair<uint32_t, ByteVector>> units;
};

ByteVector aac_payload(const Units &units) {
  ByteVector payload(2 + 2 * units.size());
  store_be16(payload.data(), static_cast<uint16_t>(16 * units.size()));
  for (size_t i = 0; i < units.size(); i++) {
    store_be16(payload.data() + 2 + 2 * i, static_cast<uint16_t>(units[i].size() << 3));
    payload.insert(payload.end(), units[i].begin(), units[i].end());
  }
  return payload;
}

TEST(Repacketizer, AacUnitsComeOutAsTheyWentInWithTheirTimes) {
  std::mt19937 random(4);
  auto repacketizer = Repacketizer::create(track_of(Codec::Aac));
  AacCollector out;
  out.first_sequence = 65530;
  std::vector<std::pair<uint32_t, ByteVector>> in;
  for (uint16_t i = 0; i < 300; i++) {
    uint32_t timestamp = 1000000u * i;
    Units units;
    for (size_t k = 0, count = 1 + random() % 12; k < count; k++) {
      units.push_back(filled("", 1 + (random() % 4 == 0 ? random() % 8000 : random() % 400), static_cast<uint8_t>(k)));
      in.emplace_back(timestamp + 1024 * static_cast<uint32_t>(k), units.back());
    }
    auto result =
        push(*repacketizer, make_packet(static_cast<uint16_t>(65530 + i), timestamp, true, aac_payload(units)), out);
    ASSERT_TRUE(result) << result.error().message;
  }
  EXPECT_EQ(out.units, in);
}

TEST(Repacketizer, AacFragmentsAreCutFurther) {
  auto repacketizer = Repacketizer::create(track_of(Codec::Aac));
  AacCollector out;
  ByteVector unit = filled("", 6000);
  for (size_t at = 0; at < unit.size(); at += 2000) {
    ByteVector payload = hex("0010 bb80"); // 6000 << 3
    payload.insert(payload.end(), unit.begin() + static_cast<ptrdiff_t>(at),
                   unit.begin() + static_cast<ptrdiff_t>(at) + 2000);
    ASSERT_TRUE(push(*repacketizer, make_packet(static_cast<uint16_t>(at / 2000), 5, at == 4000, payload), out));
  }
  ASSERT_EQ(out.units.size(), 1u);
  EXPECT_EQ(out.units[0].second, unit);
  EXPECT_EQ(out.packets, 6u);
}

TEST(Repacketizer, MalformedAacIsAnError) {
  auto repacketizer = Repacketizer::create(track_of(Codec::Aac));
  AacCollector out;
  for (const char *payload :
       {"00", "0020 0010", "0008 00", "0020 0050 0050 aabb", "0010 0011 aabb", "0018 0010 00 aabb"})
    EXPECT_FALSE(push(*repacketizer, make_packet(1, 1, true, payload), out)) << payload;
  EXPECT_EQ(out.packets, 0u);
}

} // namespace
} // namespace sluice::rtp
