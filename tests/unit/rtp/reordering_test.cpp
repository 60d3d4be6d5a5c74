// DTS of H.264 streams whose SPS does not say how far pictures are reordered.

#include "common/media/picture_order.h"
#include "common/rtp/track_receiver.h"
#include "tests/unit/rtp/media_samples.h"
#include "tests/unit/rtp/reordered_streams.h"

#include <gtest/gtest.h>

namespace sluice::rtp {
namespace {

constexpr Nanoseconds kPicture = 40 * kMillisecond;

enum class Form { Whole, Fragments, BehindDelimiter };

std::vector<ByteVector> payloads(const ByteVector &slice, Form form) {
  if (form == Form::Whole) return {slice};
  if (form == Form::BehindDelimiter) return {hex("0930"), slice};
  ByteVector first = {static_cast<uint8_t>((slice[0] & 0xe0) | 28), static_cast<uint8_t>(0x80 | (slice[0] & 0x1f))};
  ByteVector second = {first[0], static_cast<uint8_t>(0x40 | (slice[0] & 0x1f)), 0xaa};
  first.insert(first.end(), slice.begin() + 1, slice.end());
  return {first, second};
}

// As the ring gets it: in pictures, of the last packet of each.
std::vector<Nanoseconds> receive(const ReorderedStream &stream, Form form) {
  TrackReceiver receiver(video(media::Codec::H264), false);
  Packets out;
  std::vector<Nanoseconds> dts;
  uint16_t sequence = 0;
  auto push = [&](const ByteVector &payload, int pts, bool marker) {
    ByteVector packet = make_packet(sequence++, static_cast<uint32_t>(pts) * 3600, marker, payload);
    EXPECT_TRUE(receiver.on_rtp(packet, kSecond, 0, out));
  };
  push(hex(stream.sps), stream.pictures[0].pts, false);
  for (const ReorderedStream::Picture &picture : stream.pictures) {
    std::vector<ByteVector> parts = payloads(hex(picture.slice), form);
    for (size_t i = 0; i < parts.size(); i++) push(parts[i], picture.pts, i + 1 == parts.size());
    EXPECT_EQ(out.all.back().facts.dts_ns % kPicture, 0);
    dts.push_back(out.all.back().facts.dts_ns / kPicture);
  }
  return dts;
}

TEST(Reordering, DtsIsNeverLateAndSoonExact) {
  for (const ReorderedStream &stream : kReorderedStreams) {
    SCOPED_TRACE(stream.name);
    auto sps = media::parse_h264_sps(hex(stream.sps));
    ASSERT_EQ(sps->reorder_frames.has_value(), sps->poc_type == 2); // which says it, too
    for (Form form : {Form::Whole, Form::Fragments, Form::BehindDelimiter}) {
      std::vector<Nanoseconds> dts = receive(stream, form);
      for (size_t i = 0; i < dts.size(); i++) {
        EXPECT_LE(dts[i], stream.pictures[i].pts) << i;
        EXPECT_GE(dts[i], dts[i == 0 ? 0 : i - 1]) << i;
        if (i < 4) continue; // the depth shows in the first group
        EXPECT_EQ(dts[i], stream.pictures[i].dts) << i;
      }
    }
  }
}

TEST(PictureOrder, CountsWhatIsAhead) {
  const ReorderedStream &pyramid = kReorderedStreams[4];
  media::PictureOrder order(media::parse_h264_sps(hex(pyramid.sps)).value());
  std::vector<size_t> ahead;
  for (size_t i = 0; i < 6; i++) ahead.push_back(order.add(hex(pyramid.pictures[i].slice)).value());
  EXPECT_EQ(ahead, (std::vector<size_t>{0, 1, 2, 1, 0, 1}));
  EXPECT_FALSE(order.add(hex("41")));
  EXPECT_FALSE(order.add(hex("6742c00b")));
}

// Counts of a stream without B pictures that go on in fours: an IDR picture, then P pictures.
TEST(PictureOrder, LargerStepsAreLearnt) {
  media::H264Sps sps;
  sps.log2_max_poc_lsb = 8;
  media::PictureOrder order(sps);
  auto slice = [](bool idr, uint32_t frame_num, uint32_t lsb) {
    // first_mb_in_slice 0, slice_type 0, pic_parameter_set_id 0: 1 1 1; frame_num (4); idr_pic_id 0: 1; lsb (8)
    uint32_t bits =
        idr ? 0x7u << 29 | frame_num << 25 | 1u << 24 | lsb << 16 : 0x7u << 29 | frame_num << 25 | lsb << 17;
    ByteVector out(5);
    out[0] = idr ? 0x65 : 0x41;
    store_be32(out.data() + 1, bits);
    return out;
  };
  EXPECT_EQ(order.add(slice(true, 0, 0)), 0u);
  EXPECT_EQ(order.add(slice(false, 1, 4)), 1u); // another one may be missing
  for (uint32_t i = 2; i < 200; i++) EXPECT_EQ(order.add(slice(false, i % 16, i * 4 % 256)), 0u) << i;
}

} // namespace
} // namespace sluice::rtp
