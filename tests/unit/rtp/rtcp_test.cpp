#include "common/rtp/rtcp.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::rtp {
namespace {

struct Recorder final : RtcpListener {
  void on_sender_report(const SenderReport &report) override { reports.push_back(report); }
  void on_report_block(uint32_t ssrc, const ReportBlock &block) override {
    reporters.push_back(ssrc);
    blocks.push_back(block);
  }
  void on_source_name(uint32_t ssrc, std::string_view cname) override {
    names.push_back(std::to_string(ssrc) + ":" + std::string(cname));
  }
  void on_bye(uint32_t ssrc) override { byes.push_back(ssrc); }

  std::vector<SenderReport> reports;
  std::vector<uint32_t> reporters;
  std::vector<ReportBlock> blocks;
  std::vector<std::string> names;
  std::vector<uint32_t> byes;
};

// SR with a block, SDES with two chunks (NAME and CNAME; CNAME), APP, BYE with a reason.
const char *const kCompound = "81c8000c 0000000a 83aa7e80 40000000 11223344 00000064 00001388"
                              "  0000000b 40ffffff 00010005 00000007 12345678 00010000"
                              "82ca0006 0000000a 02016e 010361623f 00000000 0000000c 0100 0000"
                              "80cc0002 0000000a 41424344"
                              "81cb0002 0000000a 03627965";

TEST(Rtcp, CompoundPacketIsReadFieldByField) {
  Recorder recorder;
  auto result = parse_rtcp(hex(kCompound), recorder);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(recorder.reports.size(), 1u);
  EXPECT_EQ(recorder.reports[0].ssrc, 10u);
  EXPECT_EQ(recorder.reports[0].ntp, 0x83aa7e8040000000u);
  EXPECT_EQ(recorder.reports[0].rtp_time, 0x11223344u);
  EXPECT_EQ(recorder.reports[0].packet_count, 100u);
  EXPECT_EQ(recorder.reports[0].octet_count, 5000u);
  ASSERT_EQ(recorder.blocks.size(), 1u);
  EXPECT_EQ(recorder.reporters[0], 10u);
  EXPECT_EQ(recorder.blocks[0].ssrc, 11u);
  EXPECT_EQ(recorder.blocks[0].fraction_lost, 0x40);
  EXPECT_EQ(recorder.blocks[0].cumulative_lost, -1);
  EXPECT_EQ(recorder.blocks[0].highest_sequence, 0x10005u);
  EXPECT_EQ(recorder.blocks[0].jitter, 7u);
  EXPECT_EQ(recorder.blocks[0].last_sr, 0x12345678u);
  EXPECT_EQ(recorder.blocks[0].delay_since_last_sr, 0x10000u);
  EXPECT_EQ(recorder.names, (std::vector<std::string>{"10:ab?", "12:"}));
  EXPECT_EQ(recorder.byes, std::vector<uint32_t>{10});
}

TEST(Rtcp, CutAnywhereButBetweenPacketsIsAnError) {
  ByteVector whole = hex(kCompound);
  for (size_t size = 0; size < whole.size(); size++) {
    Recorder recorder;
    bool between = size == 52 || size == 80 || size == 92;
    EXPECT_EQ(parse_rtcp(Bytes(whole).first(size), recorder).has_value(), between) << size;
  }
}

TEST(Rtcp, ContentsThatDoNotFitTheLengthAreErrors) {
  Recorder recorder;
  EXPECT_FALSE(parse_rtcp(hex("81c90001 0000000a"), recorder));                   // a block is missing
  EXPECT_FALSE(parse_rtcp(hex("80c80001 0000000a"), recorder));                   // no sender information
  EXPECT_FALSE(parse_rtcp(hex("81ca0002 0000000a 01ff4142"), recorder));          // item too long
  EXPECT_FALSE(parse_rtcp(hex("81ca0002 0000000a 01024142"), recorder));          // items without end
  EXPECT_FALSE(parse_rtcp(hex("82ca0002 0000000a 01014100"), recorder));          // second chunk missing
  EXPECT_FALSE(parse_rtcp(hex("82cb0001 0000000a"), recorder));                   // second source missing
  EXPECT_FALSE(parse_rtcp(hex("41c90001 0000000a"), recorder));                   // version 1
  EXPECT_FALSE(parse_rtcp(hex("a0c90001 0000000b"), recorder));                   // padding of 11
  EXPECT_FALSE(parse_rtcp(hex("a2ca0003 0000000a 00000002 00000002"), recorder)); // padding that is no multiple of 4
  EXPECT_TRUE(parse_rtcp(hex("a0c90002 0000000a 00000004"), recorder));
}

TEST(Rtcp, SenderReportWithItsNameIsReadBack) {
  for (size_t length = 0; length <= 80; length++) {
    std::string name(length, 'n');
    RtcpPacket packet = make_sender_report({10, 0x83aa7e8040000000u, 7, 100, 5000}, name);
    EXPECT_EQ(packet.size % 4, 0u);
    Recorder recorder;
    auto result = parse_rtcp(packet.bytes(), recorder);
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(recorder.reports.size(), 1u);
    EXPECT_EQ(recorder.reports[0].ssrc, 10u);
    EXPECT_EQ(recorder.reports[0].ntp, 0x83aa7e8040000000u);
    EXPECT_EQ(recorder.reports[0].rtp_time, 7u);
    EXPECT_EQ(recorder.reports[0].packet_count, 100u);
    EXPECT_EQ(recorder.reports[0].octet_count, 5000u);
    EXPECT_EQ(recorder.names, std::vector<std::string>{"10:" + name.substr(0, kMaxCname)});
  }
}

TEST(Rtcp, ReceiverReportIsReadBack) {
  for (int32_t lost : {0, -5, 0x7fffff, 0x900000}) {
    Recorder recorder;
    ASSERT_TRUE(parse_rtcp(make_receiver_report(99, {11, 64, lost, 0x10005, 7, 8, 9}).bytes(), recorder));
    ASSERT_EQ(recorder.blocks.size(), 1u);
    EXPECT_EQ(recorder.reporters[0], 99u);
    EXPECT_EQ(recorder.blocks[0].ssrc, 11u);
    EXPECT_EQ(recorder.blocks[0].fraction_lost, 64);
    EXPECT_EQ(recorder.blocks[0].cumulative_lost, std::min(lost, 0x7fffff));
    EXPECT_EQ(recorder.blocks[0].highest_sequence, 0x10005u);
    EXPECT_EQ(recorder.blocks[0].jitter, 7u);
    EXPECT_EQ(recorder.blocks[0].last_sr, 8u);
    EXPECT_EQ(recorder.blocks[0].delay_since_last_sr, 9u);
  }
}

TEST(Rtcp, EmptyReceiverReportHasNoBlocks) {
  RtcpPacket packet = make_empty_receiver_report(0x01020304);
  EXPECT_EQ(ByteVector(packet.bytes().begin(), packet.bytes().end()), hex("80c9000101020304"));
}

TEST(Rtcp, NtpCountsFrom1900) {
  EXPECT_EQ(ntp_from_wall(0), uint64_t{2208988800} << 32);
  EXPECT_EQ(ntp_from_wall(kSecond / 2), (uint64_t{2208988800} << 32) + 0x80000000u);
  EXPECT_EQ(ntp_from_wall(-kSecond / 4), (uint64_t{2208988799} << 32) + 0xc0000000u);
}

} // namespace
} // namespace sluice::rtp
