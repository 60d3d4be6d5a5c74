#include "supervisor/config/json.h"
#include "supervisor/config/json_document.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/path_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sluice::config {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

Configuration configuration(std::string_view yaml, const Environment &environment = {}) {
  auto loaded = parse_configuration(yaml, "f.yml", environment);
  EXPECT_TRUE(loaded) << yaml << "\n" << (loaded ? "" : loaded.error()[0]);
  return loaded ? loaded->configuration : Configuration();
}
Configuration changed(const ChangeResult &result) {
  EXPECT_TRUE(result) << (result ? "" : result.error()[0]);
  return result ? *result : Configuration();
}
LoadErrors errors(const ChangeResult &result) {
  EXPECT_FALSE(result);
  return result ? LoadErrors() : result.error();
}

const YamlNode &member(const YamlNode &object, std::string_view key) {
  for (size_t i = 0; i < object.keys.size(); i++)
    if (object.keys[i].text == key) return object.items[i];
  ADD_FAILURE() << "no member " << key;
  static const YamlNode kNone;
  return kNone;
}

TEST(RenderJson, HasEveryParameterAndThePaths) {
  auto root = parse_json(render_json(configuration("paths: {all: , cam: {writeMerge: 5ms}}")));
  ASSERT_TRUE(root);
  std::set<std::string_view> names, expected{"paths"};
  for (const YamlNode &key : root->keys) names.insert(key.text);
  for (const auto &parameter : global_parameters()) expected.insert(parameter.name);
  EXPECT_EQ(names, expected);
  const YamlNode &paths = member(*root, "paths");
  ASSERT_EQ(paths.keys.size(), 2u);
  EXPECT_EQ(member(paths, "~^.*$").keys.size(), path_parameters().size());
  EXPECT_EQ(member(member(paths, "cam"), "writeMerge").text, "5ms");
  EXPECT_EQ(member(member(paths, "~^.*$"), "writeMerge").text, "0s");
  EXPECT_EQ(parse_json(render_json(PathConfiguration()))->keys.size(), path_parameters().size());
}

TEST(RenderJson, HasTheFormsOfTheReference) {
  std::string json = render_json(configuration("readTimeout: 1m\nprotocols: [tcp, udp]\napiUser: me\napiPass: secret\n"
                                               "logFile: \"a\\\"b\\n\"\n"));
  for (const char *expected :
       {R"("logLevel":"info")", R"("logDestinations":["stdout"])", R"("readTimeout":"1m0s")",
        R"("readBufferCount":512)", R"("api":false)", R"("protocols":["tcp","udp"])", R"("encryption":"no")",
        R"("authMethods":["basic","digest"])", R"("hlsVariant":"mpegts")", R"("hlsSegmentMaxSize":"50M")",
        R"("hlsPartDuration":"200ms")", R"("hlsTrustedProxies":[])", R"("apiPass":"secret")", R"("logFile":"a\"b\n")",
        R"("paths":{})"})
    EXPECT_THAT(json, HasSubstr(expected));
  EXPECT_THAT(render_json(Configuration()), HasSubstr(R"("protocols":["multicast","tcp","udp"])"));
}

TEST(Settings, ChangeWhatTheyName) {
  Configuration base = configuration("readTimeout: 5s\npaths: {cam: }");
  Configuration after = changed(apply_json_settings(
      base, R"({"writeTimeout": "7s", "protocols": ["tcp"], "maxSessions": 5, "logLevel": "debug", "maxMemory": 0})"));
  EXPECT_EQ(after.read_timeout, 5 * kSecond);
  EXPECT_EQ(after.write_timeout, 7 * kSecond);
  EXPECT_EQ(after.protocols, (Protocols{false, false, true}));
  EXPECT_EQ(after.max_sessions, 5);
  EXPECT_EQ(after.log_level, LogLevel::Debug);
  EXPECT_EQ(after.paths, base.paths);
  EXPECT_EQ(changed(apply_json_settings(base, "{}")), base);
  EXPECT_EQ(changed(apply_json_settings(base, R"({"readTimeout": "0s"})")).read_timeout, 10 * kSecond);
}

TEST(Settings, LeaveOutWhatIsNoGlobalParameter) {
  std::vector<std::string> ignored;
  Configuration base = configuration("paths: {cam: }");
  Configuration after =
      changed(apply_json_settings(base, R"({"paths": {"a": {}}, "readTimeot": "5s", "readTimeout": "5s"})", &ignored));
  EXPECT_EQ(after.read_timeout, 5 * kSecond);
  EXPECT_EQ(after.paths, base.paths);
  EXPECT_THAT(ignored, UnorderedElementsAre("paths", "readTimeot"));
  EXPECT_EQ(changed(apply_json_settings(after, render_json(after))), after);
}

TEST(Settings, AreRefusedWithAllThatIsWrong) {
  EXPECT_THAT(errors(apply_json_settings({}, R"({"readTimeout": 7, "writeTimeout": 5, "maxSessions": 0})")), SizeIs(3));
  EXPECT_THAT(errors(apply_json_settings({}, "[]")), ElementsAre("not a JSON object"));
  EXPECT_THAT(errors(apply_json_settings({}, "")), ElementsAre("not valid JSON"));
  EXPECT_THAT(errors(apply_json_settings({}, "readTimeout: 5s")), ElementsAre("not valid JSON"));
  EXPECT_THAT(errors(apply_json_settings({}, R"({"api": true, "api": false})")), ElementsAre("'api' is given twice"));
  EXPECT_THAT(errors(apply_json_settings({}, R"({"rtspDisable": "yes"})")), ElementsAre(HasSubstr("wrong type")));
}

TEST(Settings, AreCheckedWithTheWholeConfiguration) {
  Configuration base = configuration("rtpAddress: :9000\nrtcpAddress: :9001\nhlsSegmentCount: 5");
  EXPECT_THAT(errors(apply_json_settings(base, R"({"rtpAddress": ":9002"})")),
              ElementsAre("rtcpAddress: RTP and RTCP ports must be consecutive, but are 9002 and 9001"));
  EXPECT_THAT(errors(apply_json_settings(base, R"({"hlsVariant": "lowLatency", "hlsEncryption": true})")),
              ElementsAre(HasSubstr("Low-Latency HLS requires at least 7 segments")));
  changed(apply_json_settings(base, R"({"rtpAddress": ":9002", "rtcpAddress": ":9003"})"));
}

TEST(Paths, AreAdded) {
  Configuration base = configuration("paths: {~x: , ~y: , cam: }");
  Configuration after = changed(add_path_json(base, "new/one", R"({"disablePublisherOverride": true})"));
  EXPECT_TRUE(after.paths.at("new/one").disable_publisher_override);
  EXPECT_EQ(after.paths.at("new/one").name, "new/one");
  EXPECT_EQ(after.paths.size(), 4u);
  EXPECT_THAT(errors(add_path_json(base, "cam", "{}")),
              ElementsAre("path 'cam' exists already; use config/paths/edit"));
  EXPECT_THAT(errors(add_path_json(base, "/a", "{}")), ElementsAre(HasSubstr("invalid path name: can't begin with")));
  EXPECT_THAT(errors(add_path_json(base, "", "{}")), ElementsAre(HasSubstr("path name can not be empty")));
  EXPECT_THAT(errors(add_path_json(base, "~(", "{}")), ElementsAre(HasSubstr("invalid regular expression: (")));
  EXPECT_THAT(errors(add_path_json(base, "a", R"({"sorce": "x", "readPass": 5})")),
              ElementsAre("parameter paths, key a: non-existent parameter: 'sorce'; did you mean 'source'?",
                          HasSubstr("parameter paths, key a: readPass: wrong type")));
  EXPECT_THAT(errors(add_path_json(base, "a", "")), ElementsAre("not valid JSON"));
}

TEST(Paths, ThatAreAddedAreTriedLast) {
  Configuration base = configuration("paths: {~x: , ~y: , all: }");
  Configuration without = changed(remove_path(base, "~x"));
  Configuration after = changed(add_path_json(changed(add_path_json(without, "~a", "{}")), "~x", "{}"));
  PathMatcher matcher(after);
  EXPECT_EQ(matcher.find("yax")->path->name, "~y");
  EXPECT_EQ(matcher.find("ax")->path->name, "~a");
  EXPECT_EQ(matcher.find("x")->path->name, "~x");
  EXPECT_EQ(matcher.find("b")->path->name, "~^.*$");
}

TEST(Paths, AreEdited) {
  Configuration base = configuration("paths: {cam: {writeMerge: 5ms}, b: }");
  Configuration after = changed(edit_path_json(base, "cam", R"({"disablePublisherOverride": true})"));
  EXPECT_TRUE(after.paths.at("cam").disable_publisher_override);
  EXPECT_EQ(after.paths.at("cam").write_merge, 5 * kMillisecond);
  EXPECT_EQ(after.paths.at("b"), base.paths.at("b"));
  EXPECT_EQ(changed(edit_path_json(base, "cam", "{}")), base);
  EXPECT_THAT(errors(edit_path_json(base, "x", "{}")), ElementsAre("path 'x' is not configured; use config/paths/add"));
  EXPECT_THAT(errors(edit_path_json(base, "b", R"({"readUser": "x"})")),
              Contains(HasSubstr("read username and password must be both filled")));
}

TEST(Paths, AreRemoved) {
  Configuration base = configuration("paths: {cam: , b: }");
  EXPECT_EQ(changed(remove_path(base, "cam")).paths.size(), 1u);
  EXPECT_THAT(errors(remove_path(base, "x\n")), ElementsAre("path 'x\\n' is not configured"));
}

TEST(Paths, MayBeCalledAll) {
  Configuration after = changed(add_path_json({}, "all", "{}"));
  EXPECT_EQ(after.paths.begin()->first, kAllPaths);
  EXPECT_THAT(errors(add_path_json(after, "~^.*$", "{}")), ElementsAre(HasSubstr("exists already")));
  for (const char *name : {"all", "~^.*$"}) {
    Configuration edited = changed(edit_path_json(after, name, R"({"disablePublisherOverride": true})"));
    EXPECT_TRUE(edited.paths.at("~^.*$").disable_publisher_override);
    EXPECT_THAT(changed(remove_path(edited, name)).paths, IsEmpty());
  }
}

TEST(InheritedParameters, FollowTheGlobalOneUnlessThePathHasItsOwn) {
  Configuration base =
      configuration("writeMerge: 1ms\npaths: {a: , b: {writeMerge: 1ms}, c: }", {{"RTSP_PATHS_C_WRITEMERGE", "3ms"}});
  EXPECT_NE(base.paths.at("a").own, base.paths.at("b").own);
  base = changed(add_path_json(base, "d", R"({"writeMerge": "4ms", "writeCoalesce": 0})"));
  Configuration after = changed(apply_json_settings(base, R"({"writeMerge": "9ms", "writeCoalesce": "8ms"})"));
  EXPECT_EQ(after.paths.at("a").write_merge, 9 * kMillisecond);
  EXPECT_EQ(after.paths.at("b").write_merge, kMillisecond);
  EXPECT_EQ(after.paths.at("b").write_coalesce, 8 * kMillisecond);
  EXPECT_EQ(after.paths.at("c").write_merge, 3 * kMillisecond);
  EXPECT_EQ(after.paths.at("d").write_merge, 4 * kMillisecond);
  EXPECT_EQ(after.paths.at("d").write_coalesce, 0);
  after = changed(edit_path_json(after, "a", R"({"writeMerge": "2ms"})"));
  after = changed(apply_json_settings(after, R"({"writeMerge": "7ms"})"));
  EXPECT_EQ(after.paths.at("a").write_merge, 2 * kMillisecond);
}

TEST(InheritedParameters, AreCheckedOnceOnly) {
  Configuration base = configuration("paths: {a: , b: }");
  EXPECT_THAT(errors(apply_json_settings(base, R"({"writeMerge": "1m"})")),
              ElementsAre("writeMerge: must be at most 10s"));
}

// What was rendered is taken again, parameter by parameter, and changes nothing.
template <class S, class Apply> void expect_round_trip(const S &holder, const Configuration &base, Apply apply) {
  auto object = parse_json(render_json(holder));
  ASSERT_TRUE(object);
  for (const auto &parameter : parameters_of<S>()) {
    const YamlNode &value = member(*object, parameter.name);
    auto quoted = [](const YamlNode &scalar) {
      return scalar.kind == YamlNode::Kind::String ? "\"" + scalar.text + "\"" : scalar.text;
    };
    std::string text = value.kind == YamlNode::Kind::Bool ? (value.text == "yes" ? "true" : "false") : quoted(value);
    if (value.kind == YamlNode::Kind::Sequence) {
      text = "[";
      for (const YamlNode &item : value.items) text += (text == "[" ? "" : ",") + quoted(item);
      text += "]";
    }
    auto after = apply("{\"" + std::string(parameter.name) + "\": " + text + "}");
    ASSERT_TRUE(after) << parameter.name << text << after.error()[0];
    EXPECT_EQ(render_json(*after), render_json(base)) << parameter.name;
  }
}

TEST(RenderJson, ReadsBack) {
  Configuration base = configuration("maxMemory: 1G\nreadTimeout: 1500ms\npaths: {a: {writeMerge: 1ms}}");
  expect_round_trip(base, base, [&](const std::string &json) { return apply_json_settings(base, json); });
  expect_round_trip(base.paths.at("a"), base, [&](const std::string &json) { return edit_path_json(base, "a", json); });
}

} // namespace
} // namespace sluice::config
