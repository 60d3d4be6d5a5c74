#include "common/rtp/reception_statistics.h"
#include "common/rtp/sender_report.h"

#include <gtest/gtest.h>

namespace sluice::rtp {
namespace {

TEST(ReceptionStatistics, NothingIsReportedBeforeASenderReport) {
  ReceptionStatistics statistics(90000);
  statistics.on_packet(65536, 0, 0);
  EXPECT_FALSE(statistics.report(1, kSecond));
}

TEST(ReceptionStatistics, LossIsReportedByIntervalAndInAll) {
  ReceptionStatistics statistics(90000);
  statistics.on_sender_report({7, 0x0000000112345678, 0, 0, 0}, 10 * kSecond);
  for (uint64_t i = 0; i < 100; i++) {
    if (i % 4 != 1) statistics.on_packet(65536 + 65500 + i, 0, 0);
  }
  auto block = statistics.report(7, 10 * kSecond + kSecond / 2);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->ssrc, 7u);
  EXPECT_EQ(block->fraction_lost, 64);
  EXPECT_EQ(block->cumulative_lost, 25);
  EXPECT_EQ(block->highest_sequence, 0x10000u + (65500 + 99 - 65536));
  EXPECT_EQ(block->last_sr, 0x00011234u);
  EXPECT_EQ(block->delay_since_last_sr, 32768u);
  for (uint64_t i = 100; i < 200; i++) statistics.on_packet(65536 + 65500 + i, 0, 0);
  block = statistics.report(7, 11 * kSecond);
  EXPECT_EQ(block->fraction_lost, 0);
  EXPECT_EQ(block->cumulative_lost, 25);
  EXPECT_EQ(statistics.report(7, 12 * kSecond)->fraction_lost, 0);
}

TEST(ReceptionStatistics, LateAndRepeatedPacketsAreNotLost) {
  ReceptionStatistics statistics(90000);
  statistics.on_sender_report({7, 1, 0, 0, 0}, 0);
  for (uint64_t i : {0, 1, 4, 5, 2}) statistics.on_packet(65536 + i, 0, 0);
  EXPECT_EQ(statistics.report(7, 0)->cumulative_lost, 1);
  statistics.on_duplicate();
  EXPECT_EQ(statistics.report(7, 0)->cumulative_lost, 0);
  statistics.on_duplicate();
  statistics.on_duplicate();
  auto block = statistics.report(7, 0);
  EXPECT_EQ(block->cumulative_lost, -2);
  EXPECT_EQ(block->fraction_lost, 0);
  EXPECT_EQ(block->highest_sequence, 5u);
}

TEST(ReceptionStatistics, JitterFollowsTheFormulaOfTheRfc) {
  ReceptionStatistics statistics(8000);
  statistics.on_packet(65536, 0, 0);
  statistics.on_packet(65537, 160, 20 * kMillisecond);
  EXPECT_EQ(statistics.jitter(), 0u);
  statistics.on_packet(65538, 320, 60 * kMillisecond); // 20 ms late: 160 units
  EXPECT_EQ(statistics.jitter(), 10u);
  statistics.on_packet(65539, 480, 60 * kMillisecond); // early again
  EXPECT_EQ(statistics.jitter(), 19u);
}

SenderState state() {
  SenderState state;
  state.active = true;
  state.ssrc = 0x1234;
  state.last_sequence = 65535;
  state.has_reference = true;
  state.reference_rtp_time = 0xffffff00;
  state.reference_monotonic = 100 * kSecond;
  state.packets = (uint64_t{1} << 32) + 5;
  state.octets = 7000;
  return state;
}

TEST(SenderReport, RtpTimeIsExtrapolatedToNow) {
  auto report = sender_report(state(), 90000, 102 * kSecond, 1000 * kSecond);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->ssrc, 0x1234u);
  EXPECT_EQ(report->rtp_time, 180000u - 0x100);
  EXPECT_EQ(report->ntp, ntp_from_wall(1000 * kSecond));
  EXPECT_EQ(report->packet_count, 5u);
  EXPECT_EQ(report->octet_count, 7000u);
}

TEST(SenderReport, NeedsAReference) {
  SenderState without = state();
  without.has_reference = false;
  EXPECT_FALSE(sender_report(without, 90000, 0, 0));
  EXPECT_FALSE(sender_report({}, 90000, 0, 0));
}

SenderState with_publisher_clock(uint64_t ntp, uint32_t rtp_time) {
  SenderState known = state();
  known.has_publisher_clock = true;
  known.publisher_ntp = ntp;
  known.publisher_rtp_time = rtp_time;
  known.publisher_monotonic = 100 * kSecond;
  return known;
}

constexpr uint64_t ntp(uint64_t seconds, uint32_t fraction = 0) {
  return seconds << 32 | fraction;
}

TEST(SenderReport, LiesOnThatLineAlsoBeforeThePublishersReport) {
  SenderState known = with_publisher_clock(ntp(4133980800, 0x80000000), 1000);
  auto report = sender_report(known, 90000, 100 * kSecond - 1250 * kMillisecond, 0);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rtp_time, 1000u - 112500);
  EXPECT_EQ(report->ntp, ntp(4133980799, 0x40000000));
  EXPECT_EQ(sender_report(known, 90000, 98 * kSecond, 0)->ntp, ntp(4133980798, 0x80000000));
}

TEST(SenderReport, LiesOnTheLineThroughThePublishersReport) {
  SenderState known = with_publisher_clock(ntp(4133980800, 0x80000000), 1000); // 2031
  auto report = sender_report(known, 90000, 100 * kSecond, 5 * kSecond);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->ntp, ntp(4133980800, 0x80000000));
  EXPECT_EQ(report->rtp_time, 1000u);
  EXPECT_EQ(report->ssrc, 0x1234u);
  EXPECT_EQ(report->packet_count, 5u);
  report = sender_report(known, 90000, 102 * kSecond + kSecond / 4, 5 * kSecond);
  EXPECT_EQ(report->ntp, ntp(4133980802, 0xc0000000));
  EXPECT_EQ(report->rtp_time, 1000u + 202500);
  // Between two ticks: both are those of the earlier one. 33333 ticks are 0.37036666… s.
  report = sender_report(known, 90000, 100 * kSecond + 370'370'000, 5 * kSecond);
  EXPECT_EQ(report->rtp_time, 1000u + 33333);
  EXPECT_EQ(report->ntp, ntp(4133980800, 0x80000000) + (uint64_t{33333} << 32) / 90000);
  // What packets arrive when has no part in it.
  known.reference_monotonic = 1;
  known.reference_rtp_time = 77;
  EXPECT_EQ(sender_report(known, 90000, 100 * kSecond + 370'370'000, 0)->ntp, report->ntp);
  EXPECT_EQ(sender_report(known, 90000, 100 * kSecond + 370'370'000, 0)->rtp_time, report->rtp_time);
  known.has_reference = false;
  EXPECT_EQ(sender_report(known, 90000, 100 * kSecond + 370'370'000, 0)->rtp_time, report->rtp_time);
}

TEST(SenderReport, FollowsThePublishersClockAcrossWraps) {
  SenderState known = with_publisher_clock(ntp(4133980800), 0xfffffff0);
  EXPECT_EQ(sender_report(known, 90000, 101 * kSecond, 0)->rtp_time, 90000u - 16);
  // One report for as long as its RTP time takes to come around, and a second more: 2^32 ticks are 47721.858844… s.
  auto report = sender_report(known, 90000, (100 + 47721 + 1) * kSecond + 858'850'000, 0);
  uint64_t ticks = (uint64_t{1} << 32) + 90000;
  EXPECT_EQ(report->rtp_time, 0xfffffff0u + 90000u);
  EXPECT_EQ(report->ntp, ntp(4133980800 + ticks / 90000, static_cast<uint32_t>((ticks % 90000 << 32) / 90000)));
  // 2036-02-07 06:28:16 begins the next era of NTP.
  known = with_publisher_clock(ntp(0xffffffff, 0xc0000000), 5);
  report = sender_report(known, 48000, 100 * kSecond + kSecond / 2, 0);
  EXPECT_EQ(report->ntp, ntp(0, 0x40000000));
  EXPECT_EQ(report->rtp_time, 24005u);
  known = with_publisher_clock(ntp(86400), 5);
  EXPECT_EQ(sender_report(known, 48000, 103 * kSecond, 0)->ntp, ntp(86403));
}

TEST(SenderReport, BearsAnyTimeThatSharedMemoryMayHold) {
  SenderState known = with_publisher_clock(ntp(4133980800), 5);
  for (Nanoseconds arrival : {-(Nanoseconds{1} << 61), Nanoseconds{1} << 61}) {
    known.publisher_monotonic = arrival;
    for (uint32_t rate : {1u, 90000u, UINT32_MAX}) EXPECT_TRUE(sender_report(known, rate, 100 * kSecond, 0));
  }
}

TEST(RtpInfo, NamesTheNextPacketAndATenthOfASecondBeforeNow) {
  auto info = rtp_info(state(), 90000, 102 * kSecond);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->sequence, 0);
  EXPECT_EQ(info->rtp_time, 180000u - 0x100 - 9000);
  EXPECT_FALSE(rtp_info({}, 90000, 0));
  SenderState without = state();
  without.has_reference = false;
  EXPECT_FALSE(rtp_info(without, 90000, 0)->rtp_time);
}

TEST(SenderState, TheReferenceFollowsWhatComesEarliest) {
  SenderState state;
  uint32_t time = 0xFFFFFF00; // wraps soon
  note_arrival(state, 90000, time, 10 * kSecond, 1000 * kSecond);
  EXPECT_EQ(state.reference_monotonic, 10 * kSecond);
  // A second of media later, 300 ms late: moves by a thousandth of that second.
  note_arrival(state, 90000, time += 90000, 11 * kSecond + 300 * kMillisecond, 1001 * kSecond + 300 * kMillisecond);
  EXPECT_EQ(state.reference_rtp_time, time);
  EXPECT_EQ(state.reference_monotonic, 11 * kSecond + kMillisecond);
  EXPECT_EQ(state.reference_wall, 1001 * kSecond + kMillisecond);
  // Earlier than thought: at once.
  note_arrival(state, 90000, time += 90000, 12 * kSecond - 50 * kMillisecond, 1002 * kSecond - 50 * kMillisecond);
  EXPECT_EQ(state.reference_monotonic, 12 * kSecond - 50 * kMillisecond);
  EXPECT_EQ(state.reference_wall, 1002 * kSecond - 50 * kMillisecond);
}

TEST(SenderState, AFarReferenceIsTakenAsItIs) {
  SenderState state;
  note_arrival(state, 90000, 0, 10 * kSecond, 1000 * kSecond);
  note_arrival(state, 90000, 90000, 10 * kSecond + kSecond + kResynchronise, 1010 * kSecond);
  EXPECT_EQ(state.reference_monotonic, 11 * kSecond + kResynchronise);
  EXPECT_EQ(state.reference_wall, 1010 * kSecond);
  note_arrival(state, 90000, 0, 14 * kSecond, 1011 * kSecond); // the RTP time went back
  EXPECT_EQ(state.reference_rtp_time, 0u);
  EXPECT_LE(state.reference_monotonic, 14 * kSecond);
}

} // namespace
} // namespace sluice::rtp
