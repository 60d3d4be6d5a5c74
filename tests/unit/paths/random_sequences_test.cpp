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
    if (path == "bad" || (variant % 3 == 1 && path == "b")) return Error{"bad"};
    PathRules rules;
    rules.publisher_override = path != "fixed";
    rules.permanent = path == "b";
    if (path != "a") rules.on_demand = {"start", false};
    rules.on_ready = {variant % 2 == 0 ? "ready" : "other", false};
    rules.on_read = {variant % 5 == 0 ? "" : "read", false};
    rules.restart_grace = path == "fixed" ? 0 : 10;
    if (variant % 7 == 3 && path == "a") rules.source = SourceKind::Redirect;
    if (path == "pulled") {
      rules.permanent = true;
      rules.source = SourceKind::Pulled;
      rules.pull.url = variant % 11 == 0 ? "rtsp://other/" : "rtsp://camera/";
      rules.pull.any_port = variant % 6 == 0;
      rules.pull_on_demand = variant == 0 || variant % 3 == 0;
      rules.reconnect_grace = static_cast<Nanoseconds>(variant % 4) * 7 * kSecond;
    }
    return rules;
  }
  std::vector<std::string> permanent_paths() const override { return {"b", "pulled"}; }
  uint32_t variant = 0;
};

struct OpenedStream {
  std::string path;
  SessionId publisher = 0;
  SourceId source = 0;
  bool ready = false; // or kept for its readers
  std::set<SlotIndex> subscribed;
  std::set<SessionId> readers;
};

class World {
public:
  void run(uint32_t seed, int events) {
    random_.seed(seed);
    for (int i = 0; i < events && !testing::Test::HasFatalFailure(); i++) step();
    for (SlotIndex slot = 0; slot < kSlots; slot++) lose(slot);
    rules_.variant = 0; // nothing is pulled unless somebody reads
    apply(RulesChanged{});
    for (int i = 0; i < 3; i++) pass(100 * kSecond); // start timeouts, close after, grace
    EXPECT_TRUE(paths_.idle());
    EXPECT_TRUE(streams_.empty());
    EXPECT_TRUE(held_.empty());
    EXPECT_TRUE(commands_.empty()) << "no command outlives what it is for";
    EXPECT_TRUE(sources_.empty());
    EXPECT_EQ(paths_.next_deadline(), std::nullopt);
  }

private:
  uint64_t below(uint64_t limit) { return random_() % limit; }

  void step() {
    static const char *const kNames[] = {"a", "b", "fixed", "bad", "pulled"};
    SlotIndex slot = static_cast<SlotIndex>(below(kSlots));
    SessionId id = (1 + below(kSessionsPerSlot)) << 6 | slot;
    std::string path = kNames[below(5)];
    media::StreamDescription description;
    description.tracks.emplace_back().clock_rate = 90000;
    request_ = ++next_request_;
    switch (below(14)) {
    case 0:
      asks(FromWorker{slot, control::Describe{.request = request_, .path = path}});
      break;
    case 1:
      asks(FromWorker{slot,
                      control::Publish{.request = request_, .session = id, .path = path, .description = description}});
      break;
    case 2:
      asks(FromWorker{slot, control::Record{request_, id}}, id);
      break;
    case 3:
      pause(slot, id);
      break;
    case 4:
    case 5:
      if (!reads_held_.contains(id)) // its connection waits for the answer
        asks(FromWorker{slot, control::Read{.request = request_, .session = id, .path = path}}, 0, id);
      break;
    case 6:
      release(slot, id);
      break;
    case 7:
      below(5) == 0 ? lose(slot) : release(slot, id);
      break;
    case 8:
      below(2) == 0 ? apply(FromWorker{slot, control::Playing{id}})
                    : apply(FromWorker{slot, control::ReaderPaused{id}});
      break;
    case 9:
      pass(static_cast<Nanoseconds>(below(6)) * kSecond);
      break;
    case 11:
      source_up(slot, 1 + below(2));
      break;
    case 12:
      if (!sources_.empty()) source_down(sources_.begin()->first, below(3) == 0);
      break;
    case 13:
      if (!sources_.empty()) source_moved(sources_.begin()->first);
      break;
    case 10:
      rules_.variant = static_cast<uint32_t>(below(1000));
      apply(RulesChanged{});
      break;
    }
    EXPECT_EQ(streams_.size(), paths_.streams());
  }

  void source_up(SlotIndex slot, size_t tracks) {
    if (sources_.empty() || sources_.begin()->second.has_value()) return;
    SourceId id = sources_.begin()->first;
    sources_[id] = slot;
    media::StreamDescription description;
    description.tracks.resize(tracks);
    for (auto &track : description.tracks) track.clock_rate = 90000;
    held_.emplace(request_, slot);
    apply(SourceUp{slot, id, request_, description});
    EXPECT_FALSE(held_.contains(request_));
  }
  void source_down(SourceId id, bool at_once) {
    sources_.erase(id);
    for (auto &[stream, opened] : streams_)
      if (opened.source == id) opened.source = 0;
    apply(SourceDown{id, "reason", at_once});
  }
  void source_moved(SourceId id) {
    sources_[id].reset();
    for (auto &[stream, opened] : streams_)
      if (opened.source == id) opened.source = 0;
    apply(SourceMoved{id});
  }
  // Answered once, at once or later.
  void asks(const Event &event, SessionId recording = 0, SessionId reading = 0) {
    recording_ = recording;
    held_.emplace(request_, std::get<FromWorker>(event).slot);
    if (reading != 0) reads_held_[reading] = request_;
    apply(event);
    EXPECT_TRUE(recording == 0 || !held_.contains(request_));
    recording_ = 0;
  }
  void pass(Nanoseconds time) {
    now_ += time;
    apply(TimePassed{});
    EXPECT_TRUE(!paths_.next_deadline() || *paths_.next_deadline() > now_);
  }
  void answered(SlotIndex slot, RequestId request) {
    auto found = held_.find(request);
    ASSERT_NE(found, held_.end()) << "answered twice, or never asked";
    EXPECT_EQ(found->second, slot);
    held_.erase(found);
    std::erase_if(reads_held_, [&](const auto &read) { return read.second == request; });
  }
  void drop_held(SessionId id) {
    auto found = reads_held_.find(id);
    if (found == reads_held_.end()) return;
    held_.erase(found->second);
    reads_held_.erase(found);
  }
  void pause(SlotIndex slot, SessionId id) {
    for (auto &[stream, opened] : streams_)
      if (opened.publisher == id) opened.ready = false;
    apply(FromWorker{slot, control::PublisherPaused{id}});
    for (auto &[stream, opened] : streams_) EXPECT_TRUE(opened.ready || opened.readers.empty());
  }
  void release(SlotIndex slot, SessionId id) {
    for (auto &[stream, opened] : streams_) opened.readers.erase(id);
    drop_held(id);
    apply(FromWorker{slot, control::Release{id}});
    for (auto &[stream, opened] : streams_) EXPECT_NE(opened.publisher, id);
  }
  void lose(SlotIndex slot) {
    for (auto &[stream, opened] : streams_)
      std::erase_if(opened.readers, [&](SessionId id) { return (id & 63) == slot; });
    std::erase_if(held_, [&](const auto &held) { return held.second == slot; });
    std::erase_if(reads_held_, [&](const auto &read) { return (read.first & 63) == slot; });
    for (auto &[stream, opened] : streams_)
      if ((opened.publisher & 63) == slot) opened.publisher = 0; // it may come back
    apply(WorkerGone{slot});
    std::vector<SourceId> lost;
    for (const auto &[id, at] : sources_)
      if (at == slot) lost.push_back(id);
    for (SourceId id : lost) source_down(id, true);
    for (auto &[stream, opened] : streams_) EXPECT_TRUE(opened.publisher != 0 || opened.ready);
  }

  void apply(const Event &event) {
    for (const Effect &effect : paths_.on_event(event, now_)) std::visit([&](const auto &e) { on(e); }, effect);
    for (const auto &[id, opened] : streams_) {
      std::set<SlotIndex> slots;
      for (SessionId reader : opened.readers) slots.insert(reader & 63);
      EXPECT_EQ(slots, opened.subscribed) << "a slot is subscribed exactly while it has readers";
      EXPECT_TRUE(opened.ready || opened.readers.empty());
    }
  }

  void on(const OpenStream &open) {
    answered(open.slot, open.request);
    if (open.continues) {
      ASSERT_TRUE(streams_.contains(open.stream));
      OpenedStream &stream = streams_[open.stream];
      EXPECT_TRUE(stream.publisher == 0 && stream.source == 0) << "one writer at a time";
      stream.publisher = open.session;
      stream.source = open.source;
      return;
    }
    for (const auto &[id, opened] : streams_) {
      EXPECT_NE(opened.path, open.path) << "one owner at a time";
      EXPECT_TRUE(open.session == 0 || opened.publisher != open.session);
      EXPECT_LT(id, open.stream);
    }
    streams_[open.stream] = {open.path, open.session, open.source, open.source != 0, {}, {}};
  }
  void on(const PullSource &pull) {
    EXPECT_EQ(pull.path, "pulled");
    EXPECT_TRUE(sources_.empty()) << "one attempt at a time";
    sources_.emplace(pull.source, std::nullopt);
  }
  void on(const EndSource &end) {
    EXPECT_EQ(sources_.erase(end.source), 1U);
    for (auto &[stream, opened] : streams_)
      if (opened.source == end.source) opened.source = 0;
  }
  void on(const GrantRead &grant) {
    answered(grant.slot, grant.request);
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
  void on(const PathReady &ready) { ready_.insert(ready.path); } // again, when a kept one comes back
  void on(const PathNotReady &gone) { EXPECT_EQ(ready_.erase(gone.path), 1U); }
  void on(const RunCommand &command) { EXPECT_TRUE(commands_.insert(command.number).second); }
  void on(const EndCommand &command) { EXPECT_EQ(commands_.erase(command.number), 1U); }
  void on(const Send &send) {
    if (const auto *kick = std::get_if<control::Kick>(&send.message)) return on_kick(send.slot, *kick);
    if (std::holds_alternative<control::StreamEnded>(send.message)) return;
    std::visit(
        [&](const auto &message) {
          if constexpr (requires { message.request; }) answered(send.slot, message.request);
        },
        send.message);
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
  Nanoseconds now_ = kSecond;
  std::map<RequestId, SlotIndex> held_;
  std::map<SessionId, RequestId> reads_held_;
  std::set<CommandNumber> commands_;
  std::set<std::string> ready_;
  std::map<SourceId, std::optional<SlotIndex>> sources_; // under way; where, once it is up
};

TEST(Paths, KeepsItsInvariantsOverRandomSequences) {
  for (uint32_t seed = 1; seed <= 200 && !testing::Test::HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World().run(seed, 500);
  }
}

} // namespace
} // namespace sluice::paths
