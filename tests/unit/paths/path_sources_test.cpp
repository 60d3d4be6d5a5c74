// Pulled streams: their sources come, go and come back.
#include "paths_harness.h"

#include <gmock/gmock.h>

namespace sluice::paths {
namespace {

using testing::ElementsAre;
using testing::Optional;

std::string logged(const std::string &text) {
  return "log [path a] [rtsp source] " + text;
}

struct PathSourcesTest : PathsTest {
  PathSourcesTest() {
    PathRules &rule = entry();
    rule.source = SourceKind::Pulled;
    rule.permanent = true;
    rule.pull.url = "rtsp://camera/x";
    rule.reconnect_grace = 30 * kSecond;
    rule.on_ready = {"ready", false};
    rule.start_timeout = 10 * kSecond;
    rule.close_after = 3 * kSecond;
  }
  PathRules &entry() { return rules.entries["a"]; }
  PathInfo info() { return paths.list().at(0); }
};

TEST_F(PathSourcesTest, PullsFromTheBeginAndStreams) {
  EXPECT_THAT(reload(), ElementsAre(logged("started"), "pull 1 rtsp://camera/x"));
  EXPECT_EQ(info().source, PathInfo::Source::Pulled);
  EXPECT_THAT(describe(), ElementsAre("0: refused 1 no one is publishing to path 'a'"));
  EXPECT_THAT(source_up(1, 2), ElementsAre("open 1 for a", logged("ready"), "run 1 on ready: ready"));
  EXPECT_TRUE(info().ready);
  EXPECT_THAT(describe(), ElementsAre("0: described 2"));
  EXPECT_THAT(read(kReader), ElementsAre("subscribe 0", "grant 1"));
  EXPECT_THAT(publish(kPublisher),
              ElementsAre("0: refused 0 can't publish to path 'a' since 'source' is not 'publisher'"));
}

TEST_F(PathSourcesTest, TriesAgainAfterAPauseForever) {
  reload();
  for (SourceId source = 1; source < 5; source++) {
    EXPECT_THAT(source_down(source), ElementsAre(logged("ERR: reason")));
    EXPECT_THAT(paths.next_deadline(), Optional(now + kSourcePause));
    EXPECT_EQ(info().source, PathInfo::Source::Pulled);
    EXPECT_THAT(pass(kSourcePause - 1), ElementsAre());
    EXPECT_THAT(pass(1), ElementsAre("pull " + std::to_string(source + 1) + " rtsp://camera/x"));
  }
}

TEST_F(PathSourcesTest, KeepsReadersAndTheCommandWhileItReconnects) {
  reload(), source_up(1), read(kReader), play(kReader);
  EXPECT_THAT(source_down(1), ElementsAre(logged("ERR: reason")));
  EXPECT_FALSE(info().ready);
  EXPECT_EQ(info().readers.size(), 1U);
  EXPECT_THAT(describe(), ElementsAre("0: described 1")) << "it will be back soon";
  EXPECT_THAT(read(kOther), ElementsAre("subscribe 1", "grant 1"));
  pass(kSourcePause);
  EXPECT_THAT(source_up(2), ElementsAre("continue 1 for a", logged("ready")));
  EXPECT_TRUE(info().ready);
  EXPECT_THAT(pass(100 * kSecond), ElementsAre());
}

TEST_F(PathSourcesTest, FallsBackWhileItReconnects) {
  entry().fallback = "/other";
  reload(), source_up(1), source_down(1);
  EXPECT_THAT(describe(), ElementsAre("0: redirected /other"));
}

TEST_F(PathSourcesTest, DropsReadersWhenItDoesNotReturn) {
  reload(), source_up(1), read(kReader), source_down(1);
  pass(kSourcePause);
  for (SourceId source = 2; source < 7; source++) source_down(source), pass(kSourcePause);
  EXPECT_EQ(info().readers.size(), 0U);
  EXPECT_THAT(describe(), ElementsAre("0: refused 1 no one is publishing to path 'a'"));
  EXPECT_THAT(source_up(7), ElementsAre("open 2 for a", logged("ready"), "run 2 on ready: ready"));
}

TEST_F(PathSourcesTest, SaysThatItDidNotReturn) {
  entry().reconnect_grace = 2 * kSecond;
  reload(), source_up(1), read(kReader), source_down(1);
  EXPECT_THAT(pass(2 * kSecond), ElementsAre("log [path a] the source did not return in time", "end 1",
                                             "0: kick 3 terminated", "unsubscribe 0", "0: ended 1", "close 1"));
  EXPECT_THAT(pass(3 * kSecond), ElementsAre("pull 2 rtsp://camera/x"));
}

TEST_F(PathSourcesTest, DropsReadersAtOnceWithoutGrace) {
  entry().reconnect_grace = 0;
  reload(), source_up(1), read(kReader);
  EXPECT_THAT(source_down(1), ElementsAre(logged("ERR: reason"), "end 1", "0: kick 3 terminated", "unsubscribe 0",
                                          "0: ended 1", "close 1"));
  EXPECT_THAT(pass(kSourcePause), ElementsAre("pull 2 rtsp://camera/x"));
}

TEST_F(PathSourcesTest, DropsReadersWhenTheTracksDiffer) {
  reload(), source_up(1, 1), read(kReader), source_down(1), pass(kSourcePause);
  EXPECT_THAT(source_up(2, 2),
              ElementsAre(logged("has other tracks than before"), "end 1", "0: kick 3 terminated", "unsubscribe 0",
                          "0: ended 1", "close 1", "open 2 for a", logged("ready"), "run 2 on ready: ready"));
}

TEST_F(PathSourcesTest, StartsAgainAtOnceWhenItsWorkerDies) {
  entry().reconnect_grace = 0;
  reload(), source_up(1), read(kOther);
  worker_gone(0);
  EXPECT_THAT(source_down(1, true), ElementsAre(logged("ERR: reason"), "pull 2 rtsp://camera/x in 0"));
  EXPECT_THAT(source_up(2, 1, 1), ElementsAre("continue 1 for a", logged("ready")));
}

TEST_F(PathSourcesTest, KeepsReadersWhenItsServerSendsItElsewhere) {
  reload(), source_moved(1);
  EXPECT_THAT(source_up(1), ElementsAre("open 1 for a", logged("ready"), "run 1 on ready: ready"));
  read(kReader);
  EXPECT_THAT(source_moved(1), ElementsAre(logged("is sent elsewhere by its server")));
  EXPECT_FALSE(info().ready);
  EXPECT_THAT(source_up(1), ElementsAre("continue 1 for a", logged("ready")));
  EXPECT_TRUE(info().ready);
  source_moved(1);
  EXPECT_THAT(source_down(1), ElementsAre(logged("ERR: reason")));
  EXPECT_THAT(pass(kSourcePause), ElementsAre("pull 2 rtsp://camera/x in 0"));
  EXPECT_THAT(source_up(2), ElementsAre("continue 1 for a", logged("ready")));
  source_moved(2);
  EXPECT_THAT(pass(30 * kSecond), ElementsAre("log [path a] the source did not return in time", "end 1",
                                              "0: kick 3 terminated", "unsubscribe 0", "0: ended 1", "close 1"));
  EXPECT_THAT(source_up(2), ElementsAre("open 2 for a", logged("ready"), "run 2 on ready: ready"));
}

TEST_F(PathSourcesTest, IgnoresWhatIsOver) {
  reload(), source_down(1);
  EXPECT_THAT(source_down(1), ElementsAre());
  EXPECT_THAT(source_up(1), ElementsAre("0: refused 0 not wanted"));
  pass(kSourcePause), source_up(2);
  EXPECT_THAT(source_up(2), ElementsAre("0: refused 0 not wanted")) << "told twice";
}

TEST_F(PathSourcesTest, FailedGrantEndsTheAttempt) {
  reload(), source_up(1), read(kReader);
  EXPECT_THAT(on(GrantFailed{0, 1, 0, 1, "no memory"}),
              ElementsAre("0: refused 2 no memory", logged("ERR: no memory"), "end 1", "0: kick 3 terminated",
                          "unsubscribe 0", "0: ended 1", "close 1"));
  EXPECT_THAT(pass(kSourcePause), ElementsAre("pull 2 rtsp://camera/x"));
}

// --- on demand ---

struct OnDemandSourcesTest : PathSourcesTest {
  OnDemandSourcesTest() { entry().pull_on_demand = true; }
};

TEST_F(OnDemandSourcesTest, PullsWhileSomebodyReads) {
  EXPECT_THAT(reload(), ElementsAre());
  EXPECT_EQ(info().source, PathInfo::Source::None);
  EXPECT_THAT(describe(), ElementsAre(logged("started"), "pull 1 rtsp://camera/x"));
  EXPECT_THAT(source_up(1), ElementsAre("open 1 for a", logged("ready"), "0: described 1", "run 1 on ready: ready"));
  read(kReader);
  EXPECT_THAT(pass(100 * kSecond), ElementsAre());
  release(kReader);
  EXPECT_THAT(pass(3 * kSecond), ElementsAre("end 1", "end source 1", logged("stopped"), "0: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
}

TEST_F(OnDemandSourcesTest, TriesAgainWhileRequestsWait) {
  reload(), describe();
  source_down(1);
  EXPECT_THAT(pass(kSourcePause), ElementsAre("pull 2 rtsp://camera/x"));
  EXPECT_THAT(pass(kSourcePause),
              ElementsAre("0: refused 0 source of path 'a' has timed out", "end source 2", logged("stopped")));
  EXPECT_EQ(paths.next_deadline(), std::nullopt);
}

TEST_F(OnDemandSourcesTest, ReconnectsForItsReaders) {
  reload(), describe(), source_up(1), read(kReader), source_down(1);
  pass(kSourcePause);
  EXPECT_THAT(source_up(2), ElementsAre("continue 1 for a", logged("ready")));
  source_down(2);
  pass(29 * kSecond);
  EXPECT_THAT(pass(kSecond),
              ElementsAre("log [path a] the source did not return in time", "end 1", "end source 3", logged("stopped"),
                          "0: kick 3 terminated", "unsubscribe 0", "0: ended 1", "close 1"));
  EXPECT_EQ(paths.next_deadline(), std::nullopt);
}

TEST_F(OnDemandSourcesTest, StopsReconnectingWhenItsLastReaderLeaves) {
  reload(), describe(), source_up(1), read(kReader), source_down(1), release(kReader);
  EXPECT_THAT(pass(3 * kSecond), ElementsAre("end 1", logged("stopped"), "0: ended 1", "close 1"));
}

TEST_F(OnDemandSourcesTest, WithoutGraceItEndsWithItsSource) {
  entry().reconnect_grace = 0;
  reload(), describe(), source_up(1), read(kReader);
  EXPECT_THAT(source_down(1), ElementsAre(logged("ERR: reason"), "end 1", logged("stopped"), "0: kick 3 terminated",
                                          "unsubscribe 0", "0: ended 1", "close 1"));
  EXPECT_EQ(paths.next_deadline(), std::nullopt);
}

TEST_F(OnDemandSourcesTest, TakesOtherTracksForItsNextReaders) {
  reload(), describe(), source_up(1), read(kReader), source_down(1), pass(kSourcePause), source_up(2, 2);
  EXPECT_THAT(describe(), ElementsAre("0: described 2"));
  EXPECT_THAT(pass(3 * kSecond), ElementsAre("end 2", "end source 2", logged("stopped"), "0: ended 2", "close 2"));
}

// --- changes of the configuration ---

TEST_F(PathSourcesTest, AnotherUrlIsAnotherStream) {
  reload(), source_up(1), read(kReader);
  entry().pull.url = "rtsp://camera/y";
  EXPECT_THAT(reload(), ElementsAre("end 1", "0: kick 3 terminated", "unsubscribe 0", "0: ended 1", "close 1",
                                    "end source 1", logged("stopped"), logged("started"), "pull 2 rtsp://camera/y"));
}

TEST_F(PathSourcesTest, OtherWaysToReachItLeaveTheReaders) {
  reload(), source_up(1), read(kReader);
  entry().pull.transport = control::SourceTransport::Tcp;
  EXPECT_THAT(reload(), ElementsAre("end source 1", "pull 2 rtsp://camera/x in 0"));
  EXPECT_THAT(source_up(2), ElementsAre("continue 1 for a", logged("ready")));
}

TEST_F(PathSourcesTest, MayComeToRunOnDemandAndBack) {
  reload(), source_up(1), read(kReader);
  entry().pull_on_demand = true;
  EXPECT_THAT(reload(), ElementsAre());
  release(kReader);
  EXPECT_THAT(pass(3 * kSecond), ElementsAre("end 1", "end source 1", logged("stopped"), "0: ended 1", "close 1"));
  describe();
  entry().pull_on_demand = false;
  EXPECT_THAT(reload(), ElementsAre());
  EXPECT_THAT(source_up(2), ElementsAre("open 2 for a", logged("ready"), "0: described 1", "run 2 on ready: ready"));
  EXPECT_THAT(pass(100 * kSecond), ElementsAre());
}

TEST_F(PathSourcesTest, EndsWithItsPath) {
  reload(), source_up(1), read(kReader);
  rules.entries.erase("a"), rules.removed.insert("a");
  EXPECT_THAT(reload(), ElementsAre("end 1", "0: kick 3 terminated", "unsubscribe 0", "0: ended 1", "close 1",
                                    "end source 1", logged("stopped")));
  EXPECT_TRUE(paths.idle());
  EXPECT_EQ(paths.paths(), 0U);
}

} // namespace
} // namespace sluice::paths
