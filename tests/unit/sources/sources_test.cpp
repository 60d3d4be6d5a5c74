#include "supervisor/sources/sources.h"

#include <gmock/gmock.h>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct SourcesTest : testing::Test, Sources::Listener, loop::Timer::Listener {
  void on_source(const paths::Event &event) override {
    if (const auto *up = std::get_if<paths::SourceUp>(&event))
      happened.push_back("up " + std::to_string(up->source) + " in " + std::to_string(up->slot));
    if (const auto *down = std::get_if<paths::SourceDown>(&event))
      happened.push_back("down " + std::to_string(down->source) + " " + down->reason +
                         (down->at_once ? " at once" : ""));
    if (const auto *moved = std::get_if<paths::SourceMoved>(&event)) {
      happened.push_back("moved " + std::to_string(moved->source));
      if (ends_what_moves) sources.end(moved->source);
    }
    if (!happened.empty() && happened.back().starts_with("down")) loop.stop();
  }
  bool worker_serves(uint16_t slot) const override { return serving.contains(slot); }
  void send_to_worker(uint16_t slot, const control::Message &message, std::span<const int> descriptors) override {
    std::string to = std::to_string(slot) + ": ";
    if (const auto *start = std::get_if<control::StartSource>(&message)) {
      happened.push_back(to + "start " + std::to_string(start->source) + " " + start->url + " at " +
                         (start->addresses.empty() ? "" : start->addresses.front()) +
                         (descriptors.empty() ? "" : " with trust"));
    } else if (const auto *stop = std::get_if<control::StopSource>(&message)) {
      happened.push_back(to + "stop " + std::to_string(stop->source));
    } else {
      happened.push_back(to + "other");
    }
  }
  void on_timer(loop::Timer &) override { loop.stop(); }

  void set_slots(control::SlotSet rtsp, control::SlotSet rtmp = {}, control::SlotSet hls = {}) {
    sources.set_slots({{rtsp, rtmp, hls}});
  }
  std::vector<std::string> news() { return std::exchange(happened, {}); }
  auto start(control::SourceId id, const std::string &url = "rtsp://1.2.3.4/x") {
    sources.start({id, "path", {.url = url}, {}});
    return news();
  }
  auto tell(uint16_t slot, const control::Message &message) {
    sources.on_message(slot, message);
    return news();
  }

  loop::Loop loop;
  std::set<uint16_t> serving{0, 1};
  std::vector<std::string> happened;
  bool ends_what_moves = false;
  Sources sources{loop, *this};
  SourcesTest() { set_slots({0, 1}); }
};

TEST_F(SourcesTest, SpreadsThemOverTheSlots) {
  EXPECT_THAT(start(1), ElementsAre("0: start 1 rtsp://1.2.3.4/x at 1.2.3.4:554"));
  EXPECT_THAT(start(2), ElementsAre("1: start 2 rtsp://1.2.3.4/x at 1.2.3.4:554"));
  EXPECT_THAT(start(3, "rtsp://[::1]:7/x"), ElementsAre("0: start 3 rtsp://[::1]:7/x at [::1]:7"));
  sources.end(1), sources.end(3);
  EXPECT_THAT(news(), ElementsAre("0: stop 1", "0: stop 3"));
  EXPECT_THAT(start(4), ElementsAre("0: start 4 rtsp://1.2.3.4/x at 1.2.3.4:554"));
}

// Over HTTP a server may name others, over TLS.
TEST_F(SourcesTest, AlwaysTellThoseOfHlsWhomToTrust) {
  serving.insert(7);
  set_slots({0, 1}, {}, {7});
  EXPECT_THAT(start(1, "http://1.2.3.4/x.m3u8"),
              ElementsAre("7: start 1 http://1.2.3.4/x.m3u8 at 1.2.3.4:80 with trust"));
  EXPECT_THAT(start(2, "https://1.2.3.4/x.m3u8"),
              ElementsAre("7: start 2 https://1.2.3.4/x.m3u8 at 1.2.3.4:443 with trust"));
}

TEST_F(SourcesTest, StayWhereTheirStreamIs) {
  sources.start({1, "path", {.url = "rtsp://1.2.3.4/x"}, 1});
  sources.start({2, "path", {.url = "rtsp://1.2.3.4/x"}, 1});
  sources.start({3, "path", {.url = "rtsp://1.2.3.4/x"}, 5}); // there is no such slot any more
  EXPECT_THAT(news(),
              ElementsAre("1: start 1 rtsp://1.2.3.4/x at 1.2.3.4:554", "1: start 2 rtsp://1.2.3.4/x at 1.2.3.4:554",
                          "0: start 3 rtsp://1.2.3.4/x at 1.2.3.4:554"));
}

TEST_F(SourcesTest, WaitsForTheSlotsWorker) {
  serving.erase(0);
  EXPECT_THAT(start(1), IsEmpty());
  serving.insert(0);
  sources.on_worker_ready(0);
  EXPECT_THAT(news(), ElementsAre("0: start 1 rtsp://1.2.3.4/x at 1.2.3.4:554"));
  sources.on_worker_ready(0);
  EXPECT_THAT(news(), IsEmpty());
}

TEST_F(SourcesTest, PassesOnWhatWorkersSay) {
  start(1), start(2);
  EXPECT_THAT(tell(0, control::SourceReady{5, 1, {}}), ElementsAre("up 1 in 0"));
  EXPECT_THAT(tell(0, control::SourceFailed{1, "why"}), ElementsAre("down 1 why"));
  EXPECT_THAT(tell(0, control::SourceFailed{1, "why"}), IsEmpty());
  EXPECT_THAT(tell(0, control::SourceFailed{2, "of another slot"}), IsEmpty());
  EXPECT_THAT(tell(0, control::SourceReady{5, 2, {}}), ElementsAre("0: other")) << "refused";
}

TEST_F(SourcesTest, FollowsRedirectsWithinLimits) {
  start(1, "rtsp://u:p@1.2.3.4/x");
  EXPECT_THAT(tell(0, control::SourceMoved{1, "rtsp://5.6.7.8:9/y"}),
              ElementsAre("moved 1", "0: start 1 rtsp://u:p@5.6.7.8:9/y at 5.6.7.8:9"));
  for (int i = 1; i < Sources::kMaxRedirects; i++) tell(0, control::SourceMoved{1, "rtsp://5.6.7.8:9/y"});
  EXPECT_THAT(tell(0, control::SourceMoved{1, "rtsp://5.6.7.8:9/y"}), ElementsAre("down 1 too many redirects"));
  start(2);
  EXPECT_THAT(tell(0, control::SourceMoved{2, "ftp://x/"}),
              ElementsAre("down 2 redirected to what is not a valid source URL"));
}

TEST_F(SourcesTest, MayBeEndedWhenTheyMove) {
  ends_what_moves = true;
  start(1);
  EXPECT_THAT(tell(0, control::SourceMoved{1, "rtsp://5.6.7.8:9/y"}), ElementsAre("moved 1"));
  EXPECT_THAT(tell(0, control::SourceFailed{1, "why"}), IsEmpty());
}

TEST_F(SourcesTest, SaysWhichNamesAreUnknown) {
  loop::Timer patience(loop, *this);
  patience.start(10 * kSecond);
  start(1, "rtsp://no-such-name.invalid/x");
  loop.run();
  ASSERT_EQ(happened.size(), 1U);
  EXPECT_THAT(happened[0], testing::StartsWith("down 1 name 'no-such-name.invalid' can't be resolved: "));
}

TEST_F(SourcesTest, ForgetsNamesOfWhatEnded) {
  loop::Timer patience(loop, *this);
  patience.start(kSecond);
  start(1, "rtsp://no-such-name.invalid/x");
  sources.end(1);
  loop.run();
  EXPECT_THAT(news(), IsEmpty());
}

TEST_F(SourcesTest, DeathOfAWorkerEndsItsSources) {
  start(1), start(2);
  sources.on_worker_gone(0);
  EXPECT_THAT(news(), ElementsAre("down 1 its worker failed at once"));
  EXPECT_THAT(tell(0, control::SourceFailed{1, "late"}), IsEmpty());
}

TEST_F(SourcesTest, ArePulledInSlotsOfTheirProtocol) {
  serving = {0, 1, 5, 9};
  set_slots({0, 1}, {5, 9});
  EXPECT_THAT(start(1, "rtmp://1.2.3.4/x"), ElementsAre("5: start 1 rtmp://1.2.3.4/x at 1.2.3.4:1935"));
  EXPECT_THAT(start(2, "rtmps://1.2.3.4/x"), ElementsAre("9: start 2 rtmps://1.2.3.4/x at 1.2.3.4:443 with trust"));
  EXPECT_THAT(start(3), ElementsAre("0: start 3 rtsp://1.2.3.4/x at 1.2.3.4:554"));
  sources.start({4, "path", {.url = "rtmp://1.2.3.4/x"}, 9});
  EXPECT_THAT(news(), ElementsAre("9: start 4 rtmp://1.2.3.4/x at 1.2.3.4:1935"));
  sources.start({5, "path", {.url = "rtmp://1.2.3.4/x"}, 1});
  EXPECT_THAT(news(), ElementsAre("5: start 5 rtmp://1.2.3.4/x at 1.2.3.4:1935"));
  set_slots({0, 1}, {9});
  EXPECT_THAT(news(), ElementsAre("5: stop 1", "down 1 its worker is given up at once", "5: stop 5",
                                  "down 5 its worker is given up at once"));
}

TEST_F(SourcesTest, WaitForASlotOfTheirProtocol) {
  EXPECT_THAT(start(1, "rtmp://1.2.3.4/x"), IsEmpty());
  sources.end(1);
  EXPECT_THAT(start(2, "rtmp://1.2.3.4/x"), IsEmpty());
  serving.insert(2);
  set_slots({0, 1}, {2});
  EXPECT_THAT(news(), ElementsAre("2: start 2 rtmp://1.2.3.4/x at 1.2.3.4:1935"));
}

TEST_F(SourcesTest, AreNotRedirectedToAnotherProtocol) {
  start(1);
  EXPECT_THAT(tell(0, control::SourceMoved{1, "rtmp://5.6.7.8/y"}),
              ElementsAre("down 1 redirected to another protocol"));
}

TEST_F(SourcesTest, MovesThoseOfSlotsThatGo) {
  start(1), start(2);
  set_slots({0});
  EXPECT_THAT(news(), ElementsAre("1: stop 2", "down 2 its worker is given up at once"));
  set_slots({});
  EXPECT_THAT(start(3), IsEmpty());
  set_slots({0});
  sources.on_worker_ready(0);
  EXPECT_THAT(news(), ElementsAre("0: start 3 rtsp://1.2.3.4/x at 1.2.3.4:554"));
}

} // namespace
} // namespace sluice
