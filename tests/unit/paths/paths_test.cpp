#include "supervisor/paths/paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::paths {
namespace {

using testing::ElementsAre;

constexpr uint64_t session(uint64_t number, SlotIndex slot) {
  return number << 6 | slot;
}
constexpr SessionId kPublisher = session(1, 0), kRival = session(2, 1), kReader = session(3, 0), kOther = session(4, 1);

struct Rules : RuleSource {
  Result<PathRules> rules_for(const std::string &path) const override {
    if (path == "unknown") return Error{"path 'unknown' is not configured"};
    return PathRules{.publisher_override = path != "fixed"};
  }
};

media::StreamDescription description(size_t tracks = 1) {
  media::Track track;
  track.clock_rate = 90000;
  return {std::vector<media::Track>(tracks, track)};
}

// An effect as text, so that tests read like a protocol of what happened.
std::string text_of(const Effect &effect) {
  auto number = [](auto value) { return std::to_string(value); };
  if (const auto *open = std::get_if<OpenStream>(&effect)) return "open " + number(open->stream) + " for " + open->path;
  if (const auto *grant = std::get_if<GrantRead>(&effect)) return "grant " + number(grant->stream);
  if (const auto *join = std::get_if<Subscribe>(&effect)) return "subscribe " + number(join->slot);
  if (const auto *part = std::get_if<Unsubscribe>(&effect)) return "unsubscribe " + number(part->slot);
  if (const auto *close = std::get_if<CloseStream>(&effect)) return "close " + number(close->stream);
  if (const auto *line = std::get_if<Log>(&effect)) return "log [path " + line->path + "] " + line->text;
  const Send &send = std::get<Send>(effect);
  std::string to = number(send.slot) + ": ";
  if (const auto *kick = std::get_if<control::Kick>(&send.message))
    return to + "kick " + number(kick->session >> 6) + " " + kick->reason;
  if (const auto *refused = std::get_if<control::Refused>(&send.message))
    return to + "refused " + number(static_cast<int>(refused->refusal)) + " " + refused->reason;
  if (const auto *described = std::get_if<control::Described>(&send.message))
    return to + "described " + number(described->description.tracks.size());
  if (std::holds_alternative<control::Recorded>(send.message)) return to + "recorded";
  if (const auto *ended = std::get_if<control::StreamEnded>(&send.message))
    return to + "ended " + number(ended->stream);
  return to + "?";
}

struct PathsTest : testing::Test {
  std::vector<std::string> from(SlotIndex slot, control::Message message) {
    return texts(paths.on_event(FromWorker{slot, std::move(message)}));
  }
  std::vector<std::string> texts(const Effects &effects) {
    std::vector<std::string> list;
    for (const Effect &effect : effects) list.push_back(text_of(effect));
    return list;
  }
  auto describe(const std::string &path) { return from(0, control::Describe{1, path, "client"}); }
  auto publish(SessionId id, const std::string &path = "a") {
    return from(id & 63, control::Publish{1, id, path, "client", description()});
  }
  auto record(SessionId id) { return from(id & 63, control::Record{1, id}); }
  auto pause(SessionId id) { return from(id & 63, control::PublisherPaused{id}); }
  auto read(SessionId id, const std::string &path = "a") { return from(id & 63, control::Read{1, id, path, "client"}); }
  auto release(SessionId id) { return from(id & 63, control::Release{id}); }
  auto worker_gone(SlotIndex slot) { return texts(paths.on_event(WorkerGone{slot})); }

  Rules rules;
  Paths paths{rules, 10};
};

TEST_F(PathsTest, RefusesEverythingOnAPathThatIsNotConfigured) {
  const std::string refusal = "0: refused 0 path 'unknown' is not configured";
  EXPECT_THAT(describe("unknown"), ElementsAre(refusal));
  EXPECT_THAT(publish(kPublisher, "unknown"), ElementsAre(refusal));
  EXPECT_THAT(read(kReader, "unknown"), ElementsAre(refusal));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathsTest, IsReadyFromRecordOn) {
  const std::string nobody = "0: refused 1 no one is publishing to path 'a'";
  EXPECT_THAT(describe("a"), ElementsAre(nobody));
  EXPECT_THAT(publish(kPublisher), ElementsAre("open 1 for a"));
  EXPECT_THAT(describe("a"), ElementsAre(nobody));
  EXPECT_THAT(read(kReader), ElementsAre(nobody));
  EXPECT_THAT(record(kPublisher), ElementsAre("0: recorded"));
  EXPECT_THAT(describe("a"), ElementsAre("0: described 1"));
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
  EXPECT_THAT(describe("a"), ElementsAre("0: described 1"));
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
  EXPECT_THAT(describe("a"), ElementsAre("0: described 1"));
}

TEST_F(PathsTest, DeathOfThePublishersWorkerKicksTheReadersElsewhereOnly) {
  publish(kPublisher), record(kPublisher), read(kReader), read(kOther);
  EXPECT_THAT(worker_gone(0), ElementsAre("unsubscribe 0", "1: kick 4 terminated", "unsubscribe 1", "0: ended 1",
                                          "1: ended 1", "close 1"));
  EXPECT_TRUE(paths.idle());
}

TEST_F(PathsTest, FailedGrantIsRefusedAndForgotten) {
  publish(kPublisher);
  EXPECT_THAT(texts(paths.on_event(GrantFailed{0, 1, kPublisher, "no memory"})),
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
  auto effects = paths.on_event(FromWorker{0, control::Describe{1, "a", ""}});
  EXPECT_EQ(std::get<control::Described>(std::get<Send>(effects[0]).message).description, learned);
}

TEST_F(PathsTest, IgnoresDescriptionsThatAreNotTheWritersOrDoNotFit) {
  publish(kPublisher), record(kPublisher);
  media::StreamDescription other = description();
  other.tracks[0].fmtp = "x";
  from(1, control::DescriptionChanged{1, other});
  from(0, control::DescriptionChanged{7, other});
  from(0, control::DescriptionChanged{1, description(2)});
  auto effects = paths.on_event(FromWorker{0, control::Describe{1, "a", ""}});
  EXPECT_EQ(std::get<control::Described>(std::get<Send>(effects[0]).message).description, description());
}

TEST_F(PathsTest, IgnoresUnknownSessions) {
  EXPECT_THAT(release(kReader), ElementsAre());
  EXPECT_THAT(pause(kReader), ElementsAre());
  EXPECT_THAT(worker_gone(5), ElementsAre());
}

} // namespace
} // namespace sluice::paths
