#include "presentations.h"
#include "workers/hls/playlist/directives.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

TEST(Directives, AreTakenFromAQuery) {
  auto none = parse_directives("user=me&pass=secret");
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->msn || none->part || none->skip);
  auto all = parse_directives("a=b&_HLS_msn=17&_HLS_part=0&_HLS_skip=v2&_HLS_other=x");
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->msn, 17U);
  EXPECT_EQ(all->part, 0U);
  EXPECT_TRUE(all->skip);
  EXPECT_TRUE(parse_directives("_HLS_skip=YES")->skip);
  EXPECT_FALSE(parse_directives("_HLS_skip=NO")->skip);
}

TEST(Directives, ThatMakeNoSenseAreRefused) {
  for (const char *query :
       {"_HLS_msn=", "_HLS_msn=x", "_HLS_msn=1x", "_HLS_msn=-1", "_HLS_msn=1.5", "_HLS_msn=18446744073709551616",
        "_HLS_part=1", "_HLS_msn=1&_HLS_part=", "_HLS_msn=1&_HLS_part=-1", "_HLS_msn=%"})
    EXPECT_FALSE(parse_directives(query).has_value()) << query;
}

TEST(CarriedQuery, IsWhatIsNoDirective) {
  EXPECT_EQ(carried_query("").value(), "");
  EXPECT_EQ(carried_query("_HLS_msn=1&user=me&_HLS_part=2&pass=a%26b&%5FHLS_skip=YES").value(), "user=me&pass=a%26b");
}

TEST(CarriedQuery, CannotBreakALineOrAQuotedString) {
  EXPECT_EQ(carried_query("a=\"x\"\r\n#EXT-X-ENDLIST").value(), "a=%22x%22%0D%0A%23EXT-X-ENDLIST");
  EXPECT_EQ(carried_query("a=\xc3\xa9 \x7f").value(), "a=%C3%A9%20%7F");
  EXPECT_TRUE(carried_query(std::string(kMaxCarriedQuery, 'a')).has_value());
  EXPECT_FALSE(carried_query(std::string(kMaxCarriedQuery + 1, 'a')).has_value());
}

TEST(Answers, WaitForTheFirstSegments) {
  struct {
    Variant variant;
    uint64_t needed;
  } cases[] = {{Variant::MpegTs, 2}, {Variant::Fmp4, 2}, {Variant::LowLatency, 1}};
  for (auto [variant, needed] : cases) {
    EXPECT_FALSE(ready(presentation(variant, 0, needed - 1)));
    EXPECT_TRUE(ready(presentation(variant, 0, needed)));
  }
  EXPECT_EQ(answer({}, {}), Answer::Wait);
  EXPECT_EQ(answer({}, {.msn = 1000}), Answer::Wait);
  Presentation one = presentation(Variant::Fmp4, 0, 1);
  one.segments[0].finished = false;
  EXPECT_FALSE(ready(one));
  one.segments[0].finished = true;
  one.ended = true;
  EXPECT_TRUE(ready(one));
}

TEST(Answers, WaitForASegment) {
  Presentation now = presentation(Variant::LowLatency, 10, 3); // 10, 11, 12
  EXPECT_EQ(answer(now, {.msn = 3}), Answer::Now);
  EXPECT_EQ(answer(now, {.msn = 12}), Answer::Now);
  EXPECT_EQ(answer(now, {.msn = 13}), Answer::Wait);
  EXPECT_EQ(answer(now, {.msn = 14}), Answer::Wait);
  EXPECT_EQ(answer(now, {.msn = 15}), Answer::TooFarAhead);
  EXPECT_EQ(answer(now, {.msn = UINT64_MAX}), Answer::TooFarAhead);
  add_unfinished(now, 2);
  EXPECT_EQ(answer(now, {.msn = 13}), Answer::Wait); // all of it is asked for
  EXPECT_EQ(answer(now, {.msn = 14}), Answer::Wait);
  EXPECT_EQ(answer(now, {.msn = 15}), Answer::TooFarAhead);
}

TEST(Answers, WaitForAPart) {
  Presentation now = presentation(Variant::LowLatency, 10, 3);
  EXPECT_EQ(answer(now, {.msn = 12, .part = 3}), Answer::Now);
  EXPECT_EQ(answer(now, {.msn = 12, .part = 4}), Answer::Wait); // the first one of 13
  EXPECT_EQ(answer(now, {.msn = 13, .part = 0}), Answer::Wait);
  add_unfinished(now, 0);
  EXPECT_EQ(answer(now, {.msn = 12, .part = 3}), Answer::Now);
  EXPECT_EQ(answer(now, {.msn = 12, .part = 4}), Answer::Wait);
  now.segments.pop_back();
  add_unfinished(now, 2);
  EXPECT_EQ(answer(now, {.msn = 12, .part = 4}), Answer::Now);
  EXPECT_EQ(answer(now, {.msn = 13, .part = 1}), Answer::Now);
  EXPECT_EQ(answer(now, {.msn = 13, .part = 2}), Answer::Wait);
  // six parts of half a second are three seconds
  EXPECT_EQ(answer(now, {.msn = 13, .part = 7}), Answer::Wait);
  EXPECT_EQ(answer(now, {.msn = 13, .part = 8}), Answer::TooFarAhead);
}

TEST(Answers, AreGivenAtOnceWhereNothingMoreComes) {
  Presentation ended = presentation(Variant::LowLatency, 10, 3);
  ended.ended = true;
  EXPECT_EQ(answer(ended, {.msn = 13}), Answer::Now);
  EXPECT_EQ(answer(ended, {.msn = 100}), Answer::Now);
  // and where nobody was told to ask
  EXPECT_EQ(answer(presentation(Variant::MpegTs, 10, 3), {.msn = 100}), Answer::Now);
}

} // namespace
} // namespace sluice::hls
