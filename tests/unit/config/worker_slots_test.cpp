#include "supervisor/config/loader.h"
#include "supervisor/config/worker_slots.h"

#include <gmock/gmock.h>

namespace sluice::config {
namespace {

using testing::ElementsAre;

Configuration configuration(std::string_view text) {
  LoadResult result = parse_configuration(text, "f.yml", {});
  EXPECT_TRUE(result) << (result ? "" : result.error().front());
  return result ? result->configuration : Configuration();
}

std::vector<size_t> counts(std::string_view text, size_t cores) {
  PerProtocol<size_t> found = worker_counts(configuration(text), cores);
  return {found[Protocol::Rtsp], found[Protocol::Rtmp], found[Protocol::Hls]};
}

// "0 rtsp-0, 1 rtmp-0"
std::string text_of(const SlotRoles &roles) {
  std::string text;
  for (size_t slot = 0; slot < roles.size(); slot++)
    if (roles[slot]) text += (text.empty() ? "" : ", ") + std::to_string(slot) + " " + name_of(*roles[slot]);
  return text;
}

SlotRoles place(const SlotRoles &present, size_t rtsp, size_t rtmp) {
  return place_workers(present, {{rtsp, rtmp}});
}

TEST(WorkerCounts, AreAsConfiguredOrByCores) {
  EXPECT_THAT(counts("rtspWorkers: 3\nrtmpWorkers: 1\nhlsWorkers: 2", 8), ElementsAre(3, 1, 2));
  EXPECT_THAT(counts("", 8), ElementsAre(8, 8, 8));
  EXPECT_THAT(counts("rtspWorkers: 3", 8), ElementsAre(3, 8, 8));
  EXPECT_THAT(counts("", 0), ElementsAre(1, 1, 1));
}

TEST(WorkerCounts, StayWithinTheSlotsThereAre) {
  EXPECT_THAT(counts("", 100), ElementsAre(21, 21, 22));
  EXPECT_THAT(counts("rtspWorkers: 62", 100), ElementsAre(62, 1, 1));
  EXPECT_THAT(counts("rtmpWorkers: 60", 100), ElementsAre(2, 60, 2));
  EXPECT_THAT(counts("rtmpDisable: yes\nhlsDisable: yes", 100), ElementsAre(64, 0, 0));
  EXPECT_THAT(counts("rtspWorkers: 31\nrtmpWorkers: 32", 1), ElementsAre(31, 32, 1));
}

TEST(WorkerCounts, AreNoneWithoutAnythingToServeOrPull) {
  EXPECT_THAT(counts("rtmpDisable: yes\nrtmpWorkers: 3\nhlsDisable: yes", 2), ElementsAre(2, 0, 0));
  EXPECT_THAT(counts("rtspDisable: yes", 2), ElementsAre(0, 2, 2));
  std::string off = "rtspDisable: yes\nrtmpDisable: yes\nhlsDisable: yes\npaths: {a: {source: ";
  EXPECT_THAT(counts(off + "'rtmps://h/x'}}", 2), ElementsAre(0, 2, 0));
  EXPECT_THAT(counts(off + "'rtsp://h/x'}}", 2), ElementsAre(2, 0, 0));
  EXPECT_THAT(counts(off + "'https://h/x.m3u8'}}", 2), ElementsAre(0, 0, 2));
  EXPECT_FALSE(serves(configuration("rtmpDisable: yes"), Protocol::Rtmp));
  EXPECT_TRUE(serves(configuration("rtmpDisable: yes"), Protocol::Rtsp));
  EXPECT_FALSE(serves(configuration("hlsDisable: yes"), Protocol::Hls));
}

TEST(WorkerPlaces, AreTheFirstThatAreFree) {
  SlotRoles roles = place({}, 2, 2);
  EXPECT_EQ(text_of(roles), "0 rtsp-0, 1 rtsp-1, 2 rtmp-0, 3 rtmp-1");
  EXPECT_EQ(slots_of(roles, Protocol::Rtsp), (control::SlotSet{0, 1}));
  EXPECT_EQ(slots_of(roles, Protocol::Rtmp), (control::SlotSet{2, 3}));
  EXPECT_EQ(text_of(place({}, 0, 1)), "0 rtmp-0");
}

TEST(WorkerPlaces, StayWhenOthersComeAndGo) {
  SlotRoles roles = place({}, 2, 2);
  EXPECT_EQ(text_of(place(roles, 3, 2)), "0 rtsp-0, 1 rtsp-1, 2 rtmp-0, 3 rtmp-1, 4 rtsp-2");
  EXPECT_EQ(text_of(place(roles, 1, 2)), "0 rtsp-0, 2 rtmp-0, 3 rtmp-1");
  // rtsp-1 is still there, being given up.
  EXPECT_EQ(text_of(place(roles, 1, 3)), "0 rtsp-0, 2 rtmp-0, 3 rtmp-1, 4 rtmp-2");
  SlotRoles without = place(roles, 1, 2);
  EXPECT_EQ(text_of(place(without, 1, 3)), "0 rtsp-0, 1 rtmp-2, 2 rtmp-0, 3 rtmp-1");
  EXPECT_EQ(text_of(place(roles, 2, 2)), text_of(roles)) << "what was to go stays";
}

TEST(WorkerPlaces, AreGivenWhenOthersHaveLeft) {
  SlotRoles full = place({}, 60, 4);
  EXPECT_EQ(slots_of(place(full, 30, 34), Protocol::Rtmp).size(), 4U) << "all are taken so far";
  full[59].reset();
  SlotRoles next = place(full, 30, 34);
  EXPECT_EQ(slots_of(next, Protocol::Rtmp).size(), 5U);
  EXPECT_EQ(name_of(next[59].value_or(SlotRole())), "rtmp-4");
}

} // namespace
} // namespace sluice::config
