#include "paths_harness.h"

#include <gmock/gmock.h>

namespace sluice::paths {
namespace {

using testing::ElementsAre;

TEST_F(PathsTest, RefusesEverythingOnAPathThatIsNotConfigured) {
  const std::string refusal = "0: refused 0 path 'unknown' is not configured";
  EXPECT_THAT(describe("unknown"), ElementsAre(refusal));
  EXPECT_THAT(publish(kPublisher, "unknown"), ElementsAre(refusal));
  EXPECT_THAT(read(kReader, "unknown"), ElementsAre(refusal));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathsTest, IsReadyFromRecordOn) {
  const std::string nobody = "0: refused 1 no one is publishing to path 'a'";
  EXPECT_THAT(describe(), ElementsAre(nobody));
  EXPECT_THAT(publish(kPublisher), ElementsAre("open 1 for a"));
  EXPECT_THAT(describe(), ElementsAre(nobody));
  EXPECT_THAT(read(kReader), ElementsAre(nobody));
  EXPECT_THAT(record(kPublisher), ElementsAre("0: recorded"));
  EXPECT_THAT(describe(), ElementsAre("0: described 1"));
  EXPECT_THAT(read(kReader), ElementsAre("subscribe 0", "grant 1"));
}

TEST_F(PathsTest, GrantsAgainToAReaderThatHasTheStream) {
  publish(kPublisher), record(kPublisher), read(kReader);
  EXPECT_THAT(read(kReader), ElementsAre("grant 1"));
  EXPECT_THAT(release(kReader), ElementsAre("unsubscribe 0"));
}

TEST_F(PathsTest, SubscribesASlotOnceHoweverManyReadersItHas) {
  publish(kPublisher), record(kPublisher);
  EXPECT_THAT(read(session(10, 1)), ElementsAre("subscribe 1", "grant 1"));
  EXPECT_THAT(read(session(11, 1)), ElementsAre("grant 1"));
  EXPECT_THAT(release(session(10, 1)), ElementsAre());
  EXPECT_THAT(release(session(11, 1)), ElementsAre("unsubscribe 1"));
}

TEST_F(PathsTest, NewPublisherDisplacesTheOldOneAndItsReaders) {
  publish(kPublisher), record(kPublisher), read(kReader), read(kOther);
  EXPECT_THAT(publish(kRival), ElementsAre("log [path a] closing existing publisher", "0: kick 1 terminated",
                                           "0: kick 3 terminated", "1: kick 4 terminated", "unsubscribe 0",
                                           "unsubscribe 1", "0: ended 1", "1: ended 1", "close 1", "open 2 for a"));
  EXPECT_THAT(record(kPublisher), ElementsAre("0: refused 0 publisher is not assigned to this path anymore"));
  EXPECT_THAT(record(kRival), ElementsAre("1: recorded"));
  EXPECT_THAT(release(kPublisher), ElementsAre());
  EXPECT_THAT(describe(), ElementsAre("0: described 1"));
}

TEST_F(PathsTest, AnnounceAloneDisplaces) {
  publish(kPublisher);
  EXPECT_THAT(publish(kRival), ElementsAre("log [path a] closing existing publisher", "0: kick 1 terminated",
                                           "0: ended 1", "close 1", "open 2 for a"));
}

TEST_F(PathsTest, KeepsThePublisherWhereOverrideIsDisabled) {
  publish(kPublisher, "fixed");
  EXPECT_THAT(publish(kRival, "fixed"), ElementsAre("1: refused 0 someone is already publishing to path 'fixed'"));
  EXPECT_THAT(record(kPublisher), ElementsAre("0: recorded"));
}

// Nothing is displaced before the publisher has said what it publishes, and by then things may be otherwise.
TEST_F(PathsTest, AdmitsWhoCouldPublishNow) {
  publish(kPublisher), record(kPublisher);
  EXPECT_THAT(admit(kRival), ElementsAre("1: admitted"));
  EXPECT_THAT(describe(), ElementsAre("0: described 1"));
  EXPECT_THAT(admit(kRival, "unknown"), ElementsAre("1: refused 0 path 'unknown' is not configured"));
  EXPECT_THAT(admit(kRival, "fixed"), ElementsAre("1: admitted"));
  publish(session(20, 0), "fixed");
  EXPECT_THAT(admit(kRival, "fixed"), ElementsAre("1: refused 0 someone is already publishing to path 'fixed'"));
  EXPECT_THAT(publish(kRival, "fixed"), ElementsAre("1: refused 0 someone is already publishing to path 'fixed'"));
  rules.entries["elsewhere"] = {.source = SourceKind::Redirect};
  EXPECT_THAT(admit(kRival, "elsewhere"),
              ElementsAre("1: refused 0 can't publish to path 'elsewhere' since 'source' is not 'publisher'"));
}

TEST_F(PathsTest, PauseKicksReadersAndRecordMakesReadyAgain) {
  publish(kPublisher), record(kPublisher), read(kOther);
  EXPECT_THAT(pause(kPublisher), ElementsAre("1: kick 4 terminated", "unsubscribe 1"));
  EXPECT_THAT(read(kReader), ElementsAre("0: refused 1 no one is publishing to path 'a'"));
  EXPECT_THAT(record(kPublisher), ElementsAre("0: recorded"));
  EXPECT_THAT(read(kReader), ElementsAre("subscribe 0", "grant 1"));
}

TEST_F(PathsTest, ReleaseOfThePublisherEndsTheStream) {
  publish(kPublisher), record(kPublisher), read(kOther);
  EXPECT_THAT(release(kPublisher),
              ElementsAre("1: kick 4 terminated", "unsubscribe 1", "0: ended 1", "1: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathsTest, DeathOfTheReadersWorkerLeavesThePublisherAlone) {
  publish(kPublisher), record(kPublisher), read(kOther), read(kReader);
  EXPECT_THAT(worker_gone(1), ElementsAre("unsubscribe 1"));
  EXPECT_THAT(describe(), ElementsAre("0: described 1"));
}

TEST_F(PathsTest, FailedGrantIsRefusedAndForgotten) {
  publish(kPublisher);
  EXPECT_THAT(on(GrantFailed{0, 1, kPublisher, 0, "no memory"}),
              ElementsAre("0: refused 2 no memory", "0: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathsTest, ASessionHasOneStream) {
  publish(kPublisher), record(kPublisher);
  EXPECT_THAT(publish(kPublisher, "b"), ElementsAre("0: refused 0 the session is in use already"));
  EXPECT_THAT(read(kPublisher), ElementsAre("0: refused 0 the session is in use already"));
  read(kReader);
  EXPECT_THAT(read(kReader, "b"), ElementsAre("0: refused 0 the session is in use already"));
  EXPECT_THAT(record(kReader), ElementsAre("0: refused 0 publisher is not assigned to this path anymore"));
}

TEST_F(PathsTest, BoundsTheSessionsOfASlot) {
  for (uint64_t i = 0; i < 10; i++) publish(session(100 + i, 0), "p" + std::to_string(i));
  EXPECT_THAT(publish(session(200, 0), "q"), ElementsAre("0: refused 2 too many sessions"));
  EXPECT_THAT(publish(session(200, 1), "q"), ElementsAre("open 11 for q"));
  record(session(200, 1));
  EXPECT_THAT(read(session(201, 0), "q"), ElementsAre("0: refused 2 too many sessions"));
  release(session(100, 0));
  EXPECT_THAT(read(session(201, 0), "q"), ElementsAre("subscribe 0", "grant 11"));
}

TEST_F(PathsTest, DescribesWhatTheWriterLearnedMeanwhile) {
  publish(kPublisher), record(kPublisher);
  media::StreamDescription learned = description();
  learned.tracks[0].fmtp = "sprop-parameter-sets=";
  from(0, control::DescriptionChanged{1, learned});
  auto effects = paths.on_event(FromWorker{0, control::Describe{.request = 1, .path = "a"}}, now);
  EXPECT_EQ(std::get<control::Described>(std::get<Send>(effects[0]).message).description, learned);
}

TEST_F(PathsTest, IgnoresDescriptionsThatAreNotTheWritersOrDoNotFit) {
  publish(kPublisher), record(kPublisher);
  media::StreamDescription other = description();
  other.tracks[0].fmtp = "x";
  from(1, control::DescriptionChanged{1, other});
  from(0, control::DescriptionChanged{7, other});
  from(0, control::DescriptionChanged{1, description(2)});
  auto effects = paths.on_event(FromWorker{0, control::Describe{.request = 1, .path = "a"}}, now);
  EXPECT_EQ(std::get<control::Described>(std::get<Send>(effects[0]).message).description, description());
}

TEST_F(PathsTest, IgnoresUnknownSessions) {
  EXPECT_THAT(release(kReader), ElementsAre());
  EXPECT_THAT(pause(kReader), ElementsAre());
  EXPECT_THAT(worker_gone(5), ElementsAre());
}

} // namespace
} // namespace sluice::paths
