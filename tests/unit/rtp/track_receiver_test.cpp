#include "common/rtp/track_receiver.h"
#include "tests/unit/rtp/make_packet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sluice::rtp {
namespace {

using media::Codec;
using media::Track;

const char *const kSps = "6764000aacd94426c044000003000400000300c83c489658";
const char *const kPps = "68ebe3cb22c0";
const char *const kFmtp =
    "packetization-mode=1; sprop-parameter-sets=Z2QACqzZRCbARAAAAwAEAAADAMg8SJZY,aOvjyyLA; profile-level-id=64000A";

struct Recorder final : TrackReceiver::Sink {
  void on_packet(Bytes packet, const PacketFacts &packet_facts) override {
    packets.emplace_back(packet.begin(), packet.end());
    facts.push_back(packet_facts);
    sequences.push_back(load_be16(packet.data() + 2));
  }
  std::vector<ByteVector> packets;
  std::vector<PacketFacts> facts;
  std::vector<uint16_t> sequences;
};

Track video(Codec codec = Codec::H264, std::string fmtp = "") {
  return {media::MediaKind::Video, codec, 96, 90000, 0, "", std::move(fmtp)};
}
Track audio(Codec codec) {
  return {media::MediaKind::Audio, codec, 96, 48000, 2, "", ""};
}

// A receiver with its sink and a clock of 1 ms per packet.
struct Fixture {
  explicit Fixture(const Track &track, bool udp = false) : receiver(track, udp) {}

  Result<void> feed(Bytes packet) {
    now += kMillisecond;
    return receiver.on_rtp(packet, now, now + kSecond, sink);
  }
  bool feed(uint16_t sequence, uint32_t timestamp, bool marker, std::string_view payload) {
    return feed(make_packet(sequence, timestamp, marker, payload)).has_value();
  }

  TrackReceiver receiver;
  Recorder sink;
  Nanoseconds now = 10 * kSecond;
};

TEST(TrackReceiver, PacketsPassUnchangedWithTheirFacts) {
  Fixture tcp(video(Codec::H264, kFmtp));
  ByteVector packet = make_packet(7, 1000, true, "65aa");
  ASSERT_TRUE(tcp.feed(packet));
  ASSERT_EQ(tcp.sink.packets, std::vector<ByteVector>{packet});
  const PacketFacts &facts = tcp.sink.facts[0];
  EXPECT_TRUE(facts.marker);
  EXPECT_TRUE(facts.first_of_access_unit);
  EXPECT_TRUE(facts.ends_access_unit);
  EXPECT_TRUE(facts.random_access);
  EXPECT_TRUE(facts.pts_equals_dts);
  EXPECT_FALSE(facts.oversized);
  EXPECT_EQ(facts.pts_ns, 0);
  EXPECT_EQ(facts.dts_ns, -80 * kMillisecond); // two pictures of 40 ms, says the SPS
  EXPECT_EQ(facts.arrival_ns, tcp.now);
}

TEST(TrackReceiver, PtsFollowsTheTimestampAndDtsStaysInOrder) {
  Fixture tcp(video(Codec::H264, kFmtp));
  std::vector<uint32_t> pts = {0, 160, 80, 40, 120};
  for (uint16_t i = 0; i < 5; i++) {
    ASSERT_TRUE(tcp.feed(static_cast<uint16_t>(2 * i), 500 + pts[i] * 90, false, "41aa"));
    ASSERT_TRUE(tcp.feed(static_cast<uint16_t>(2 * i + 1), 500 + pts[i] * 90, true, "41bb"));
  }
  for (size_t i = 0; i < 10; i++) {
    EXPECT_EQ(tcp.sink.facts[i].pts_ns, pts[i / 2] * kMillisecond);
    EXPECT_EQ(tcp.sink.facts[i].dts_ns, (static_cast<Nanoseconds>(i / 2) * 40 - 80) * kMillisecond);
  }
}

TEST(TrackReceiver, OtherCodecsHaveDtsLikePts) {
  Fixture tcp(audio(Codec::Opus));
  ASSERT_TRUE(tcp.feed(1, 0, false, "fc"));
  ASSERT_TRUE(tcp.feed(2, 960, false, "fc"));
  EXPECT_EQ(tcp.sink.facts[1].pts_ns, 20 * kMillisecond);
  EXPECT_EQ(tcp.sink.facts[1].dts_ns, 20 * kMillisecond);
  EXPECT_TRUE(tcp.sink.facts[1].pts_equals_dts);
  EXPECT_TRUE(tcp.sink.facts[1].random_access);
}

TEST(TrackReceiver, PacketsOfOtherPayloadTypesAreDroppedAndCounted) {
  Fixture tcp(video());
  EXPECT_TRUE(tcp.feed(make_packet(1, 1, true, hex("65aa"), 1, 97)));
  EXPECT_TRUE(tcp.sink.packets.empty());
  EXPECT_EQ(tcp.receiver.statistics().foreign, 1u);
  EXPECT_EQ(tcp.receiver.statistics().foreign_payload_type, 97);
}

TEST(TrackReceiver, MalformedPacketsAreErrors) {
  Fixture tcp(video());
  EXPECT_FALSE(tcp.feed(hex("8060")));
  EXPECT_TRUE(tcp.sink.packets.empty());
  Fixture udp(video(), true);
  EXPECT_FALSE(udp.feed(make_packet(1, 1, true, filled("65", 2037))));
  EXPECT_TRUE(udp.feed(make_packet(1, 1, true, filled("65", 2036))));
  EXPECT_TRUE(udp.sink.facts[0].oversized);
}

TEST(TrackReceiver, PaddingIsRemoved) {
  for (bool is_udp : {false, true}) {
    Fixture fixture(video(), is_udp);
    ByteVector padded = make_packet(1, 1, true, "65aa 0003 03");
    padded[0] |= 0x20;
    ASSERT_TRUE(fixture.feed(padded));
    EXPECT_EQ(fixture.sink.packets, std::vector<ByteVector>{make_packet(1, 1, true, "65aa")});
    EXPECT_EQ(fixture.receiver.sender_state().octets, 2u);
  }
}

TEST(TrackReceiver, EmptyPacketsOfNobodyAreDropped) {
  Fixture udp(video(), true);
  ByteVector punch = make_packet(0, 0, false, Bytes(), 0);
  ASSERT_TRUE(udp.feed(punch));
  EXPECT_TRUE(udp.sink.packets.empty());
  ASSERT_TRUE(udp.feed(100, 5, true, "65aa"));
  ASSERT_TRUE(udp.feed(punch));
  EXPECT_EQ(udp.sink.sequences, std::vector<uint16_t>{100});
}

TEST(TrackReceiver, UdpPacketsAreReordered) {
  Fixture udp(video(), true);
  for (uint16_t sequence : {65533, 65535, 65534, 1, 0, 0, 65534, 2}) {
    ASSERT_TRUE(udp.feed(sequence, 3000u * static_cast<uint16_t>(sequence + 3), true, "41aa"));
  }
  EXPECT_EQ(udp.sink.sequences, (std::vector<uint16_t>{65533, 65534, 65535, 0, 1, 2}));
  for (size_t i = 0; i < 6; i++) {
    EXPECT_EQ(udp.sink.facts[i].pts_ns, ticks_to_ns(static_cast<int64_t>(3000 * i), 90000));
  }
  auto statistics = udp.receiver.statistics();
  EXPECT_EQ(statistics.received, 6u);
  EXPECT_EQ(statistics.late, 0u);
  EXPECT_EQ(statistics.duplicates, 2u);
  EXPECT_EQ(statistics.lost, 0u);
}

TEST(TrackReceiver, TimerReleasesWhatWaitedTooLong) {
  Fixture udp(video(), true);
  ASSERT_TRUE(udp.feed(1, 0, true, "41aa"));
  EXPECT_FALSE(udp.receiver.deadline());
  ASSERT_TRUE(udp.feed(3, 0, true, "41aa"));
  ASSERT_TRUE(udp.receiver.deadline());
  EXPECT_EQ(*udp.receiver.deadline(), udp.now + ReorderBuffer::kMaxWait);
  udp.receiver.on_timer(udp.now + ReorderBuffer::kMaxWait - 1, udp.sink);
  EXPECT_EQ(udp.sink.sequences, (std::vector<uint16_t>{1}));
  udp.receiver.on_timer(udp.now + ReorderBuffer::kMaxWait, udp.sink);
  EXPECT_EQ(udp.sink.sequences, (std::vector<uint16_t>{1, 3}));
  EXPECT_EQ(udp.receiver.statistics().lost, 1u);
  ASSERT_TRUE(udp.feed(2, 0, true, "41aa"));
  EXPECT_EQ(udp.receiver.statistics().late, 1u);
}

TEST(TrackReceiver, TcpPacketsAreNeverHeldAndGapsAreCounted) {
  Fixture tcp(video());
  ASSERT_TRUE(tcp.feed(1, 0, true, "41aa"));
  ASSERT_TRUE(tcp.feed(5, 0, true, "41aa"));
  EXPECT_EQ(tcp.sink.sequences, (std::vector<uint16_t>{1, 5}));
  EXPECT_EQ(tcp.receiver.statistics().lost, 3u);
  EXPECT_FALSE(tcp.receiver.deadline());
}

TEST(TrackReceiver, StrayPacketIsDroppedButANewCountIsFollowed) {
  Fixture udp(video(), true);
  ASSERT_TRUE(udp.feed(100, 0, true, "41aa"));
  ASSERT_TRUE(udp.feed(30000, 0, true, "41aa"));
  ASSERT_TRUE(udp.feed(101, 0, true, "41aa"));
  ASSERT_TRUE(udp.feed(40000, 0, true, "41aa"));
  ASSERT_TRUE(udp.feed(40001, 0, true, "41aa"));
  ASSERT_TRUE(udp.feed(40002, 0, true, "41aa"));
  EXPECT_EQ(udp.sink.sequences, (std::vector<uint16_t>{100, 101, 40001, 40002}));
}

TEST(TrackReceiver, NewSourceContinuesTheTimeLine) {
  for (bool is_udp : {false, true}) {
    Fixture fixture(audio(Codec::Opus), is_udp);
    ASSERT_TRUE(fixture.feed(make_packet(1, 5000, false, hex("fc"), 1)));
    ASSERT_TRUE(fixture.feed(make_packet(2, 5960, false, hex("fc"), 1)));
    fixture.now += (is_udp ? 98 : 99) * kMillisecond;
    if (is_udp) { // the first might be a stray one
      ASSERT_TRUE(fixture.feed(make_packet(899, 77, false, hex("fc"), 2)));
    }
    ASSERT_TRUE(fixture.feed(make_packet(900, 77, false, hex("fc"), 2)));
    if (is_udp) { // late
      ASSERT_TRUE(fixture.feed(make_packet(3, 6920, false, hex("fc"), 1)));
    }
    ASSERT_TRUE(fixture.feed(make_packet(901, 77 + 960, false, hex("fc"), 2)));
    EXPECT_EQ(fixture.sink.sequences, (std::vector<uint16_t>{1, 2, 900, 901}));
    EXPECT_EQ(fixture.sink.facts[2].pts_ns, 120 * kMillisecond);
    EXPECT_EQ(fixture.sink.facts[3].pts_ns, 140 * kMillisecond);
    EXPECT_EQ(fixture.receiver.sender_state().ssrc, 2u);
    EXPECT_EQ(fixture.receiver.sender_state().first_sequence, 900);
    EXPECT_EQ(fixture.receiver.sender_state().packets, 4u);
  }
}

TEST(TrackReceiver, StrayPacketOfAnotherSourceSilencesNobody) {
  for (bool is_udp : {false, true}) {
    Fixture fixture(audio(Codec::Opus), is_udp);
    ASSERT_TRUE(fixture.feed(make_packet(1, 5000, false, hex("fc"), 1)));
    ASSERT_TRUE(fixture.feed(make_packet(900, 77, false, hex("fc"), 2)));
    for (uint16_t i = 2; i < 5; i++) ASSERT_TRUE(fixture.feed(make_packet(i, 5000 + 960 * i, false, hex("fc"), 1)));
    std::vector<uint16_t> expected =
        is_udp ? std::vector<uint16_t>{1, 2, 3, 4} : std::vector<uint16_t>{1, 900, 2, 3, 4};
    EXPECT_EQ(fixture.sink.sequences, expected);
  }
}

TEST(TrackReceiver, LargeH264PacketSwitchesToRepacketisationForGood) {
  Fixture tcp(video());
  ASSERT_TRUE(tcp.feed(10, 0, true, "41aa"));
  ASSERT_TRUE(tcp.feed(make_packet(11, 3000, true, filled("65", 4000))));
  ASSERT_TRUE(tcp.feed(12, 6000, true, "41aa"));
  EXPECT_EQ(tcp.sink.sequences, (std::vector<uint16_t>{10, 11, 12, 13, 14}));
  for (const ByteVector &packet : tcp.sink.packets) EXPECT_LE(packet.size(), kMaxPacket);
  EXPECT_TRUE(tcp.sink.facts[1].first_of_access_unit);
  EXPECT_TRUE(tcp.sink.facts[1].random_access);
  EXPECT_FALSE(tcp.sink.facts[2].random_access);
  EXPECT_FALSE(tcp.sink.facts[2].ends_access_unit);
  EXPECT_TRUE(tcp.sink.facts[3].ends_access_unit);
  EXPECT_EQ(tcp.receiver.sender_state().last_sequence, 14);
  EXPECT_EQ(tcp.receiver.statistics().received, 3u);
  EXPECT_EQ(tcp.receiver.statistics().oversized, 0u);
}

TEST(TrackReceiver, LargePacketsOfOtherCodecsPassWhole) {
  Fixture tcp(video(Codec::Vp8));
  ByteVector packet = make_packet(11, 3000, true, filled("1000", 1461));
  ASSERT_TRUE(tcp.feed(packet));
  EXPECT_EQ(tcp.sink.packets, std::vector<ByteVector>{packet});
  EXPECT_TRUE(tcp.sink.facts[0].oversized);
  EXPECT_EQ(tcp.receiver.statistics().oversized, 1u);
}

TEST(TrackReceiver, SenderStateRemembersTheLastKeyPicture) {
  Fixture tcp(video());
  ASSERT_TRUE(tcp.feed(9, 3000, true, "41aa"));
  EXPECT_TRUE(tcp.receiver.sender_state().active);
  EXPECT_FALSE(tcp.receiver.sender_state().has_reference);
  ASSERT_TRUE(tcp.feed(10, 6000, true, "65aabb"));
  Nanoseconds key_arrival = tcp.now;
  ASSERT_TRUE(tcp.feed(11, 9000, true, "41aa"));
  const SenderState &state = tcp.receiver.sender_state();
  EXPECT_TRUE(state.has_reference);
  EXPECT_EQ(state.reference_rtp_time, 6000u);
  EXPECT_EQ(state.reference_monotonic, key_arrival);
  EXPECT_EQ(state.reference_wall, key_arrival + kSecond);
  EXPECT_EQ(state.ssrc, 0x1234u);
  EXPECT_EQ(state.first_sequence, 9);
  EXPECT_EQ(state.last_sequence, 11);
  EXPECT_EQ(state.last_rtp_time, 9000u);
  EXPECT_EQ(state.packets, 3u);
  EXPECT_EQ(state.octets, 7u);
}

void report(Fixture &fixture, uint32_t ssrc, uint64_t ntp, uint32_t rtp_time) {
  ASSERT_TRUE(fixture.receiver.on_rtcp(make_sender_report({ssrc, ntp, rtp_time, 0, 0}, "x").bytes(), fixture.now));
}

TEST(TrackReceiver, PublisherClockIsItsLastReports) {
  for (bool over_udp : {false, true}) {
    Fixture fixture(video(), over_udp);
    const SenderState &state = fixture.receiver.sender_state();
    report(fixture, 0x1234, 1, 10);
    EXPECT_FALSE(state.has_publisher_clock); // whose it is shows the first packet
    Nanoseconds arrival = fixture.now;
    ASSERT_TRUE(fixture.feed(9, 3000, true, "41aa"));
    EXPECT_TRUE(state.has_publisher_clock);
    EXPECT_EQ(state.publisher_ntp, 1u);
    EXPECT_EQ(state.publisher_rtp_time, 10u);
    EXPECT_EQ(state.publisher_monotonic, arrival);
    report(fixture, 0x1235, 2, 20); // of another source
    EXPECT_EQ(state.publisher_ntp, 1u);
    fixture.now += kSecond;
    report(fixture, 0x1234, 0xffffffffffffffff, 30); // a step
    EXPECT_EQ(state.publisher_ntp, 0xffffffffffffffff);
    EXPECT_EQ(state.publisher_rtp_time, 30u);
    EXPECT_EQ(state.publisher_monotonic, fixture.now);
    report(fixture, 0x1234, 0, 40); // it says that it has no clock
    EXPECT_FALSE(state.has_publisher_clock);
  }
}

TEST(TrackReceiver, PublisherClockIsForgottenWithItsSource) {
  Fixture fixture(video());
  report(fixture, 0x9999, 1, 10);
  ASSERT_TRUE(fixture.feed(9, 3000, true, "41aa"));
  EXPECT_FALSE(fixture.receiver.sender_state().has_publisher_clock);
  report(fixture, 0x1234, 2, 20);
  EXPECT_TRUE(fixture.receiver.sender_state().has_publisher_clock);
  ASSERT_TRUE(fixture.feed(make_packet(7, 100, true, hex("65aa"), 0x5678)));
  EXPECT_FALSE(fixture.receiver.sender_state().has_publisher_clock);
  report(fixture, 0x5678, 3, 30);
  EXPECT_EQ(fixture.receiver.sender_state().publisher_ntp, 3u);
}

TEST(TrackReceiver, ReceiverReportFollowsASenderReport) {
  Fixture udp(video(), true);
  ASSERT_TRUE(udp.feed(10, 0, true, "41aa"));
  ASSERT_TRUE(udp.feed(13, 0, true, "41aa"));
  EXPECT_FALSE(udp.receiver.receiver_report(udp.now, 5));
  RtcpPacket foreign = make_sender_report(SenderReport{1, 2, 3, 4, 5}, "x");
  ASSERT_TRUE(udp.receiver.on_rtcp(foreign.bytes(), udp.now));
  EXPECT_FALSE(udp.receiver.receiver_report(udp.now, 5)); // of another source
  RtcpPacket report = make_sender_report(SenderReport{0x1234, 0x1122334455667788, 3, 4, 5}, "x");
  ASSERT_TRUE(udp.receiver.on_rtcp(report.bytes(), udp.now));
  auto receiver_report = udp.receiver.receiver_report(udp.now + kSecond, 5);
  ASSERT_TRUE(receiver_report);
  struct Blocks final : RtcpListener {
    void on_report_block(uint32_t ssrc, const ReportBlock &found) override {
      reporter = ssrc;
      block = found;
    }
    uint32_t reporter = 0;
    ReportBlock block;
  } blocks;
  ASSERT_TRUE(parse_rtcp(receiver_report->bytes(), blocks));
  EXPECT_EQ(blocks.reporter, 5u);
  EXPECT_EQ(blocks.block.ssrc, 0x1234u);
  EXPECT_EQ(blocks.block.cumulative_lost, 2);
  EXPECT_EQ(blocks.block.fraction_lost, 128);
  EXPECT_EQ(blocks.block.highest_sequence, 13u);
  EXPECT_EQ(blocks.block.last_sr, 0x33445566u);
  EXPECT_EQ(blocks.block.delay_since_last_sr, 65536u);
  EXPECT_EQ(udp.receiver.sender_state().publisher_rtp_time, 3u);
  EXPECT_FALSE(udp.receiver.on_rtcp(hex("80c8"), udp.now));
}

TEST(TrackReceiver, KnownParameterSetsAreNoUpdate) {
  Fixture tcp(video(Codec::H264, kFmtp));
  ASSERT_TRUE(tcp.feed(1, 0, false, kSps));
  ASSERT_TRUE(tcp.feed(2, 0, false, kPps));
  ASSERT_TRUE(tcp.feed(3, 0, true, "65aa"));
  EXPECT_FALSE(tcp.receiver.take_updated_track());
}

TEST(TrackReceiver, NewParameterSetsUpdateTheTrackOnce) {
  Fixture tcp(video(Codec::H264, "packetization-mode=1"));
  ASSERT_TRUE(tcp.feed(1, 0, false, kSps));
  EXPECT_FALSE(tcp.receiver.take_updated_track());
  ASSERT_TRUE(tcp.feed(2, 0, false, kPps));
  EXPECT_FALSE(tcp.receiver.take_updated_track());
  ASSERT_TRUE(tcp.feed(3, 0, true, "65aa"));
  auto track = tcp.receiver.take_updated_track();
  ASSERT_TRUE(track);
  EXPECT_EQ(track->fmtp, kFmtp);
  EXPECT_EQ(track->payload_type, 96);
  EXPECT_FALSE(tcp.receiver.take_updated_track());
  ASSERT_TRUE(tcp.feed(4, 3000, false, kSps));
  ASSERT_TRUE(tcp.feed(5, 3000, true, "65aa"));
  EXPECT_FALSE(tcp.receiver.take_updated_track());
}

TEST(TrackReceiver, FurtherAndUnreadableParameterSetsAreLeftAlone) {
  Fixture tcp(video(Codec::H264, kFmtp));
  ASSERT_TRUE(tcp.feed(1, 0, false, kSps));
  ASSERT_TRUE(tcp.feed(2, 0, false, kPps));
  ASSERT_TRUE(tcp.feed(3, 0, false, "684eb1")); // a second PPS
  ASSERT_TRUE(tcp.feed(4, 0, true, "65aa"));
  ASSERT_TRUE(tcp.feed(5, 3000, false, "67640000")); // broken
  ASSERT_TRUE(tcp.feed(6, 3000, true, "65aa"));
  EXPECT_FALSE(tcp.receiver.take_updated_track());
}

TEST(TrackReceiver, H265ParameterSetsUpdateTheTrack) {
  Fixture tcp(video(Codec::H265));
  ASSERT_TRUE(tcp.feed(1, 0, false,
                       "6001 0018 40010c01ffff01600000030090000003000003003c959809"
                       "002a 42010101600000030090000003000003003ca00a080f165959a4932bc05a020000030002000003003210"
                       "0007 4401c172b46240"));
  ASSERT_TRUE(tcp.feed(2, 0, true, "2601aa"));
  auto track = tcp.receiver.take_updated_track();
  ASSERT_TRUE(track);
  EXPECT_EQ(track->fmtp, "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwA8lZgJ; "
                         "sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oAoIDxZZWaSTK8BaAgAAAwACAAADADIQ; sprop-pps=RAHBcrRiQA==");
  EXPECT_TRUE(tcp.sink.facts[0].random_access);
  EXPECT_FALSE(tcp.sink.facts[0].pts_equals_dts);
  EXPECT_TRUE(tcp.sink.facts[1].pts_equals_dts);
}

TEST(TrackReceiver, ShuffledPublisherComesOutInOrderWithPaddingRemoved) {
  std::mt19937 random(5);
  Fixture udp(audio(Codec::Opus), true);
  std::vector<uint16_t> numbers;
  for (uint16_t i = 0; i < 2000; i++) numbers.push_back(static_cast<uint16_t>(64000 + i));
  std::vector<uint16_t> expected = numbers;
  for (size_t i = 1; i < numbers.size(); i += 20) {
    std::shuffle(numbers.begin() + static_cast<ptrdiff_t>(i),
                 numbers.begin() + static_cast<ptrdiff_t>(std::min(i + 20, numbers.size())), random);
  }
  for (uint16_t number : numbers) {
    ByteVector packet = make_packet(number, number * 960u, false, random() % 2 ? "fcaa" : "fcaa0002");
    if (packet.size() == 16) packet[0] |= 0x20;
    ASSERT_TRUE(udp.feed(packet));
  }
  EXPECT_EQ(udp.sink.sequences, expected);
  for (const ByteVector &packet : udp.sink.packets) EXPECT_EQ(packet.size(), 14u);
}

} // namespace
} // namespace sluice::rtp
