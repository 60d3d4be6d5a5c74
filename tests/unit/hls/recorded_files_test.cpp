// Short files that FFmpeg wrote, which the fuzz targets begin with: a byte for the target, then the file.

#include "demux_record.h"
#include "workers/hls/demux/mp4_reader.h"
#include "workers/hls/demux/mpegts_reader.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <map>

namespace sluice::hls {
namespace {

ByteVector load(const std::string &name) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/tests/fuzz/corpus/" + name, std::ios::binary);
  ByteVector bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_GT(bytes.size(), 1000U) << name;
  return bytes;
}

struct Expected {
  const char *name;
  const char *video; // as RTP calls it
  size_t pictures;
  const char *audio;
  size_t frames;
};

void expect(const DemuxRecord &record, const Expected &expected) {
  std::map<std::string, std::vector<RecordedUnit>> found;
  for (size_t i = 0; i < record.tracks.size(); i++) found[record.tracks[i].track.encoding] = record.of(i);
  EXPECT_EQ(found[expected.video].size(), expected.pictures) << expected.name;
  EXPECT_EQ(found[expected.audio].size(), expected.frames) << expected.name;
  for (const auto &[name, units] : found) {
    for (size_t i = 0; i < units.size(); i++) {
      EXPECT_FALSE(units[i].after_loss) << expected.name << " " << name;
      EXPECT_GE(units[i].pts_ns, units[i].dts_ns) << expected.name << " " << name;
      EXPECT_TRUE(i == 0 || units[i].dts_ns > units[i - 1].dts_ns) << expected.name << " " << name;
    }
    EXPECT_TRUE(units.empty() || units[0].random_access) << expected.name << " " << name;
  }
}

TEST(RecordedFiles, OfMpegTsAreRead) {
  for (const Expected &expected :
       {Expected{"h264_aac", "H264", 5, "mpeg4-generic", 11}, Expected{"h265_ac3", "H265", 3, "ac3", 4},
        Expected{"h264_opus", "H264", 3, "opus", 6}, Expected{"mp3", "", 0, "MPA", 6}}) {
    ByteVector file = load(std::string("mpegts/") + expected.name);
    MpegTsReader reader;
    DemuxRecord record;
    reader.push(Bytes(file).subspan(1), record);
    reader.end_segment(record);
    expect(record, expected);
    EXPECT_EQ(reader.lost_packets() + reader.dropped_units(), 0U) << expected.name;
  }
}

TEST(RecordedFiles, OfMp4AreRead) {
  for (const Expected &expected :
       {Expected{"h264_aac", "H264", 5, "mpeg4-generic", 11}, Expected{"h265_ac3", "H265", 3, "ac3", 4},
        Expected{"hev1_opus", "H265", 3, "opus", 6}, Expected{"vp9_mp3", "VP9", 3, "MPA", 6},
        Expected{"av1_aac", "AV1", 3, "mpeg4-generic", 6}}) {
    ByteVector file = load(std::string("mp4/") + expected.name);
    Mp4Reader reader;
    DemuxRecord record;
    ASSERT_TRUE(reader.push(Bytes(file).subspan(1), record).has_value()) << expected.name;
    reader.end_file(record);
    expect(record, expected);
    EXPECT_EQ(reader.dropped_units(), 0U) << expected.name;
  }
}

} // namespace
} // namespace sluice::hls
