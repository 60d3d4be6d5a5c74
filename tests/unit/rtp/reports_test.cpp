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

} // namespace
} // namespace sluice::rtp
