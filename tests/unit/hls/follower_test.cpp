#include "workers/hls/playlist/parser.h"
#include "workers/hls/pull/follower.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

constexpr const char *kUrl = "http://h/live/index.m3u8";

// Playlists in, requests out.
class FollowerTest : public testing::Test {
protected:
  void give(const std::string &text, Nanoseconds at = kSecond, const char *base = kUrl) {
    auto playlist = parse_playlist(text);
    ASSERT_TRUE(playlist) << playlist.error().message;
    follower.on_load(at);
    follower.on_playlist(std::get<SourceMedia>(std::move(*playlist)), base, at);
  }
  // Segments of 4 s: "a0.ts", "a1.ts" …
  static std::string plain(int first, int count, const std::string &more = "") {
    std::string text = fmt::format("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{}\n", first);
    for (int i = first; i < first + count; i++) text += fmt::format("#EXTINF:4,\na{}.ts\n", i);
    return text + more;
  }
  std::string next() {
    auto fetch = follower.next();
    if (!fetch) return "error: " + fetch.error().message;
    if (!*fetch) return "nothing";
    const char *kinds[] = {"key ", "map ", ""};
    std::string text = kinds[static_cast<int>((*fetch)->kind)] + (*fetch)->url;
    if ((*fetch)->range) text += fmt::format(" {}+{}", (*fetch)->range->offset, (*fetch)->range->length);
    if ((*fetch)->cipher)
      text += fmt::format(" key {} vector {}", (*fetch)->cipher->key[0], (*fetch)->cipher->vector[15]);
    if (!(*fetch)->begins_segment) text += " goes on";
    if (!(*fetch)->ends_segment) text += " unfinished";
    return text;
  }
  std::vector<std::string> all() {
    std::vector<std::string> urls;
    for (std::string text = next(); text != "nothing" && urls.size() < 100; text = next()) {
      urls.push_back(text);
      if (text.starts_with("error")) break;
      if (text.starts_with("key "))
        EXPECT_TRUE(follower.on_key(ByteVector(16, static_cast<uint8_t>(++keys))));
      else
        follower.done();
    }
    return urls;
  }

  Follower follower{kUrl};
  int keys = 0;
};

using Urls = std::vector<std::string>;

TEST_F(FollowerTest, BeginsThreeTargetDurationsFromTheEndOfALiveStream) {
  EXPECT_EQ(next(), "nothing");
  give(plain(10, 8));
  EXPECT_EQ(all(), (Urls{"http://h/live/a15.ts", "http://h/live/a16.ts", "http://h/live/a17.ts"}));
  EXPECT_FALSE(follower.finished());
}

TEST_F(FollowerTest, BeginsWhereHoldBackSays) {
  give(plain(10, 8, "#EXT-X-SERVER-CONTROL:HOLD-BACK=20\n"));
  EXPECT_EQ(next(), "http://h/live/a13.ts");
}

TEST_F(FollowerTest, BeginsWithTheFirstOfAShortOne) {
  give(plain(0, 2));
  EXPECT_EQ(all(), (Urls{"http://h/live/a0.ts", "http://h/live/a1.ts"}));
}

TEST_F(FollowerTest, TakesARecordingFromItsBegin) {
  give(plain(0, 9, "#EXT-X-ENDLIST\n"));
  EXPECT_FALSE(follower.reload());
  EXPECT_FALSE(follower.finished());
  EXPECT_EQ(all().size(), 9U);
  EXPECT_TRUE(follower.finished());
}

TEST_F(FollowerTest, OffersTheSameUntilItIsDone) {
  give(plain(0, 2));
  EXPECT_EQ(next(), "http://h/live/a0.ts");
  EXPECT_EQ(next(), "http://h/live/a0.ts");
  give(plain(0, 3)); // while it is under way
  EXPECT_EQ(next(), "http://h/live/a0.ts");
  follower.done();
  EXPECT_EQ(all(), (Urls{"http://h/live/a1.ts", "http://h/live/a2.ts"}));
}

TEST_F(FollowerTest, GoesOnWhereThePlaylistHasMovedTo) {
  give(plain(0, 3));
  EXPECT_EQ(next(), "http://h/live/a0.ts");
  give(plain(5, 3));
  follower.done(); // of what is gone
  EXPECT_EQ(all(), (Urls{"http://h/live/a5.ts", "http://h/live/a6.ts", "http://h/live/a7.ts"}));
  EXPECT_EQ(follower.missed_segments(), 5U);
}

TEST_F(FollowerTest, IgnoresAPlaylistThatIsOlderThanTheLast) {
  give(plain(3, 3), 10 * kSecond);
  all();
  give(plain(2, 3), 14 * kSecond);
  EXPECT_EQ(next(), "nothing");
  EXPECT_EQ(follower.changed_at(), 10 * kSecond);
  give(plain(4, 3), 18 * kSecond);
  EXPECT_EQ(all(), (Urls{"http://h/live/a6.ts"}));
  EXPECT_EQ(follower.changed_at(), 18 * kSecond);
}

TEST_F(FollowerTest, ReloadsAfterATargetDurationOrHalfOfItWhenNothingIsNew) {
  EXPECT_EQ(follower.reload()->url, kUrl);
  give(plain(0, 3), 10 * kSecond);
  EXPECT_EQ(follower.reload()->due, 14 * kSecond);
  give(plain(0, 3), 14 * kSecond);
  EXPECT_EQ(follower.reload()->due, 16 * kSecond);
  give(plain(1, 3), 16 * kSecond);
  EXPECT_EQ(follower.reload()->due, 20 * kSecond);
  EXPECT_FALSE(follower.reload()->blocks);
}

TEST_F(FollowerTest, KeepsToABoundWhateverTheTargetDuration) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXTINF:0,\na.ts\n", 10 * kSecond);
  EXPECT_EQ(follower.reload()->due, 11 * kSecond);
  Follower other(kUrl);
  std::swap(follower, other);
  give("#EXTM3U\n#EXT-X-TARGETDURATION:10000\n#EXTINF:1,\na.ts\n", 10 * kSecond);
  EXPECT_LE(follower.reload()->due, 200 * kSecond);
}

TEST_F(FollowerTest, ResolvesAgainstWhereThePlaylistCameFrom) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/b/c.ts?x=y\n#EXTINF:4,\nhttps://other/d.ts\n", kSecond,
       "https://cdn/1/2/i.m3u8");
  EXPECT_EQ(all(), (Urls{"https://cdn/b/c.ts?x=y", "https://other/d.ts"}));
  EXPECT_EQ(follower.reload()->url, kUrl);
}

TEST_F(FollowerTest, LeavesTheWebNever) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n");
  EXPECT_EQ(next(), "error: the playlist refers to what is not on the web");
}

TEST_F(FollowerTest, FetchesAMapOnceAndAgainWhenItIsAnother) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:4,\na.mp4\n#EXTINF:4,\nb.mp4\n"
       "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i.mp4\",BYTERANGE=\"9@3\"\n#EXTINF:4,\nc.mp4\n#EXT-X-ENDLIST\n");
  EXPECT_EQ(all(), (Urls{"map http://h/live/i.mp4", "http://h/live/a.mp4", "http://h/live/b.mp4",
                         "map http://h/live/i.mp4 3+9", "http://h/live/c.mp4"}));
}

TEST_F(FollowerTest, TellsDiscontinuities) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXTINF:4,\na.ts\n#EXT-X-DISCONTINUITY\n"
       "#EXTINF:4,\nb.ts\n");
  EXPECT_EQ(follower.next().value()->discontinuity, 7U);
  follower.done();
  EXPECT_EQ(follower.next().value()->discontinuity, 8U);
}

TEST_F(FollowerTest, FetchesByteRangesAndLeavesOutGaps) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n#EXT-X-BYTERANGE:100@0\na.ts\n#EXTINF:4,\n#EXT-X-GAP\n"
       "x.ts\n#EXTINF:4,\n#EXT-X-BYTERANGE:50@200\na.ts\n");
  EXPECT_EQ(all(), (Urls{"http://h/live/a.ts 0+100", "http://h/live/a.ts 200+50"}));
  EXPECT_EQ(follower.missed_segments(), 1U);
}

TEST_F(FollowerTest, FetchesKeysOnceEach) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXTINF:4,\na."
       "ts\n"
       "#EXTINF:4,\nb.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2\",IV=0x9\n#EXTINF:4,\nc.ts\n"
       "#EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXTINF:4,\nd.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\ne.ts\n#EXT-X-"
       "ENDLIST\n");
  EXPECT_EQ(all(),
            (Urls{"key http://h/live/k1", "http://h/live/a.ts key 1 vector 5", "http://h/live/b.ts key 1 vector 6",
                  "key http://h/live/k2", "http://h/live/c.ts key 2 vector 9", "http://h/live/d.ts key 1 vector 8",
                  "http://h/live/e.ts"}));
}

TEST_F(FollowerTest, RefusesKeysOfAnotherSizeAndMethodsThatItDoesNotKnow) {
  give("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:4,\na.ts\n"
       "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:4,\nb.ts\n#EXT-X-ENDLIST\n");
  EXPECT_EQ(next(), "key http://h/live/k");
  EXPECT_EQ(follower.on_key(ByteVector(15)).error().message, "a key of 15 bytes; expected 16");
  EXPECT_EQ(all().back(), "error: segments are encrypted in a way that is not supported");
}

TEST_F(FollowerTest, ForgetsTheOldestOfManyKeys) {
  std::string text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n";
  for (size_t i = 0; i <= kMaxCachedKeys; i++)
    text += fmt::format("#EXT-X-KEY:METHOD=AES-128,URI=\"k{}\"\n#EXTINF:4,\na.ts\n", i);
  give(text + "#EXT-X-KEY:METHOD=AES-128,URI=\"k0\"\n#EXTINF:4,\nz.ts\n#EXT-X-ENDLIST\n");
  Urls urls = all();
  ASSERT_EQ(urls.size(), 2 * (kMaxCachedKeys + 1) + 2);
  EXPECT_EQ(urls[urls.size() - 2], "key http://h/live/k0");
}

std::string low_latency(const std::string &segments) {
  return "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n"
         "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n#EXT-X-MEDIA-SEQUENCE:5\n" +
         segments;
}

std::string part(const char *name, bool independent = false) {
  return fmt::format("#EXT-X-PART:DURATION=1,URI=\"{}\"{}\n", name, independent ? ",INDEPENDENT=YES" : "");
}

TEST_F(FollowerTest, TakesPartsFromAnIndependentOneOn) {
  std::string fifth = part("5.0", true) + part("5.1") + part("5.2", true) + part("5.3") + "#EXTINF:4,\n5\n";
  give(low_latency(fifth + part("6.0", true) + part("6.1")));
  EXPECT_EQ(all(), (Urls{"http://h/live/5.2 goes on unfinished", "http://h/live/5.3 goes on",
                         "http://h/live/6.0 unfinished", "http://h/live/6.1 goes on unfinished"}));
  Reload reload = follower.reload().value();
  EXPECT_TRUE(reload.blocks);
  EXPECT_EQ(reload.url, std::string(kUrl) + "?_HLS_msn=6&_HLS_part=2");
  EXPECT_LT(reload.due, 2 * kSecond);
  give(low_latency(fifth + part("6.0", true) + part("6.1") + part("6.2") + "#EXTINF:3,\n6\n"));
  EXPECT_EQ(all(), (Urls{"http://h/live/6.2 goes on"}));
  EXPECT_TRUE(follower.reload()->url.ends_with("_HLS_msn=7&_HLS_part=0"));
}

TEST_F(FollowerTest, DoesNotAskAtOnceAgainWhenABlockingReloadBringsNothing) {
  std::string text = low_latency(part("5.0", true) + part("5.1"));
  give(text, 10 * kSecond);
  give(text, 11 * kSecond);
  EXPECT_EQ(follower.reload()->due, 13 * kSecond);
}

TEST_F(FollowerTest, GoesOnWithTheNextSegmentWhenPartsAreGone) {
  give(low_latency(part("5.0", true) + part("5.1")));
  EXPECT_EQ(all().size(), 2U);
  give(low_latency("#EXTINF:4,\n5\n#EXTINF:4,\n6\n" + part("7.0", true)));
  EXPECT_EQ(all(), (Urls{"http://h/live/6", "http://h/live/7.0 unfinished"}));
  EXPECT_EQ(follower.missed_segments(), 1U);
}

TEST_F(FollowerTest, AddsItsParametersToAQuery) {
  follower = Follower("http://h/i.m3u8?token=1");
  give(low_latency(part("5.0", true)));
  EXPECT_EQ(follower.reload()->url, "http://h/i.m3u8?token=1&_HLS_msn=5&_HLS_part=1");
}

TEST_F(FollowerTest, KnowsHowMuchIsAhead) {
  give(plain(10, 8));
  EXPECT_EQ(follower.listed_ahead(), 12 * kSecond);
  next();
  follower.done();
  EXPECT_EQ(follower.listed_ahead(), 8 * kSecond);
}

} // namespace
} // namespace sluice::hls
