#include "workers/hls/playlist/file_names.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

TEST(FileNames, AreReadAsTheyAreWritten) {
  const std::string_view id = "0123456789ab";
  for (FileName name : {FileName{}, FileName{.kind = FileKind::Media},
                        FileName{.kind = FileKind::Initialisation, .id = id, .number = 0},
                        FileName{.kind = FileKind::Segment, .id = id, .number = 10, .mpeg_ts = true},
                        FileName{.kind = FileKind::Segment, .id = id, .number = 18446744073709551615U},
                        FileName{.kind = FileKind::Part, .id = id, .number = 7}}) {
    std::string text;
    append_file_name(text, name);
    auto parsed = parse_file_name(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->kind, name.kind) << text;
    EXPECT_EQ(parsed->id, name.id) << text;
    EXPECT_EQ(parsed->number, name.number) << text;
    EXPECT_EQ(parsed->mpeg_ts, name.mpeg_ts) << text;
  }
}

TEST(FileNames, LookAsPromised) {
  std::string text;
  append_file_name(text, {.kind = FileKind::Segment, .id = "0123456789ab", .number = 12, .mpeg_ts = true});
  text += ' ';
  append_file_name(text, {.kind = FileKind::Part, .id = "0123456789ab", .number = 0});
  EXPECT_EQ(text, "0123456789ab_seg12.ts 0123456789ab_part0.mp4");
}

TEST(FileNames, HaveOneSpellingOnly) {
  for (const char *name : {"",
                           "index",
                           "INDEX.m3u8",
                           "index.m3u8x",
                           "stream.m3u",
                           "0123456789ab",
                           "0123456789ab_seg.ts",
                           "0123456789ab_seg01.ts",
                           "0123456789ab_seg00.mp4",
                           "0123456789ab_seg-1.ts",
                           "0123456789ab_seg+1.ts",
                           "0123456789ab_seg 1.ts",
                           "0123456789ab_seg1.TS",
                           "0123456789ab_seg1",
                           "0123456789ab_seg1.ts.mp4",
                           "0123456789ab_seg1x.ts",
                           "0123456789AB_seg1.ts",
                           "0123456789ag_seg1.ts",
                           "0123456789a_seg1.ts",
                           "0123456789abc_seg1.ts",
                           "0123456789ab_init1.ts",
                           "0123456789ab_part1.ts",
                           "0123456789ab_parts1.mp4",
                           "0123456789ab_seg18446744073709551616.ts",
                           "0123456789ab-seg1.ts",
                           "../0123456789ab_seg1.ts"})
    EXPECT_FALSE(parse_file_name(name).has_value()) << name;
}

} // namespace
} // namespace sluice::hls
