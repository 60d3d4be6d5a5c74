#include "ipc/store/segment_store.h"
#include "supervisor/muxers/muxers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using control::Refusal;

struct Sent {
  uint16_t slot;
  control::Message message;
  size_t descriptors;
};

class MuxersTest : public testing::Test, Muxers::Listener {
protected:
  MuxersTest() : muxers_(*this) {
    settings_.hls.segment_count = 3;
    settings_.hls.segment_max_bytes = 1 << 20;
    settings_.budget_bytes = 1 << 30;
    muxers_.configure(settings_, 0);
    muxers_.set_slots({4, 5}, 0);
  }

  bool worker_serves(uint16_t slot) const override { return serving_.contains(slot); }
  void send_to_worker(uint16_t slot, const control::Message &message, std::span<const int> fds) override {
    sent_.push_back({slot, message, fds.size()});
    if (const auto *start = std::get_if<control::StartMuxer>(&message); start != nullptr && fds.size() == 1)
      stores_[start->muxer] = Fd(::dup(fds[0]));
  }

  // The only message of this kind since the last call of take().
  template <class M> std::pair<uint16_t, M> only() {
    std::vector<std::pair<uint16_t, M>> found;
    for (const Sent &each : sent_)
      if (const auto *message = std::get_if<M>(&each.message)) found.emplace_back(each.slot, *message);
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? std::pair<uint16_t, M>() : found[0];
  }
  template <class M> size_t count() const {
    return static_cast<size_t>(std::count_if(sent_.begin(), sent_.end(),
                                             [](const Sent &each) { return std::holds_alternative<M>(each.message); }));
  }
  void take() { sent_.clear(); }

  void ask(uint16_t slot, control::RequestId request, const std::string &path = "cam", Nanoseconds now = 0) {
    muxers_.on_message(slot, control::Mux{request, path, "1.2.3.4"}, now);
  }
  // A muxer of the path that is ready; the slot that it is in and its number.
  std::pair<uint16_t, control::MuxerId> ready(const std::string &path = "cam") {
    ask(4, 99, path);
    auto [slot, start] = only<control::StartMuxer>();
    muxers_.on_message(slot, control::MuxerReady{start.muxer}, 0);
    take();
    return {slot, start.muxer};
  }

  Muxers::Settings settings_;
  control::SlotSet serving_{4, 5};
  Muxers muxers_;
  std::vector<Sent> sent_;
  std::map<control::MuxerId, Fd> stores_;
};

TEST_F(MuxersTest, WhoAsksWaitsUntilTheMuxerIsReady) {
  ask(4, 1);
  ask(5, 2);
  auto [slot, start] = only<control::StartMuxer>();
  EXPECT_EQ(start.path, "cam");
  EXPECT_FALSE(start.resumes);
  EXPECT_EQ(count<control::MuxerGranted>(), 0u);
  take();
  muxers_.on_message(slot, control::MuxerReady{start.muxer}, 0);
  ASSERT_EQ(count<control::MuxerGranted>(), 2u);
  EXPECT_EQ(sent_[0].descriptors, 1u);
  auto store = store::StoreWriter::open(stores_.at(start.muxer).get());
  EXPECT_EQ(store->subscribers(), uint64_t{1} << 4 | uint64_t{1} << 5);
}

TEST_F(MuxersTest, ThoseWhoWaitLearnWhyItEnded) {
  ask(5, 1);
  auto [slot, start] = only<control::StartMuxer>();
  muxers_.on_message(slot, control::MuxerEnded{start.muxer, Refusal::NoPublisher, "no one is publishing"}, 0);
  auto [to, refused] = only<control::Refused>();
  EXPECT_EQ(to, 5);
  EXPECT_EQ(refused.request, 1u);
  EXPECT_EQ(refused.refusal, Refusal::NoPublisher);
  EXPECT_EQ(count<control::StopMuxer>(), 0u);
  EXPECT_TRUE(muxers_.list().empty());
}

TEST_F(MuxersTest, MuxersAreSpreadOverTheWorkers) {
  EXPECT_NE(ready("a").first, ready("b").first);
}

TEST_F(MuxersTest, AnotherWorkerGoesOnWhenItsWorkerDies) {
  auto [slot, id] = ready();
  serving_ = {static_cast<uint16_t>(slot == 4 ? 5 : 4)};
  muxers_.on_worker_gone(slot, 0);
  auto [next, start] = only<control::StartMuxer>();
  EXPECT_NE(next, slot);
  EXPECT_EQ(start.muxer, id);
  EXPECT_TRUE(start.resumes);
  take();
  ask(next, 7); // which needs not wait
  EXPECT_EQ(only<control::MuxerGranted>().second.request, 7u);
}

TEST_F(MuxersTest, WithoutAnotherOneItWaitsForItsWorkersSuccessor) {
  muxers_.set_slots({4}, 0);
  ready();
  serving_ = {};
  muxers_.on_worker_gone(4, 0);
  EXPECT_EQ(count<control::StartMuxer>(), 0u);
  serving_ = {4};
  muxers_.on_worker_ready(4);
  EXPECT_TRUE(only<control::StartMuxer>().second.resumes);
}

TEST_F(MuxersTest, AMuxerThatNobodyUsesEnds) {
  auto [slot, id] = ready();
  muxers_.on_message(4, control::MuxerUsed{id}, 10 * kSecond);
  muxers_.on_message(5, control::MuxerUsed{id}, 50 * kSecond); // was not shown it
  muxers_.on_time(10 * kSecond + Muxers::kUnused - 1);
  EXPECT_EQ(muxers_.list().size(), 1u);
  muxers_.on_time(10 * kSecond + Muxers::kUnused);
  EXPECT_TRUE(muxers_.list().empty());
  EXPECT_EQ(only<control::StopMuxer>().first, slot);
  EXPECT_EQ(only<control::MuxerWithdrawn>().first, 4);
}

TEST_F(MuxersTest, AlwaysRemuxFollowsThePaths) {
  settings_.always = true;
  muxers_.configure(settings_, 0);
  muxers_.on_path_ready("cam", 0);
  auto [slot, start] = only<control::StartMuxer>();
  muxers_.on_message(slot, control::MuxerReady{start.muxer}, 0);
  muxers_.on_time(10 * Muxers::kUnused);
  EXPECT_EQ(muxers_.list().size(), 1u) << "used or not";
  take();
  // An error is tried again after a while, the end of the stream is not.
  muxers_.on_message(slot, control::MuxerEnded{start.muxer, Refusal::Unavailable, "too large"}, 0);
  muxers_.on_time(Muxers::kFirstRetry - 1);
  EXPECT_EQ(count<control::StartMuxer>(), 0u);
  muxers_.on_time(Muxers::kFirstRetry);
  auto [again, second] = only<control::StartMuxer>();
  take();
  muxers_.on_path_not_ready("cam");
  muxers_.on_message(again, control::MuxerEnded{second.muxer, Refusal::NoPublisher, "the stream has ended"}, 0);
  muxers_.on_time(100 * kSecond);
  EXPECT_EQ(count<control::StartMuxer>(), 0u);
}

TEST_F(MuxersTest, TheNextStreamOfAPathMayBeThereBeforeTheOldMuxerHasEnded) {
  settings_.always = true;
  muxers_.configure(settings_, 0);
  muxers_.on_path_ready("cam", 0);
  auto [slot, start] = only<control::StartMuxer>();
  take();
  muxers_.on_path_not_ready("cam");
  muxers_.on_path_ready("cam", 0);
  muxers_.on_message(slot, control::MuxerEnded{start.muxer, Refusal::NoPublisher, "the stream has ended"}, 0);
  EXPECT_NE(only<control::StartMuxer>().second.muxer, start.muxer);
}

TEST_F(MuxersTest, OtherSettingsEndMuxersUnlessOnlyAnswersChange) {
  ready();
  settings_.hls.allow_origin = "https://example.com";
  muxers_.configure(settings_, 0);
  EXPECT_EQ(muxers_.list().size(), 1u);
  settings_.hls.segment_count = 5;
  muxers_.configure(settings_, 0);
  EXPECT_TRUE(muxers_.list().empty());
}

TEST_F(MuxersTest, OtherWorkersCanNotSpeakForAMuxer) {
  auto [slot, id] = ready();
  uint16_t other = slot == 4 ? 5 : 4;
  muxers_.on_message(other, control::MuxerEnded{id, Refusal::Unavailable, "a lie"}, 0);
  EXPECT_EQ(muxers_.list().size(), 1u);
}

TEST_F(MuxersTest, MemoryIsBounded) {
  auto [slot, id] = ready();
  auto store = store::StoreWriter::open(stores_.at(id).get());
  ASSERT_TRUE(store->append(ByteVector(1 << 20, 1)).has_value());
  settings_.budget_bytes = 1 << 19;
  muxers_.configure(settings_, 0);
  ask(4, 5, "other");
  EXPECT_EQ(only<control::Refused>().second.refusal, Refusal::Unavailable);
  muxers_.on_time(1);
  EXPECT_TRUE(muxers_.list().empty());
  take();
  ask(4, 6, "other");
  EXPECT_EQ(count<control::StartMuxer>(), 1u);
}

TEST_F(MuxersTest, ADrainedSlotGivesItsMuxersToOthers) {
  auto [slot, id] = ready();
  muxers_.set_slots({static_cast<uint16_t>(slot == 4 ? 5 : 4)}, 0);
  EXPECT_EQ(only<control::StopMuxer>().first, slot);
  EXPECT_NE(only<control::StartMuxer>().first, slot);
}

} // namespace
} // namespace sluice
