#include "common/media/av1.h"
#include "common/media/hevc_configuration.h"
#include "tests/unit/hls/mux_harness.h"

namespace sluice::hls {
namespace {

using media::Codec;
using media::MediaKind;

constexpr const char *kHevc =
    "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959409a10001002b"
    "42010101600000030090000003000003003ca00a8804071111965654a4c2f0168080000003008000000c84a2000100064401c073c189";
constexpr const char *kAv1 = "81000c000a0b000000043d07c402f80040";
constexpr const char *kFlac = "00000022120012000004490004de0ac440f0000033aecd36f8ab0a878da30b37b9efb6c64d51";

ByteVector section_of(const TrackFormat &format) {
  const TrackFormat *formats[] = {&format};
  ByteVector out;
  append_initialisation(formats, out);
  return out;
}

Bytes description_of(const ByteVector &section, size_t track = 0) {
  return find_box(section, "moov/trak/mdia/minf/stbl/stsd", track).subspan(8); // version and count
}

// The boxes in a sample entry, whose own fields are 78 (video) or 28 bytes.
std::vector<Mp4Box> entry_boxes(const ByteVector &section, bool video) {
  std::vector<Mp4Box> entries = read_boxes(description_of(section));
  return read_boxes(entries.at(0).content.subspan(video ? 78 : 28));
}

TEST(Mp4, DescribesVideoAndAudio) {
  TrackFormat video = make_format(h264_track().track, h264_track().sets).value();
  TrackFormat audio = make_format(aac_track().track, media::ParameterSets{}).value();
  const TrackFormat *formats[] = {&video, &audio};
  ByteVector section;
  append_initialisation(formats, section);
  std::vector<Mp4Box> boxes = read_boxes(section);
  ASSERT_EQ(boxes.size(), 2u);
  EXPECT_EQ(boxes[0].type, "ftyp");
  EXPECT_EQ(boxes[1].type, "moov");
  EXPECT_EQ(find_box(section, "moov/mvhd").size(), 100u);
  Bytes header = find_box(section, "moov/trak/tkhd", 0);
  ASSERT_EQ(header.size(), 84u);
  EXPECT_EQ(load_be32(header.data()), 3u);
  EXPECT_EQ(load_be32(header.data() + 12), 1u);
  EXPECT_EQ(load_be32(header.data() + 76), 1280u << 16);
  EXPECT_EQ(load_be32(header.data() + 80), 718u << 16);
  EXPECT_EQ(load_be32(find_box(section, "moov/trak/tkhd", 1).data() + 12), 2u);
  EXPECT_EQ(load_be32(find_box(section, "moov/trak/mdia/mdhd", 0).data() + 12), 90000u);
  EXPECT_EQ(load_be32(find_box(section, "moov/trak/mdia/mdhd", 1).data() + 12), 48000u);
  EXPECT_EQ(as_text(find_box(section, "moov/trak/mdia/hdlr", 0).subspan(8, 4)), "vide");
  EXPECT_EQ(as_text(find_box(section, "moov/trak/mdia/hdlr", 1).subspan(8, 4)), "soun");
  EXPECT_EQ(load_be32(find_box(section, "moov/mvex/trex", 1).data() + 4), 2u);

  std::vector<Mp4Box> entry = read_boxes(description_of(section, 0));
  ASSERT_EQ(entry.size(), 1u);
  EXPECT_EQ(entry[0].type, "avc1");
  EXPECT_EQ(load_be16(entry[0].content.data() + 24), 1280);
  EXPECT_EQ(load_be16(entry[0].content.data() + 26), 718);
  std::vector<Mp4Box> inner = read_boxes(entry[0].content.subspan(78));
  ASSERT_EQ(inner.size(), 1u);
  EXPECT_EQ(inner[0].type, "avcC");
  EXPECT_EQ(ByteVector(inner[0].content.begin(), inner[0].content.end()), video.configuration);
}

TEST(Mp4, DescribesAacInAnElementaryStreamDescriptor) {
  ByteVector section = section_of(make_format(aac_track().track, media::ParameterSets{}).value());
  std::vector<Mp4Box> entry = read_boxes(description_of(section));
  EXPECT_EQ(entry.at(0).type, "mp4a");
  EXPECT_EQ(load_be16(entry[0].content.data() + 16), 2);
  EXPECT_EQ(load_be32(entry[0].content.data() + 24), 48000u << 16);
  std::vector<Mp4Box> inner = entry_boxes(section, false);
  ASSERT_EQ(inner.at(0).type, "esds");
  EXPECT_EQ(ByteVector(inner[0].content.begin(), inner[0].content.end()),
            hex("00000000 03 19 0000 00  04 11 40 15 000000 00000000 00000000  05 02 1190  06 01 02"));
}

TEST(Mp4, DescribesOtherCodecs) {
  struct Case {
    Codec codec;
    const char *entry, *box, *content, *name;
    media::ParameterSets sets;
    std::string fmtp;
    ByteVector frame;
  };
  auto hevc = media::parse_hevc_configuration(hex(kHevc)).value().sets;
  media::ParameterSets av1{{}, media::parse_av1_configuration(hex(kAv1)).value(), {}};
  std::string flac_fmtp = std::string("streaminfo=") + (kFlac + 8);
  std::vector<Case> cases = {
      {Codec::H265, "hvc1", "hvcC", "0101600000009000000000003c", "hvc1.1.6.L60.90", hevc, "", {}},
      {Codec::Av1, "av01", "av1C", kAv1, "av01.0.00M.08", av1, "", {}},
      {Codec::Vp9,
       "vp09",
       "vpcC",
       "01000000 00 0b 82 02 02 02 0000",
       "vp09.00.11.08",
       {},
       "",
       hex("824983420013f00b30")},
      {Codec::Opus, "Opus", "dOps", "00 02 0000 0000bb80 0000 00", "opus", {}, "sprop-stereo=1", {}},
      {Codec::Ac3, "ac-3", "dac3", "101140", "ac-3", {}, "", hex("0b770000144043e1")},
      {Codec::Flac, "fLaC", "dfLa", nullptr, "fLaC", {}, flac_fmtp, {}},
      {Codec::MpegAudio,
       "mp4a",
       "esds",
       "00000000 03 15 0000 00  04 0d 6b 15 000000 00000000 00000000  06 01 02",
       "mp4a.40.34",
       {},
       "",
       hex("fffb9000")}};
  for (const Case &test : cases) {
    bool video = test.codec <= Codec::Jpeg;
    media::Track track{
        video ? MediaKind::Video : MediaKind::Audio, test.codec, 96, video ? 90000u : 48000u, 2, "", test.fmtp};
    auto format = test.frame.empty() ? make_format(track, test.sets) : make_format(track, Bytes(test.frame));
    ASSERT_TRUE(format) << test.entry << ": " << format.error().message;
    EXPECT_EQ(format->codecs, test.name);
    ByteVector section = section_of(*format);
    EXPECT_EQ(read_boxes(description_of(section)).at(0).type, test.entry);
    std::vector<Mp4Box> inner = entry_boxes(section, video);
    ASSERT_EQ(inner.at(0).type, test.box);
    ByteVector expected = test.content != nullptr ? hex(test.content) : hex(std::string("00000000 80") + (kFlac + 2));
    ASSERT_GE(inner[0].content.size(), expected.size()) << test.entry;
    EXPECT_EQ(ByteVector(inner[0].content.begin(), inner[0].content.begin() + static_cast<ptrdiff_t>(expected.size())),
              expected)
        << test.entry;
  }
}

TEST(Mp4, PartsHoldWhatWasPushed) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::LowLatency, {h264_track(), aac_track()}, 200 * kMillisecond);
  std::vector<Unit> units = stream(3 * kSecond);
  feed(segmenter, units, made);
  segmenter.flush(made);
  std::map<uint32_t, std::vector<Mp4Sample>> tracks;
  uint32_t sequence = 0;
  for (const ByteVector &part : made.parts) {
    std::vector<Mp4Box> boxes = read_boxes(part);
    ASSERT_EQ(boxes.size(), 2u);
    EXPECT_EQ(boxes[0].type, "moof");
    EXPECT_EQ(boxes[1].type, "mdat");
    EXPECT_EQ(load_be32(find_box(part, "moof/mfhd").data() + 4), ++sequence);
    EXPECT_EQ(load_be32(find_box(part, "moof/traf/tfhd", 0).data()), 0x020000u); // default-base-is-moof
    for (auto &[id, samples] : read_mp4(part)) {
      if (!tracks[id].empty()) {
        EXPECT_EQ(samples[0].dts, tracks[id].back().dts + tracks[id].back().duration);
      }
      tracks[id].insert(tracks[id].end(), samples.begin(), samples.end());
    }
  }
  std::map<uint32_t, size_t> next;
  for (const Unit &unit : units) {
    auto id = static_cast<uint32_t>(unit.track + 1);
    ASSERT_LT(next[id], tracks[id].size());
    const Mp4Sample &sample = tracks[id][next[id]++];
    Bytes data = sample.data;
    if (unit.track == 0) {
      EXPECT_EQ(load_be32(data.data()), unit.units[0].size());
      data = data.subspan(4);
    }
    EXPECT_EQ(ByteVector(data.begin(), data.end()), unit.units[0]);
    EXPECT_EQ(sample.sync, unit.random_access);
  }
  EXPECT_EQ(next[1], tracks[1].size());
  EXPECT_EQ(next[2], tracks[2].size());
}

TEST(Mp4, PicturesAreWithoutDelimitersAndKnownSets) {
  Unit unit = picture(0, true);
  unit.units.insert(unit.units.begin(), {hex("09f0"), hex(kSps), hex(kPps), hex("68eb01")});
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track()});
  feed(segmenter, std::vector<Unit>{unit}, made);
  segmenter.flush(made);
  auto samples = read_mp4(made.segments.at(0).bytes)[1];
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(ByteVector(samples[0].data.begin(), samples[0].data.begin() + 7), hex("00000003 68eb01")); // another PPS
  EXPECT_EQ(samples[0].data.size(), 7 + 4 + unit.units.back().size());
}

TEST(Mp4, SeveralAudioTracksAreTracksOfTheFile) {
  Recorder made;
  Segmenter segmenter =
      make_segmenter(Variant::LowLatency, {aac_track(), h264_track(), aac_track()}, 200 * kMillisecond);
  for (Unit unit : stream(2 * kSecond)) {
    unit.track = unit.track == 0 ? 1 : 0;
    ASSERT_TRUE(feed(segmenter, unit, made));
    if (unit.track == 0) {
      unit.track = 2;
      ASSERT_TRUE(feed(segmenter, unit, made));
    }
  }
  segmenter.flush(made);
  auto tracks = read_mp4(made.segments.at(0).bytes);
  EXPECT_EQ(tracks.size(), 3u);
  EXPECT_EQ(tracks[1].size(), 25u); // the video leads
  EXPECT_EQ(tracks[2].size(), tracks[3].size());
  EXPECT_EQ(segmenter.facts().codecs, "avc1.64001f,mp4a.40.2");
}

} // namespace
} // namespace sluice::hls
