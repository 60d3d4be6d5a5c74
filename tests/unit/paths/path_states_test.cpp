// On demand, fallback, redirect, commands, the grace after a worker's death, and changes of the configuration.
#include "paths_harness.h"

#include <gmock/gmock.h>

namespace sluice::paths {
namespace {

using testing::ElementsAre;
using testing::Optional;

const std::string kNobody = "0: refused 1 no one is publishing to path 'a'";

struct PathStatesTest : PathsTest {
  PathRules &entry(const std::string &name = "a") { return rules.entries[name]; }
  void make_on_demand() {
    entry().on_demand = {"start", false};
    entry().start_timeout = 5 * kSecond;
    entry().close_after = 3 * kSecond;
  }
};

// --- where readers are sent ---

TEST_F(PathStatesTest, RedirectsDescribeAndNothingElse) {
  entry().source = SourceKind::Redirect;
  entry().redirect = "rtsp://elsewhere/x";
  EXPECT_THAT(describe(), ElementsAre("0: redirected rtsp://elsewhere/x"));
  EXPECT_THAT(read(kReader), ElementsAre(kNobody));
  EXPECT_THAT(publish(kPublisher),
              ElementsAre("0: refused 0 can't publish to path 'a' since 'source' is not 'publisher'"));
  EXPECT_EQ(paths.paths(), 0U);
}

TEST_F(PathStatesTest, FallsBackWhileNobodyPublishes) {
  entry().fallback = "/other";
  EXPECT_THAT(describe(), ElementsAre("0: redirected /other"));
  EXPECT_THAT(read(kReader), ElementsAre(kNobody));
  publish(kPublisher);
  EXPECT_THAT(describe(), ElementsAre("0: redirected /other"));
  record(kPublisher);
  EXPECT_THAT(describe(), ElementsAre("0: described 1"));
}

// --- on demand ---

TEST_F(PathStatesTest, HoldsRequestsUntilTheSourceIsReady) {
  make_on_demand();
  EXPECT_THAT(describe(), ElementsAre("run 1 on demand: start"));
  EXPECT_THAT(read(kOther), ElementsAre());
  EXPECT_THAT(describe("a", 1), ElementsAre());
  EXPECT_THAT(publish(kPublisher), ElementsAre("open 1 for a"));
  EXPECT_THAT(record(kPublisher),
              ElementsAre("0: recorded", "0: described 1", "subscribe 1", "grant 1", "1: described 1"));
  EXPECT_THAT(pass(kSecond * 100), ElementsAre()); // it has a reader
}

TEST_F(PathStatesTest, FailsHeldRequestsWhenTheSourceTakesTooLong) {
  make_on_demand();
  describe();
  read(kOther);
  EXPECT_THAT(paths.next_deadline(), Optional(now + 5 * kSecond));
  EXPECT_THAT(pass(5 * kSecond - 1), ElementsAre());
  EXPECT_THAT(pass(1), ElementsAre("0: refused 0 source of path 'a' has timed out",
                                   "1: refused 0 source of path 'a' has timed out", "end 1"));
  EXPECT_EQ(paths.paths(), 0U);
  EXPECT_EQ(paths.next_deadline(), std::nullopt);
  EXPECT_THAT(describe(), ElementsAre("run 2 on demand: start"));
}

TEST_F(PathStatesTest, StopsTheSourceSomeTimeAfterTheLastReader) {
  make_on_demand();
  describe();
  publish(kPublisher), record(kPublisher);
  EXPECT_THAT(paths.next_deadline(), Optional(now + 3 * kSecond)); // nobody has come to read yet
  read(kReader);
  EXPECT_EQ(paths.next_deadline(), std::nullopt);
  EXPECT_THAT(release(kReader), ElementsAre("unsubscribe 0"));
  read(kOther), release(kOther);
  EXPECT_THAT(pass(3 * kSecond), ElementsAre("0: kick 1 terminated", "end 1", "0: ended 1", "close 1"));
  EXPECT_THAT(release(kPublisher), ElementsAre());
  EXPECT_EQ(paths.paths(), 0U);
}

TEST_F(PathStatesTest, EndsTheDemandWithItsPublisher) {
  make_on_demand();
  describe();
  publish(kPublisher), record(kPublisher), read(kOther);
  EXPECT_THAT(release(kPublisher),
              ElementsAre("end 1", "1: kick 4 terminated", "unsubscribe 1", "0: ended 1", "1: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
  EXPECT_EQ(paths.paths(), 0U);
}

TEST_F(PathStatesTest, KeepsWaitingForAPublisherThatFailsBeforeItRecords) {
  make_on_demand();
  describe();
  publish(kPublisher);
  EXPECT_THAT(release(kPublisher), ElementsAre("0: ended 1", "close 1"));
  publish(kRival);
  EXPECT_THAT(record(kRival), ElementsAre("1: recorded", "0: described 1"));
}

TEST_F(PathStatesTest, ForgetsHeldRequestsOfSessionsAndWorkersThatAreGone) {
  make_on_demand();
  read(kReader), read(kOther);
  EXPECT_THAT(release(kReader), ElementsAre());
  EXPECT_THAT(worker_gone(1), ElementsAre());
  publish(kPublisher);
  EXPECT_THAT(record(kPublisher), ElementsAre("0: recorded"));
}

TEST_F(PathStatesTest, BoundsHeldRequests) {
  make_on_demand();
  for (size_t i = 0; i < kMaxHeld; i++) describe();
  EXPECT_THAT(describe(), ElementsAre("0: refused 2 too many requests wait for path 'a'"));
}

// --- commands ---

TEST_F(PathStatesTest, RunsCommandsWhileWhatTheyAreForLasts) {
  entry().permanent = true;
  entry().on_init = {"init", true};
  entry().on_ready = {"ready", false};
  entry().on_read = {"read", false};
  EXPECT_THAT(reload(), ElementsAre("run 1 on init: init"));
  publish(kPublisher);
  EXPECT_THAT(record(kPublisher), ElementsAre("0: recorded", "run 2 on ready: ready"));
  read(kReader), read(kOther);
  EXPECT_THAT(play(kReader), ElementsAre("run 3 on read: read"));
  EXPECT_THAT(play(kOther), ElementsAre("run 4 on read: read"));
  EXPECT_THAT(from(0, control::ReaderPaused{kReader}), ElementsAre("end 3"));
  EXPECT_THAT(play(kReader), ElementsAre("run 5 on read: read"));
  EXPECT_THAT(release(kReader), ElementsAre("end 5", "unsubscribe 0"));
  EXPECT_THAT(pause(kPublisher), ElementsAre("end 2", "end 4", "1: kick 4 terminated", "unsubscribe 1"));
  rules.removed.insert("a");
  rules.entries.clear();
  EXPECT_THAT(reload(), ElementsAre("0: kick 1 terminated", "0: ended 1", "close 1", "end 1"));
}

// --- a worker's death ---

TEST_F(PathStatesTest, KeepsAStreamForThePublisherWhoseWorkerDied) {
  entry().on_ready = {"ready", false};
  publish(kPublisher), record(kPublisher), read(kReader), read(kOther);
  EXPECT_THAT(worker_gone(0), ElementsAre("unsubscribe 0"));
  EXPECT_THAT(describe("a", 1), ElementsAre("1: described 1"));
  EXPECT_THAT(read(session(9, 1)), ElementsAre("grant 1"));
  EXPECT_THAT(publish(kRival), ElementsAre("continue 1 for a"));
  EXPECT_EQ(paths.next_deadline(), std::nullopt);
  EXPECT_THAT(record(kRival), ElementsAre("1: recorded"));
  EXPECT_THAT(pass(100 * kSecond), ElementsAre());
}

TEST_F(PathStatesTest, EndsTheStreamWhenThePublisherDoesNotReturn) {
  publish(kPublisher), record(kPublisher), read(kOther);
  worker_gone(0);
  EXPECT_THAT(pass(10 * kSecond),
              ElementsAre("log [path a] the publisher whose worker failed did not return", "1: kick 4 terminated",
                          "unsubscribe 1", "0: ended 1", "1: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathStatesTest, StartsAnewForAPublisherWithOtherTracks) {
  publish(kPublisher), record(kPublisher), read(kOther);
  worker_gone(0);
  EXPECT_THAT(publish(kRival, "a", 2), ElementsAre("1: kick 4 terminated", "unsubscribe 1", "0: ended 1", "1: ended 1",
                                                   "close 1", "open 2 for a"));
}

TEST_F(PathStatesTest, WithoutGraceAStreamEndsWithItsWorker) {
  entry().restart_grace = 0;
  publish(kPublisher), record(kPublisher), read(kReader), read(kOther);
  EXPECT_THAT(worker_gone(0), ElementsAre("unsubscribe 0", "1: kick 4 terminated", "unsubscribe 1", "0: ended 1",
                                          "1: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathStatesTest, AStreamThatWasNotReadyEndsWithItsWorker) {
  publish(kPublisher);
  EXPECT_THAT(worker_gone(0), ElementsAre("0: ended 1", "close 1"));
}

// --- the configuration changes ---

TEST_F(PathStatesTest, AChangeThatDoesNotConcernAPathChangesNothing) {
  entry().on_ready = {"ready", false};
  publish(kPublisher), record(kPublisher), read(kOther);
  entry("b").fallback = "/x";
  EXPECT_THAT(reload(), ElementsAre());
}

TEST_F(PathStatesTest, ReplacesCommandsThatChangedAndNoOthers) {
  entry().permanent = true;
  entry().on_init = {"init", false};
  entry().on_ready = {"ready", false};
  entry().on_read = {"read", false};
  reload();
  publish(kPublisher), record(kPublisher), read(kOther), play(kOther), read(kReader);
  entry().on_ready.restart = true;
  EXPECT_THAT(reload(), ElementsAre("end 2", "run 4 on ready: ready"));
  entry().on_read = {"other", false};
  EXPECT_THAT(reload(), ElementsAre("end 3", "run 5 on read: other"));
  entry().on_init = {};
  EXPECT_THAT(reload(), ElementsAre("end 1"));
  entry().groups = {"x"};
  EXPECT_THAT(reload(), ElementsAre("end 4", "run 6 on ready: ready", "end 5", "run 7 on read: other"));
}

TEST_F(PathStatesTest, TellsTheWriterOfItsNewSettings) {
  publish(kPublisher);
  entry().write_merge = 5;
  EXPECT_THAT(reload(), ElementsAre("0: settings 0 5"));
  entry().absolute_time = true;
  EXPECT_THAT(reload(), ElementsAre("0: settings 0 5 absolute"));
  EXPECT_THAT(reload(), ElementsAre());
  entry().absolute_time = false;
  EXPECT_THAT(reload(), ElementsAre("0: settings 0 5"));
}

TEST_F(PathStatesTest, TellsTheWriterWhoseClockCounts) {
  entry().absolute_time = true;
  reload();
  EXPECT_THAT(publish(kPublisher), ElementsAre("open 1 for a absolute"));
}

TEST_F(PathStatesTest, WhereReadersBeginCountsFromTheNextOneOn) {
  publish(kPublisher), record(kPublisher);
  EXPECT_THAT(read(kReader), ElementsAre("subscribe 0", "grant 1"));
  entry().readers_start_at_key_frame = true;
  EXPECT_THAT(reload(), ElementsAre());
  EXPECT_THAT(read(kOther), ElementsAre("subscribe 1", "grant 1 from key frame"));
}

TEST_F(PathStatesTest, ClosesPathsThatAreNotConfiguredAnyMore) {
  make_on_demand();
  describe();
  publish(kPublisher, "b"), record(kPublisher), read(kOther, "b");
  rules.removed = {"a", "b"};
  EXPECT_THAT(reload(), ElementsAre("0: refused 0 terminated", "end 1", "0: kick 1 terminated", "1: kick 4 terminated",
                                    "unsubscribe 1", "0: ended 1", "1: ended 1", "close 1"));
  EXPECT_EQ(paths.paths(), 0U);
}

TEST_F(PathStatesTest, AnotherKindOfSourceSendsEverybodyAway) {
  publish(kPublisher), record(kPublisher), read(kOther);
  entry().source = SourceKind::Redirect;
  EXPECT_THAT(reload(), ElementsAre("0: kick 1 terminated", "1: kick 4 terminated", "unsubscribe 1", "0: ended 1",
                                    "1: ended 1", "close 1"));
}

// --- what the API tells ---

TEST_F(PathStatesTest, ListsPathsWithTheirPublishersAndReaders) {
  entry("idle").permanent = true;
  reload();
  publish(kPublisher), record(kPublisher), read(kOther);
  std::vector<PathInfo> list = paths.list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[0].entry, "all");
  EXPECT_EQ(list[0].source, PathInfo::Source::Session);
  EXPECT_EQ(list[0].publisher.log_id, log_id(kPublisher));
  EXPECT_TRUE(list[0].ready);
  EXPECT_THAT(list[0].readers, ElementsAre(Client{log_id(kOther), false}));
  EXPECT_EQ(list[1].name, "idle");
  EXPECT_EQ(list[1].source, PathInfo::Source::None);
}

TEST_F(PathStatesTest, ListsWhoCameOverTls) {
  control::Publish publisher{.request = 1, .session = kPublisher, .log_id = 7, .tls = true, .path = "a"};
  publisher.description = description(1);
  from(kPublisher & 63, publisher), record(kPublisher);
  from(kOther & 63, control::Read{.request = 2, .session = kOther, .log_id = 8, .tls = true, .path = "a"});
  std::vector<PathInfo> list = paths.list();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].publisher, (Client{7, true}));
  EXPECT_THAT(list[0].readers, ElementsAre(Client{8, true}));
}

TEST_F(PathStatesTest, KnowsClientsOfOtherProtocolsByTheirConnections) {
  entry("a").on_read = {"command", false};
  control::Publish publisher{.request = 1, .session = kPublisher, .log_id = 7, .path = "a", .client = "1.2.3.4:5"};
  publisher.description = description(1);
  on(FromWorker{kPublisher & 63, publisher, config::Protocol::Rtmp});
  EXPECT_THAT(record(kPublisher), testing::Contains("0: recorded"));
  read(kReader);
  control::Read reader{.request = 2, .session = kOther, .log_id = 8, .tls = true, .path = "a", .client = "[::1]:6"};
  on(FromWorker{kOther & 63, reader, config::Protocol::Rtmp});
  std::vector<PathInfo> list = paths.list();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].publisher, (Client{7, false, config::Protocol::Rtmp, "1.2.3.4:5"}));
  Client expected{8, true, config::Protocol::Rtmp, "[::1]:6"};
  EXPECT_THAT(list[0].readers, ElementsAre(Client{log_id(kReader)}, expected));
  Effects effects = paths.on_event(FromWorker{kOther & 63, control::Playing{kOther}}, now);
  ASSERT_EQ(effects.size(), 1U);
  EXPECT_EQ(std::get<RunCommand>(effects[0]).client, expected);
}

TEST_F(PathStatesTest, TellsWhichPathsCanBeRead) {
  publish(kPublisher);
  EXPECT_TRUE(ready.empty());
  record(kPublisher);
  EXPECT_THAT(ready, ElementsAre("a"));
  pause(kPublisher);
  EXPECT_TRUE(ready.empty());
  record(kPublisher);
  EXPECT_THAT(ready, ElementsAre("a"));
  from(kPublisher & 63, control::Release{kPublisher});
  EXPECT_TRUE(ready.empty());
}

TEST_F(PathStatesTest, ListsWhatKindOfSourceIsPulled) {
  entry("a").source = entry("b").source = SourceKind::Pulled;
  entry("a").permanent = entry("b").permanent = true;
  entry("a").pull.url = "rtmps://host/x";
  entry("b").pull.url = "rtsps://host/x";
  EXPECT_THAT(reload(), testing::IsSupersetOf({"log [path a] [rtmp source] started", "pull 1 rtmps://host/x",
                                               "log [path b] [rtsp source] started"}));
  EXPECT_EQ(paths.list()[0].pulled_protocol, config::Protocol::Rtmp);
  EXPECT_EQ(paths.list()[1].pulled_protocol, config::Protocol::Rtsp);
}

} // namespace
} // namespace sluice::paths
