#include "supervisor/config/json.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/reload_plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using enum Change;

Configuration configuration(std::string_view yaml) {
  auto loaded = parse_configuration(yaml, "f.yml", {});
  EXPECT_TRUE(loaded) << yaml << "\n" << (loaded ? "" : loaded.error()[0]);
  return loaded ? loaded->configuration : Configuration();
}

ReloadPlan plan(std::string_view before, std::string_view after) {
  return plan_reload(configuration(before), configuration(after));
}

// Gives one parameter a value that differs from the default.
template <class S> void change_value(const Parameter<S> &parameter, S &holder) {
  for (const char *text : {"3", "yes", "3s", "3M", "debug", "fmp4", "udp", "keyframe", "json", "file", "basic"}) {
    S changed = holder;
    if (!set_from_text(parameter, text, changed) || render(parameter, changed) == render(parameter, holder)) continue;
    holder = changed;
    return;
  }
  ADD_FAILURE() << "no other value for " << parameter.name;
}

TEST(ReloadPlan, IsEmptyIfNothingChanges) {
  const char *text = "readTimeout: 5s\npaths: {a: {writeMerge: 1ms}, ~b: , all: }";
  EXPECT_TRUE(plan(text, text).empty());
  EXPECT_TRUE(plan_reload({}, {}).empty());
  EXPECT_TRUE(plan("readTimeout: 10s", "").empty());
}

TEST(ReloadPlan, NamesWhatTheTableSaysForEachGlobalParameter) {
  for (const auto &parameter : global_parameters()) {
    Configuration before, after;
    before.paths["a"].name = after.paths["a"].name = "a";
    change_value(parameter, after);
    ReloadPlan result = plan_reload(before, after);
    EXPECT_EQ(result.changes, parameter.changes) << parameter.name;
    EXPECT_THAT(result.parameters, ElementsAre(parameter.name));
    EXPECT_THAT(result.changed, IsEmpty());
    EXPECT_FALSE(result.empty() || result.names_may_move());
  }
}

TEST(ReloadPlan, NamesWhatTheTableSaysForEachParameterOfAPath) {
  for (const auto &parameter : path_parameters()) {
    Configuration before, after;
    for (const char *name : {"a", "b"}) before.paths[name].name = after.paths[name].name = name;
    change_value(parameter, after.paths["a"]);
    ReloadPlan result = plan_reload(before, after);
    EXPECT_THAT(result.changed, ElementsAre(PathChange{"a", parameter.changes, {parameter.name}})) << parameter.name;
    EXPECT_TRUE(result.changes.empty() && result.parameters.empty()) << parameter.name;
    EXPECT_FALSE(result.empty() || result.names_may_move());
  }
}

TEST(ReloadPlan, JoinsWhatSeveralChangesNeed) {
  ReloadPlan result = plan("paths: {a: }", "readTimeout: 5s\nrtspWorkers: 2\nlogLevel: debug\n"
                                           "paths: {a: {writeMerge: 1ms, disablePublisherOverride: yes}}");
  EXPECT_EQ(result.changes, Log | WorkerSetting | RtspSlots);
  EXPECT_THAT(result.parameters, ElementsAre("logLevel", "readTimeout", "rtspWorkers"));
  EXPECT_THAT(result.changed,
              ElementsAre(PathChange{"a", NextUse | StreamSetting, {"disablePublisherOverride", "writeMerge"}}));
}

TEST(ReloadPlan, ReachesThePathsThatInherit) {
  ReloadPlan result = plan("paths: {a: , b: {writeMerge: 0s}}", "writeMerge: 1ms\npaths: {a: , b: {writeMerge: 0s}}");
  EXPECT_EQ(result.changes, PathsThatInherit);
  EXPECT_THAT(result.changed, ElementsAre(PathChange{"a", StreamSetting, {"writeMerge"}}));
  EXPECT_TRUE(plan("paths: {a: }", "paths: {a: {writeMerge: 0s}}").empty()); // its own, but the same
}

TEST(ReloadPlan, NamesAddedAndRemovedPaths) {
  ReloadPlan result = plan("paths: {a: , b: , ~x: }", "paths: {b: , c: , all: }");
  EXPECT_THAT(result.added, ElementsAre("c", "~^.*$"));
  EXPECT_THAT(result.removed, ElementsAre("a", "~x"));
  EXPECT_THAT(result.changed, IsEmpty());
  EXPECT_TRUE(result.names_may_move());
  EXPECT_FALSE(result.empty() || result.reordered);
}

TEST(ReloadPlan, NamesAnotherOrderOfRegularExpressionsAlone) {
  EXPECT_TRUE(plan("paths: {a: , b: , ~x: , all: , ~y: }", "paths: {all: , b: , ~x: , ~y: , a: }").empty());
  EXPECT_TRUE(plan("paths: {~x: , ~y: }", "paths: {~y: , ~x: }").reordered);
  EXPECT_FALSE(plan("paths: {~x: , ~y: }", "paths: {~z: , ~x: , ~y: }").reordered);
  EXPECT_FALSE(plan("paths: {~x: , ~z: , ~y: }", "paths: {~x: , ~y: }").reordered);
}

TEST(ReloadPlan, FollowsFromAChangeByTheApi) {
  Configuration base = configuration("paths: {a: }");
  ReloadPlan result = plan_reload(base, *apply_json_settings(base, R"({"writeTimeout": "5s"})"));
  EXPECT_EQ(result.changes, WorkerSetting);
  result = plan_reload(base, *edit_path_json(base, "a", R"({"sourceRedirect": "rtsp://x/y"})"));
  EXPECT_THAT(result.changed, SizeIs(1));
}

TEST(ReloadPlan, TellsWhatChangedWithoutValues) {
  EXPECT_EQ(plan("", "").text(), "nothing has changed");
  EXPECT_EQ(
      plan("paths: {a: , b: }", "readTimeout: 5s\nlogLevel: warn\npaths: {a: {readUser: x, readPass: z}, c: }").text(),
      "changed: logLevel, readTimeout; changed paths: a; added paths: c; removed paths: b");
  std::string many = "paths:\n";
  for (int i = 10; i < 25; i++) many += fmt::format("  p{}:\n", i);
  EXPECT_EQ(plan("", many).text(), "added paths: p10, p11, p12, p13, p14, p15, p16, p17, p18, p19 and 5 more");
}

TEST(ReloadPlan, ConcernsWorkersOnlyIfTheyHaveToBeTold) {
  EXPECT_TRUE(plan("", "rtspWorkers: 3").concerns_workers());
  EXPECT_TRUE(plan("", "runOnConnect: x").concerns_workers());
  for (const char *rtmp : {"rtmpWorkers: 3", "rtmpDisable: yes", "rtmpAddress: :1", "rtmpEncryption: strict",
                           "rtmpsAddress: :1", "rtmpServerKey: k", "rtmpServerCert: c"})
    EXPECT_TRUE(plan("", rtmp).concerns_workers()) << rtmp;
  EXPECT_TRUE(plan("", "multicastIPRange: 239.0.0.0/8").concerns_workers());
  EXPECT_FALSE(plan("", "ringMaxSize: 8M\npaths: {a: }").concerns_workers());
}

TEST(Changes, AreDescribed) {
  for (size_t i = 0; i < kChangeCount; i++) EXPECT_FALSE(description_of(static_cast<Change>(i)).empty()) << i;
}

} // namespace
} // namespace sluice::config
