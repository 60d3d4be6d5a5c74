#include "workers/hls/playlist/variant_choice.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

SourceVariant variant(uint64_t bandwidth, std::vector<std::string> codecs, std::string group = {}) {
  return {"v.m3u8", bandwidth, std::move(codecs), std::move(group)};
}

TEST(VariantChoice, IsTheHighestBandwidth) {
  SourceMultivariant playlist{{variant(1, {"avc1.64001f"}), variant(3, {}), variant(2, {"avc1.64001f"})}, {}};
  EXPECT_EQ(choose_variant(playlist)->variant, 1U);
  playlist.variants[2].bandwidth = 3; // the first of several
  EXPECT_EQ(choose_variant(playlist)->variant, 1U);
}

TEST(VariantChoice, PrefersWhatIsCarriedWhole) {
  SourceMultivariant playlist{{variant(9, {"dvh1.05.06"}), variant(8, {"avc1.64001f", "ec-3"}),
                               variant(1, {"avc1.42c01e", "mp4a.40.2"}),
                               variant(2, {"hvc1.1.6.L93.B0", "ac-3", "wvtt"})},
                              {}};
  EXPECT_EQ(choose_variant(playlist)->variant, 3U);
  playlist.variants.resize(2);
  EXPECT_EQ(choose_variant(playlist)->variant, 1U);
  playlist.variants.resize(1);
  EXPECT_FALSE(choose_variant(playlist).has_value());
  EXPECT_FALSE(choose_variant({}).has_value());
}

TEST(VariantChoice, TakesTheAudioThatAPlayerWould) {
  SourceMultivariant playlist{{variant(1, {"avc1.64001f", "mp4a.40.2"}, "b")}, {}};
  EXPECT_FALSE(choose_variant(playlist)->audio);
  playlist.audio = {{"a", "first", "a.m3u8", true, true}, {"b", "x", "x.m3u8", false, false}};
  EXPECT_EQ(choose_variant(playlist)->audio, 1U);
  playlist.audio.push_back({"b", "y", "y.m3u8", false, true});
  playlist.audio.push_back({"b", "z", "z.m3u8", true, true});
  EXPECT_EQ(choose_variant(playlist)->audio, 3U);
  playlist.audio[3].uri.clear(); // it is in the variant
  EXPECT_FALSE(choose_variant(playlist)->audio);
  playlist.variants[0].audio_group.clear();
  playlist.audio[3].uri = "z.m3u8";
  EXPECT_FALSE(choose_variant(playlist)->audio);
}

TEST(CarriedCodecs, AreNamedAsInRfc6381) {
  for (const char *codec :
       {"avc1.64001f", "avc3.640028", "hvc1.1.6.L93.B0", "hev1.1.6.L93.B0", "av01.0.04M.08", "vp09.00.10.08",
        "mp4a.40.2", "mp4a.40.5", "mp4a.40.34", "mp4a.40.02", "mp4a.6B", "Opus", "opus", "ac-3"})
    EXPECT_TRUE(is_carried_codec(codec)) << codec;
  for (const char *codec :
       {"", "ec-3", "dvh1.05.06", "fLaC", "mp4a.40.42", "mp4a.40.", "mp4a.40.2x", "vvc1.1", "theora"})
    EXPECT_FALSE(is_carried_codec(codec)) << codec;
}

} // namespace
} // namespace sluice::hls
