// Random events against the invariants of paths. The test keeps its own picture of the world, made of nothing but
// the effects, and checks every effect against it.

#include "supervisor/paths/paths.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice::paths {
namespace {

constexpr SlotIndex kSlots = 3;
constexpr uint64_t kSessionsPerSlot = 6;

struct Rules : RuleSource {
  Result<PathRules> rules_for(const std::string &path) const override {
    if (path == "bad") return Error{"bad"};
    return PathRules{.publisher_override = path != "fixed"};
  }
};

struct OpenedStream {
  std::string path;
  SessionId publisher = 0;
  bool ready = false;
  std::set<SlotIndex> subscribed;
  std::set<SessionId> readers;
};

class World {
public:
  void run(uint32_t seed, int events) {
    random_.seed(seed);
    for (int i = 0; i < events && !testing::Test::HasFatalFailure(); i++) step();
    for (SlotIndex slot = 0; slot < kSlots; slot++) lose(slot);
    EXPECT_TRUE(paths_.idle());
    EXPECT_TRUE(streams_.empty());
  }

private:
  uint64_t below(uint64_t limit) { return random_() % limit; }

  void step() {
    static const char *const kNames[] = {"a", "b", "fixed", "bad"};
    SlotIndex slot = static_cast<SlotIndex>(below(kSlots));
    SessionId id = (1 + below(kSessionsPerSlot)) << 6 | slot;
    std::string path = kNames[below(4)];
    media::StreamDescription description;
    description.tracks.emplace_back().clock_rate = 90000;
    request_ = ++next_request_;
    answers_ = 0;
    switch (below(8)) {
    case 0:
      asks(FromWorker{slot, control::Describe{request_, path, ""}});
      break;
    case 1:
      asks(FromWorker{slot, control::Publish{request_, id, path, "", description}});
      break;
    case 2:
      asks(FromWorker{slot, control::Record{request_, id}}, id);
      break;
    case 3:
      pause(slot, id);
      break;
    case 4:
    case 5:
      asks(FromWorker{slot, control::Read{request_, id, path, ""}});
      break;
    case 6:
      release(slot, id);
      break;
    case 7:
      below(5) == 0 ? lose(slot) : release(slot, id);
      break;
    }
    EXPECT_EQ(streams_.size(), paths_.streams());
  }

  void asks(const Event &event, SessionId recording = 0) {
    recording_ = recording;
    apply(event);
    EXPECT_EQ(answers_, 1);
    recording_ = 0;
  }
  void pause(SlotIndex slot, SessionId id) {
    for (auto &[stream, opened] : streams_)
      if (opened.publisher == id) opened.ready = false;
    apply(FromWorker{slot, control::PublisherPaused{id}});
    for (auto &[stream, opened] : streams_) EXPECT_TRUE(opened.ready || opened.readers.empty());
  }
  void release(SlotIndex slot, SessionId id) {
    for (auto &[stream, opened] : streams_) opened.readers.erase(id);
    apply(FromWorker{slot, control::Release{id}});
    for (auto &[stream, opened] : streams_) EXPECT_NE(opened.publisher, id);
  }
  void lose(SlotIndex slot) {
    for (auto &[stream, opened] : streams_)
      std::erase_if(opened.readers, [&](SessionId id) { return (id & 63) == slot; });
    apply(WorkerGone{slot});
    for (auto &[stream, opened] : streams_) EXPECT_NE(opened.publisher & 63, slot);
  }

  void apply(const Event &event) {
    for (const Effect &effect : paths_.on_event(event)) std::visit([&](const auto &e) { on(e); }, effect);
    for (const auto &[id, opened] : streams_) {
      std::set<SlotIndex> slots;
      for (SessionId reader : opened.readers) slots.insert(reader & 63);
      EXPECT_EQ(slots, opened.subscribed) << "a slot is subscribed exactly while it has readers";
      EXPECT_TRUE(opened.ready || opened.readers.empty());
    }
  }

  void on(const OpenStream &open) {
    answers_++;
    EXPECT_EQ(open.request, request_);
    for (const auto &[id, opened] : streams_) {
      EXPECT_NE(opened.path, open.path) << "one owner at a time";
      EXPECT_NE(opened.publisher, open.session);
      EXPECT_LT(id, open.stream);
    }
    streams_[open.stream] = {open.path, open.session, false, {}, {}};
  }
  void on(const GrantRead &grant) {
    answers_++;
    EXPECT_EQ(grant.request, request_);
    ASSERT_TRUE(streams_.contains(grant.stream));
    EXPECT_TRUE(streams_[grant.stream].ready);
    streams_[grant.stream].readers.insert(grant.session);
  }
  void on(const Subscribe &join) { EXPECT_TRUE(streams_.at(join.stream).subscribed.insert(join.slot).second); }
  void on(const Unsubscribe &part) { EXPECT_EQ(streams_.at(part.stream).subscribed.erase(part.slot), 1U); }
  void on(const CloseStream &close) {
    ASSERT_TRUE(streams_.contains(close.stream));
    EXPECT_TRUE(streams_[close.stream].readers.empty());
    EXPECT_TRUE(streams_[close.stream].subscribed.empty());
    streams_.erase(close.stream);
  }
  void on(const Log &) {}
  void on(const Send &send) {
    if (const auto *kick = std::get_if<control::Kick>(&send.message)) return on_kick(send.slot, *kick);
    if (std::holds_alternative<control::StreamEnded>(send.message)) return;
    answers_++;
    EXPECT_TRUE(any_ready() || !std::holds_alternative<control::Described>(send.message));
    if (!std::holds_alternative<control::Recorded>(send.message)) return;
    bool owns = false;
    for (auto &[id, opened] : streams_)
      if (opened.publisher == recording_) owns = opened.ready = true;
    EXPECT_TRUE(owns);
  }
  void on_kick(SlotIndex slot, const control::Kick &kick) {
    EXPECT_EQ(kick.session & 63, slot);
    bool known = false;
    for (auto &[id, opened] : streams_)
      known |= opened.readers.erase(kick.session) == 1 || opened.publisher == kick.session;
    EXPECT_TRUE(known) << "only who publishes or reads is kicked";
  }
  bool any_ready() const {
    for (const auto &[id, opened] : streams_)
      if (opened.ready) return true;
    return false;
  }

  Rules rules_;
  Paths paths_{rules_, 100};
  std::map<StreamId, OpenedStream> streams_;
  std::mt19937 random_;
  RequestId request_ = 0, next_request_ = 0;
  SessionId recording_ = 0;
  int answers_ = 0;
};

TEST(Paths, KeepsItsInvariantsOverRandomSequences) {
  for (uint32_t seed = 1; seed <= 200 && !testing::Test::HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World().run(seed, 500);
  }
}

} // namespace
} // namespace sluice::paths
