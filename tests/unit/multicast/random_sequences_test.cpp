// Whatever happens in whatever order: one sender at most, exactly one where there can be one, no group twice, nothing
// left behind. Room complains about the rest.
#include "tests/unit/multicast/room.h"

#include <random>

namespace sluice::multicast {
namespace {

class World {
public:
  explicit World(unsigned seed) : random_(seed) {}

  void step() {
    switch (pick(20)) {
    case 0:
      return die();
    case 1:
    case 2:
      return come();
    case 3:
      return change_slots();
    case 4:
      return pick(4) == 0 ? close() : room_.set_range(static_cast<int>(26 + pick(3)), pick(2) == 0 ? 8002 : 9002);
    case 5:
    case 6:
      return with_session([&](control::SessionId id, Session &session) {
        session.playing = false;
        room_.pause(id);
      });
    case 7:
    case 8:
    case 9:
      return with_session([&](control::SessionId id, Session &) {
        sessions_.erase(id);
        room_.release(id);
      });
    case 10:
    case 11:
    case 12:
    case 13:
      return with_session([&](control::SessionId id, Session &session) {
        session.playing = true;
        room_.play(id);
      });
    default:
      return join();
    }
  }

  void check() const {
    std::map<control::StreamId, std::set<uint32_t>> playing;
    std::set<control::StreamId> read;
    for (const auto &[id, session] : sessions_) {
      read.insert(session.stream);
      if (session.playing) playing[session.stream].insert(session.interface);
    }
    std::set<std::string> groups;
    size_t count = 0;
    for (control::StreamId stream : read) {
      count += groups_.at(stream).size();
      groups.insert(groups_.at(stream).begin(), groups_.at(stream).end());
    }
    ASSERT_EQ(groups.size(), count) << "a group of two streams";
    ASSERT_EQ(room_.multicast.groups_in_use(), count);
    for (const auto &[stream, sender] : room_.senders) {
      ASSERT_TRUE(playing.contains(stream)) << "sent to nobody";
      ASSERT_LT(sender.slot, slots_);
      ASSERT_EQ(std::set<uint32_t>(sender.interfaces.begin(), sender.interfaces.end()), playing.at(stream));
      ASSERT_EQ(sender.groups, groups_.at(stream));
    }
    for (const auto &[stream, interfaces] : playing) {
      if (slots_ == 0) continue;
      ASSERT_EQ(room_.subscribed.at(stream).size(), 1U);
      Slot subscribed = *room_.subscribed.at(stream).begin();
      ASSERT_EQ(room_.senders.contains(stream), room_.ready.contains(subscribed)) << "nobody sends";
    }
    for (const auto &[stream, slots] : room_.subscribed) ASSERT_TRUE(playing.contains(stream) || slots.empty());
  }

  void end() {
    while (!sessions_.empty()) {
      room_.release(sessions_.begin()->first);
      sessions_.erase(sessions_.begin());
    }
    check();
    ASSERT_TRUE(room_.multicast.idle());
  }

private:
  struct Session {
    control::StreamId stream = 0;
    Slot slot = 0;
    uint32_t interface = 0;
    bool playing = false;
  };
  static constexpr size_t kSlots = 4;

  size_t pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }

  template <class F> void with_session(F &&act) {
    if (sessions_.empty()) return;
    auto chosen = std::next(sessions_.begin(), static_cast<ptrdiff_t>(pick(sessions_.size())));
    act(chosen->first, chosen->second);
  }

  void join() {
    Slot slot = static_cast<Slot>(pick(kSlots));
    if (!room_.ready.contains(slot)) return;
    control::StreamId stream = 1 + pick(8);
    control::SessionId id = next_session_++;
    uint32_t interface = static_cast<uint32_t>(1 + pick(3));
    bool read = std::any_of(sessions_.begin(), sessions_.end(),
                            [&](const auto &entry) { return entry.second.stream == stream; });
    auto granted = room_.join(slot, id, stream, interface, 1 + stream % 3);
    if (!granted) return;
    if (read) {
      ASSERT_EQ(granted->groups, groups_.at(stream));
    }
    groups_[stream] = granted->groups;
    sessions_.emplace(id, Session{stream, slot, interface, false});
  }

  void die() {
    Slot slot = static_cast<Slot>(pick(kSlots));
    if (!room_.ready.contains(slot)) return;
    std::erase_if(sessions_, [&](const auto &entry) { return entry.second.slot == slot; });
    room_.worker_dies(slot);
  }

  void come() {
    for (Slot slot = 0; slot < slots_; slot++)
      if (!room_.ready.contains(slot)) return room_.worker_comes(slot);
  }

  void change_slots() {
    slots_ = pick(3) == 0 ? pick(kSlots + 1) : kSlots;
    room_.set_slots(slots_);
  }

  void close() {
    control::StreamId stream = 1 + pick(8);
    std::erase_if(sessions_, [&](const auto &entry) { return entry.second.stream == stream; });
    room_.close(stream);
  }

  std::mt19937 random_;
  Room room_{kSlots, 26};
  size_t slots_ = kSlots;
  std::map<control::SessionId, Session> sessions_;
  std::map<control::StreamId, std::vector<std::string>> groups_; // as last granted
  control::SessionId next_session_ = 1;
};

TEST(RandomSequences, LeaveOneSenderWhereThereCanBeOneAndNothingBehind) {
  for (unsigned seed = 0; seed < 300; seed++) {
    World world(seed);
    for (int i = 0; i < 300; i++) {
      world.step();
      ASSERT_NO_FATAL_FAILURE(world.check()) << "seed " << seed << ", step " << i;
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", step " << i;
    }
    ASSERT_NO_FATAL_FAILURE(world.end()) << "seed " << seed;
  }
}

} // namespace
} // namespace sluice::multicast
