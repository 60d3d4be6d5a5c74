#include "common/rtp/continuation.h"
#include "tests/unit/rtp/make_packet.h"

#include <gtest/gtest.h>

namespace sluice::rtp {
namespace {

constexpr uint32_t kRate = 90'000;

SenderState former() {
  SenderState state;
  state.active = true;
  state.ssrc = 0xaaaa;
  state.first_sequence = 5;
  state.last_sequence = 65'534;
  state.last_rtp_time = 4'294'960'000;
  state.has_reference = true;
  state.reference_rtp_time = 4'294'900'000;
  state.reference_monotonic = 7 * kSecond;
  state.reference_wall = 1000 * kSecond;
  state.packets = 10;
  state.octets = 100;
  return state;
}

Header sent(Continuation &continuation, uint16_t sequence, uint32_t timestamp, uint32_t ssrc, Nanoseconds arrival) {
  ByteVector packet = make_packet(sequence, timestamp, true, ByteVector{9}, ssrc);
  auto header = continuation.header(packet, arrival);
  std::copy(header.begin(), header.end(), packet.begin());
  auto view = parse_packet(packet);
  EXPECT_TRUE(view.has_value());
  return view->header;
}

TEST(Continuation, GoesOnWhereTheStreamStood) {
  Continuation continuation(former(), kRate, 8 * kSecond);
  Header first = sent(continuation, 100, 1000, 0xbbbb, 10 * kSecond);
  EXPECT_EQ(first.ssrc, 0xaaaau);
  EXPECT_EQ(first.sequence, 65'535);
  EXPECT_EQ(first.timestamp, static_cast<uint32_t>(4'294'960'000u + 2 * kRate)); // two seconds later; it wraps
  EXPECT_TRUE(first.marker);
  EXPECT_EQ(first.payload_type, 96);
  Header second = sent(continuation, 102, 4000, 0xbbbb, 10 * kSecond + 1); // one was lost
  EXPECT_EQ(second.sequence, 1);
  EXPECT_EQ(second.timestamp, first.timestamp + 3000);
}

TEST(Continuation, GoesOnHoweverOftenTheSourceChanges) {
  Continuation continuation(former(), kRate, 8 * kSecond);
  Header last = sent(continuation, 100, 1000, 0xbbbb, 10 * kSecond);
  for (uint32_t i = 1; i <= 5; i++) {
    Header next = sent(continuation, static_cast<uint16_t>(i * 9999), i * 0x40000000, i, (10 + i) * kSecond);
    EXPECT_EQ(next.ssrc, 0xaaaau);
    EXPECT_EQ(next.sequence, static_cast<uint16_t>(last.sequence + 1));
    EXPECT_EQ(next.timestamp, last.timestamp + kRate);
    last = next;
  }
}

TEST(Continuation, TimeAlwaysMovesOn) {
  Continuation continuation(former(), kRate, 10 * kSecond);
  Header first = sent(continuation, 1, 1, 1, 9 * kSecond);
  EXPECT_GT(static_cast<int32_t>(first.timestamp - 4'294'960'000u), 0);
}

// Where the last packet is the reference, its own arrival counts: others of the stream may have come since.
TEST(Continuation, ASilentTrackKeepsItsTime) {
  SenderState state = former();
  state.reference_rtp_time = state.last_rtp_time;
  Continuation continuation(state, kRate, 9 * kSecond);
  EXPECT_EQ(sent(continuation, 1, 1, 1, 10 * kSecond).timestamp,
            static_cast<uint32_t>(state.last_rtp_time + 3 * kRate));
}

TEST(Continuation, ReportsTellOfTheWhole) {
  Continuation continuation(former(), kRate, 8 * kSecond);
  EXPECT_EQ(continuation.state(SenderState{}).last_sequence, 65'534);
  Header first = sent(continuation, 100, 1000, 0xbbbb, 10 * kSecond);
  SenderState source;
  source.active = true;
  source.ssrc = 0xbbbb;
  source.first_sequence = source.last_sequence = 100;
  source.last_rtp_time = 1000;
  source.packets = 1;
  source.octets = 7;
  SenderState whole = continuation.state(source);
  EXPECT_EQ(whole.ssrc, 0xaaaau);
  EXPECT_EQ(whole.first_sequence, 5);
  EXPECT_EQ(whole.last_sequence, first.sequence);
  EXPECT_EQ(whole.last_rtp_time, first.timestamp);
  EXPECT_EQ(whole.packets, 11u);
  EXPECT_EQ(whole.octets, 107u);
  EXPECT_EQ(whole.reference_rtp_time, 4'294'900'000u); // until there is a newer one
  EXPECT_EQ(whole.reference_monotonic, 7 * kSecond);

  source.has_reference = source.has_publisher_clock = true;
  source.reference_rtp_time = 1000;
  source.reference_monotonic = 10 * kSecond;
  source.publisher_rtp_time = 1500;
  source.publisher_ntp = 3;
  whole = continuation.state(source);
  EXPECT_EQ(whole.reference_rtp_time, first.timestamp);
  EXPECT_EQ(whole.reference_monotonic, 10 * kSecond);
  EXPECT_EQ(whole.publisher_rtp_time, first.timestamp + 500);
  EXPECT_EQ(whole.publisher_ntp, 3u);
}

} // namespace
} // namespace sluice::rtp
