#include "common/rtp/access_unit.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::rtp {
namespace {

using media::Codec;

// One letter per fact: First, Ends, Random access, Key picture.
std::string facts_of(AccessUnitFinder &finder, uint32_t timestamp, bool marker, std::string_view payload) {
  UnitFacts facts = finder.inspect({marker, 96, 0, timestamp, 1}, hex(payload));
  std::string text;
  if (facts.first) text += 'F';
  if (facts.ends) text += 'E';
  if (facts.random_access) text += 'R';
  if (facts.key_picture) text += 'K';
  return text;
}

TEST(AccessUnits, H264ParameterSetsStartARandomAccessUnit) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, false, "6764000a"), "FR");
  EXPECT_EQ(facts_of(finder, 100, false, "68ebe3"), "");
  EXPECT_EQ(facts_of(finder, 100, false, "0600"), "");
  EXPECT_EQ(facts_of(finder, 100, false, "7c85aa"), "K"); // FU-A, IDR, start
  EXPECT_EQ(facts_of(finder, 100, true, "7c45aa"), "EK"); // end
  EXPECT_EQ(facts_of(finder, 200, true, "41aa"), "FE");
  EXPECT_EQ(facts_of(finder, 300, true, "01aa"), "FE");
}

TEST(AccessUnits, H264AggregatesAreLookedInto) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, false, "78 0004 6764000a 0002 68eb 0002 06aa"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "65aa"), "EK");
  EXPECT_EQ(facts_of(finder, 200, true, "78 0002 09f0 0002 65aa"), "FERK");
  EXPECT_EQ(facts_of(finder, 300, true, "79 1234 0002 65aa"), "FERK"); // STAP-B
}

TEST(AccessUnits, H264UnitIsMarkedAtItsIdrWhenNothingElseCameFirst) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, false, "09f0"), "F");
  EXPECT_EQ(facts_of(finder, 100, false, "65aa"), "RK");
  EXPECT_EQ(facts_of(finder, 100, true, "65bb"), "EK"); // a unit is marked once
}

TEST(AccessUnits, H264FragmentWithoutItsStartIsNoEntry) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, false, "7c05aa"), "FK");
  EXPECT_EQ(facts_of(finder, 100, true, "7c45aa"), "EK");
}

TEST(AccessUnits, H264MarkerAfterParameterSetsDoesNotEndTheUnit) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, true, "6764000a"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "68ebe3"), "");
  EXPECT_EQ(facts_of(finder, 100, true, "65aa"), "EK");
}

TEST(AccessUnits, H264ParameterSetsBehindASliceAreNoEntry) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, false, "41aa"), "F");
  EXPECT_EQ(facts_of(finder, 100, true, "6764000a"), "E");
}

TEST(AccessUnits, NewUnitStartsWithTheTimestampOrAfterTheMarker) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, false, "41aa"), "F");
  EXPECT_EQ(facts_of(finder, 100, false, "41aa"), "");
  EXPECT_EQ(facts_of(finder, 200, false, "41aa"), "F"); // the marker was lost
  EXPECT_EQ(facts_of(finder, 200, true, "41aa"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "41aa"), "FE"); // the timestamp stands still
}

TEST(AccessUnits, EmptyPayloadsHaveNoFacts) {
  AccessUnitFinder finder(Codec::H264);
  EXPECT_EQ(facts_of(finder, 100, true, ""), "");
  EXPECT_EQ(facts_of(finder, 100, true, "65aa"), "FERK");
}

TEST(AccessUnits, H265) {
  AccessUnitFinder finder(Codec::H265);
  EXPECT_EQ(facts_of(finder, 100, false, "6001 0003 40010c 0003 420101 0003 4401c1"), "FR"); // AP
  EXPECT_EQ(facts_of(finder, 100, false, "620193aa"), "K");                                  // FU, IDR_W_RADL, start
  EXPECT_EQ(facts_of(finder, 100, true, "620153aa"), "EK");
  EXPECT_EQ(facts_of(finder, 200, true, "0201d0"), "FE");
  EXPECT_EQ(facts_of(finder, 300, false, "40010c"), "FR"); // VPS alone
  EXPECT_EQ(facts_of(finder, 300, true, "2a01aa"), "EK");  // CRA
  EXPECT_EQ(facts_of(finder, 400, false, "460150"), "F");  // AUD
  EXPECT_EQ(facts_of(finder, 400, true, "2601aa"), "ERK"); // IDR
  EXPECT_EQ(facts_of(finder, 500, true, "02"), "F");       // cut
}

TEST(AccessUnits, Vp8) {
  AccessUnitFinder finder(Codec::Vp8);
  EXPECT_EQ(facts_of(finder, 100, false, "10 00"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "00 00"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "10 01"), "FE");
  EXPECT_EQ(facts_of(finder, 300, false, "90 80 8123 00"), "FR"); // 15-bit PictureID
  EXPECT_EQ(facts_of(finder, 300, true, "11 00"), "E");           // start of partition 1
  EXPECT_EQ(facts_of(finder, 400, true, "90 f0 12 34 56 00"), "FER");
  EXPECT_EQ(facts_of(finder, 500, true, "90 f0 12 34 56 01"), "FE");
  EXPECT_EQ(facts_of(finder, 600, true, "90 f0 12 34"), "FE"); // cut
}

TEST(AccessUnits, Vp9) {
  AccessUnitFinder finder(Codec::Vp9);
  EXPECT_EQ(facts_of(finder, 100, false, "08 82"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "04 82"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "4c 86"), "FE");             // P
  EXPECT_EQ(facts_of(finder, 300, true, "0c 86"), "FE");             // P is not set, but the frame is no key frame
  EXPECT_EQ(facts_of(finder, 400, false, "a8 8123 00 07 82"), "FR"); // PictureID, layer 0, TL0PICIDX
  EXPECT_EQ(facts_of(finder, 400, true, "ac 8123 02 07 82"), "E");   // spatial layer 1
  EXPECT_EQ(facts_of(finder, 500, true, "0e 18 01400140 01 04 55 82"), "FER"); // scalability structure
  EXPECT_EQ(facts_of(finder, 600, true, "0c b0"), "FER");                      // profile 3
  EXPECT_EQ(facts_of(finder, 700, true, "0c b2"), "FE");
  EXPECT_EQ(facts_of(finder, 800, true, "0e ff"), "FE"); // cut
}

TEST(AccessUnits, Av1) {
  AccessUnitFinder finder(Codec::Av1);
  EXPECT_EQ(facts_of(finder, 100, false, "1812"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "9012"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "1032"), "FE");
}

TEST(AccessUnits, MpegVideo) {
  AccessUnitFinder finder(Codec::MpegVideo);
  EXPECT_EQ(facts_of(finder, 100, false, "00002900 000001b3"), "FR"); // sequence header
  EXPECT_EQ(facts_of(finder, 100, true, "00000900 00000105"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "00010a00 00000100"), "FE");  // P
  EXPECT_EQ(facts_of(finder, 300, true, "00021900 00000100"), "FER"); // I
  EXPECT_EQ(facts_of(finder, 400, true, "0002"), "FE");
}

TEST(AccessUnits, Mpeg4Video) {
  AccessUnitFinder finder(Codec::Mpeg4Video);
  EXPECT_EQ(facts_of(finder, 100, false, "000001b001 000001b509 000001b600"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "000001b600"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "000001b640"), "FE"); // P
  EXPECT_EQ(facts_of(finder, 300, true, "000001b620"), "FER");
  EXPECT_EQ(facts_of(finder, 400, true, "000001b3 000001b680"), "FE"); // headers before a B-VOP
  EXPECT_EQ(facts_of(finder, 500, true, "000001b3aa"), "FER");
  EXPECT_EQ(facts_of(finder, 600, true, "000001b6"), "FE");
}

TEST(AccessUnits, Jpeg) {
  AccessUnitFinder finder(Codec::Jpeg);
  EXPECT_EQ(facts_of(finder, 100, false, "00000000 01ff0808"), "FR");
  EXPECT_EQ(facts_of(finder, 100, true, "00000400 01ff0808"), "E");
  EXPECT_EQ(facts_of(finder, 200, true, "00000400 01ff0808"), "FE"); // its start was lost
}

TEST(AccessUnits, AacIsSplitByTheMarker) {
  for (Codec codec : {Codec::Aac, Codec::AacLatm, Codec::Other}) {
    AccessUnitFinder finder(codec);
    EXPECT_EQ(facts_of(finder, 100, true, "0010"), "FER");
    EXPECT_EQ(facts_of(finder, 200, false, "0010"), "FR");
    EXPECT_EQ(facts_of(finder, 200, true, "0010"), "E");
  }
}

TEST(AccessUnits, EachPacketOfOpusAndG711IsOne) {
  for (Codec codec : {Codec::Opus, Codec::Pcmu, Codec::Pcma}) {
    AccessUnitFinder finder(codec);
    EXPECT_EQ(facts_of(finder, 100, true, "aa"), "FER");
    EXPECT_EQ(facts_of(finder, 100, false, "aa"), "FER");
  }
}

TEST(AccessUnits, MpegAudioFragmentsAreJoined) {
  AccessUnitFinder finder(Codec::MpegAudio);
  std::string frame = "fff38044"; // 208 bytes
  std::string hundred;
  for (int i = 0; i < 100; i++) hundred += "55";
  EXPECT_EQ(facts_of(finder, 100, false, "00000000" + frame + hundred + hundred + "55555555"), "FER");
  EXPECT_EQ(facts_of(finder, 200, false, "00000000" + frame + hundred), "FR");
  EXPECT_EQ(facts_of(finder, 200, false, "00000068" + hundred), "");
  EXPECT_EQ(facts_of(finder, 200, false, "000000cc" + std::string("55555555")), "E");
  EXPECT_EQ(facts_of(finder, 300, false, "00000068" + hundred), "F"); // its start was lost
}

struct Units final : NalListener {
  void on_nal_unit(Bytes unit) override { units.emplace_back(unit.begin(), unit.end()); }
  void on_fragmented_unit(uint8_t header, Bytes begin) override {
    fragmented.push_back({header});
    fragmented.back().insert(fragmented.back().end(), begin.begin(), begin.end());
  }
  std::vector<ByteVector> units;
  std::vector<ByteVector> fragmented;
};

TEST(AccessUnits, WholeNalUnitsAreReported) {
  Units units;
  AccessUnitFinder h264(Codec::H264);
  h264.inspect({false, 96, 0, 1, 1}, hex("78 0003 676401 0000 0002 68eb 0009 06"), &units);
  h264.inspect({false, 96, 0, 1, 1}, hex("65aabb"), &units);
  h264.inspect({false, 96, 0, 1, 1}, hex("7c85aa"), &units);
  h264.inspect({false, 96, 0, 1, 1}, hex("7c05bb"), &units);
  EXPECT_EQ(units.fragmented, (std::vector<ByteVector>{hex("65aa")}));
  EXPECT_EQ(units.units, (std::vector<ByteVector>{hex("676401"), hex("68eb"), hex("65aabb")}));
  units.units.clear();
  AccessUnitFinder h265(Codec::H265);
  h265.inspect({false, 96, 0, 1, 1}, hex("6001 0003 40010c 0003 420101"), &units);
  h265.inspect({false, 96, 0, 1, 1}, hex("4401c1"), &units);
  EXPECT_EQ(units.units, (std::vector<ByteVector>{hex("40010c"), hex("420101"), hex("4401c1")}));
}

} // namespace
} // namespace sluice::rtp
