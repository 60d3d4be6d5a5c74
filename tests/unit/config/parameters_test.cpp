#include "supervisor/config/default_file.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/reference_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

namespace sluice::config {
namespace {

using testing::HasSubstr;

TEST(Parameters, HaveTheDefaultsOfTheReference) {
  Configuration global;
  EXPECT_EQ(global.log_level, LogLevel::Info);
  EXPECT_EQ(global.log_destinations, (LogDestinations{true, false, false}));
  EXPECT_EQ(global.read_timeout, 10 * kSecond);
  EXPECT_EQ(global.read_buffer_count, 512);
  EXPECT_EQ(global.protocols, (Protocols{true, true, true}));
  EXPECT_EQ(global.encryption, Encryption::No);
  EXPECT_EQ(global.rtsp_address, ":8554");
  EXPECT_EQ(global.rtp_address, ":8000");
  EXPECT_EQ(global.rtcp_address, ":8001");
  EXPECT_EQ(global.auth_methods, (AuthMethods{true, true}));
  EXPECT_EQ(global.hls_segment_count, 7);
  EXPECT_EQ(global.hls_segment_max_size, uint64_t{50} << 20);
  EXPECT_TRUE(global.paths.empty());
  PathConfiguration path;
  EXPECT_EQ(path.source, "publisher");
  EXPECT_EQ(path.run_on_demand_close_after, 10 * kSecond);
}

TEST(Parameters, HaveTheDefaultsOfTheDesign) {
  Configuration global;
  EXPECT_EQ(global.rtsp_workers, 0);
  EXPECT_EQ(global.max_sessions, 20000);
  EXPECT_EQ(global.ring_max_size, uint64_t{64} << 20);
  EXPECT_EQ(global.max_memory, 0u);
  EXPECT_EQ(global.write_coalesce, 20 * kMillisecond);
  EXPECT_EQ(global.write_merge, 0);
  EXPECT_EQ(global.reader_start, ReaderStart::Live);
  EXPECT_EQ(global.worker_restart_grace, 10 * kSecond);
  PathConfiguration path;
  EXPECT_EQ(path.write_coalesce, 20 * kMillisecond);
  EXPECT_EQ(path.source_reconnect_grace, 30 * kSecond);
}

TEST(Parameters, AreAllOfTheReferenceAndTheDesign) {
  std::set<std::string_view> global, path;
  for (const auto &parameter : global_parameters()) EXPECT_TRUE(global.insert(parameter.name).second);
  for (const auto &parameter : path_parameters()) EXPECT_TRUE(path.insert(parameter.name).second);
  std::set<std::string_view> expected_global{"logLevel",
                                             "logDestinations",
                                             "logFile",
                                             "readTimeout",
                                             "writeTimeout",
                                             "readBufferCount",
                                             "externalAuthenticationURL",
                                             "api",
                                             "apiAddress",
                                             "metrics",
                                             "metricsAddress",
                                             "pprof",
                                             "pprofAddress",
                                             "runOnConnect",
                                             "runOnConnectRestart",
                                             "rtspDisable",
                                             "protocols",
                                             "encryption",
                                             "rtspAddress",
                                             "rtspsAddress",
                                             "rtpAddress",
                                             "rtcpAddress",
                                             "multicastIPRange",
                                             "multicastRTPPort",
                                             "multicastRTCPPort",
                                             "serverKey",
                                             "serverCert",
                                             "authMethods",
                                             "rtmpDisable",
                                             "rtmpAddress",
                                             "hlsDisable",
                                             "hlsAddress",
                                             "hlsAlwaysRemux",
                                             "hlsVariant",
                                             "hlsSegmentCount",
                                             "hlsSegmentDuration",
                                             "hlsPartDuration",
                                             "hlsSegmentMaxSize",
                                             "hlsAllowOrigin",
                                             "hlsEncryption",
                                             "hlsServerKey",
                                             "hlsServerCert",
                                             "hlsTrustedProxies",
                                             "rtspWorkers",
                                             "rtmpWorkers",
                                             "hlsWorkers",
                                             "maxSessions",
                                             "ringMaxSize",
                                             "maxMemory",
                                             "writeCoalesce",
                                             "writeMerge",
                                             "readerStart",
                                             "workerRestartGrace",
                                             "rtmpEncryption",
                                             "rtmpsAddress",
                                             "rtmpServerKey",
                                             "rtmpServerCert",
                                             "apiUser",
                                             "apiPass",
                                             "apiEncryption",
                                             "apiServerKey",
                                             "apiServerCert",
                                             "logFormat",
                                             "crashDirectory"};
  std::set<std::string_view> expected_path{"source",
                                           "sourceProtocol",
                                           "sourceAnyPortEnable",
                                           "sourceFingerprint",
                                           "sourceOnDemand",
                                           "sourceOnDemandStartTimeout",
                                           "sourceOnDemandCloseAfter",
                                           "sourceRedirect",
                                           "disablePublisherOverride",
                                           "fallback",
                                           "publishUser",
                                           "publishPass",
                                           "publishIPs",
                                           "readUser",
                                           "readPass",
                                           "readIPs",
                                           "runOnInit",
                                           "runOnInitRestart",
                                           "runOnDemand",
                                           "runOnDemandRestart",
                                           "runOnDemandStartTimeout",
                                           "runOnDemandCloseAfter",
                                           "runOnReady",
                                           "runOnReadyRestart",
                                           "runOnRead",
                                           "runOnReadRestart",
                                           "sourceReconnectGrace",
                                           "useAbsoluteTimestamp",
                                           "writeCoalesce",
                                           "writeMerge",
                                           "readerStart"};
  EXPECT_EQ(global, expected_global);
  EXPECT_EQ(path, expected_path);
}

// No two rows write to the same member: each value given alone changes what its own row renders, and nothing else.
template <class S> void expect_members_apart() {
  for (const auto &parameter : parameters_of<S>()) {
    S changed;
    std::string before = render(parameter, changed);
    for (const char *text : {"3", "yes", "3s", "3M", "debug", "fmp4", "udp", "keyframe", "json", "file", "basic"}) {
      changed = S();
      if (set_from_text(parameter, text, changed) && render(parameter, changed) != before) break;
    }
    EXPECT_NE(render(parameter, changed), before) << parameter.name;
    for (const auto &other : parameters_of<S>())
      EXPECT_EQ(is_default(other, changed), other.name != parameter.name) << parameter.name << ", " << other.name;
  }
}

TEST(Parameters, AreMembersOfTheirOwn) {
  expect_members_apart<Configuration>();
  expect_members_apart<PathConfiguration>();
}

TEST(Parameters, AreDocumentedInOneLine) {
  for (const auto &parameter : global_parameters())
    EXPECT_THAT(std::string(parameter.documentation), testing::MatchesRegex("[A-Z][^\n]{5,110}\\.")) << parameter.name;
  for (const auto &parameter : path_parameters())
    EXPECT_THAT(std::string(parameter.documentation), testing::MatchesRegex("[A-Z][^\n]{5,110}\\.")) << parameter.name;
}

TEST(Parameters, SayWhatAChangeNeeds) {
  for (const auto &parameter : global_parameters()) {
    EXPECT_FALSE(parameter.changes.empty()) << parameter.name;
    for (Change change : {Change::PathHooks, Change::PathSource, Change::StreamSetting})
      EXPECT_FALSE(parameter.changes.contains(change)) << parameter.name;
    EXPECT_EQ(parameter.changes.contains(Change::PathsThatInherit),
              find_parameter<PathConfiguration>(parameter.name) != nullptr)
        << parameter.name;
    EXPECT_TRUE(!parameter.changes.contains(Change::NextUse) || parameter.changes == Change::NextUse) << parameter.name;
  }
  const Changes of_paths = Change::NextUse | Change::PathHooks | Change::PathSource | Change::StreamSetting;
  for (const auto &parameter : path_parameters()) {
    EXPECT_EQ(parameter.changes.size(), 1) << parameter.name;
    EXPECT_EQ(parameter.changes | of_paths, of_paths) << parameter.name;
  }
}

TEST(Parameters, SuggestTheNearestName) {
  EXPECT_EQ(nearest_name<Configuration>("readTimeot"), "readTimeout");
  EXPECT_EQ(nearest_name<Configuration>("RTSPADDRESS"), "rtspAddress");
  EXPECT_EQ(nearest_name<PathConfiguration>("sorce"), "source");
  EXPECT_EQ(nearest_name<Configuration>("zzz"), "");
  EXPECT_EQ(nearest_name<Configuration>(std::string(1000, 'a')), "");
}

TEST(DefaultFile, IsTheOneInTheTree) {
  std::ifstream file(SLUICE_SOURCE_DIR "/deploy/sluice.yml");
  std::string content{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(content, default_configuration_file()) << "run: sluice --print-default-config > deploy/sluice.yml";
}

TEST(ReferencePage, IsTheOneInTheTree) {
  std::ifstream file(SLUICE_SOURCE_DIR "/deploy/configuration.md");
  std::string content{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(content, configuration_reference())
      << "run: sluice --print-configuration-reference > deploy/configuration.md";
}

TEST(ReferencePage, NamesEveryParameterAndItsVariable) {
  std::string page = configuration_reference();
  for (const auto &parameter : global_parameters())
    EXPECT_THAT(page, HasSubstr("\n| `" + std::string(parameter.name) + "` | "));
  for (const char *row :
       {"| `readTimeout` | duration | `10s` | How long a client that should send may be silent. | workers are told | "
        "`RTSP_READTIMEOUT` |\n",
        "| `encryption` | word | `\"no\"` |", "| `writeMerge` | duration | that of all paths |",
        "| `readPass` | credential | `\"\"` |", "`RTSP_PATHS_NAME_READPASS` |"})
    EXPECT_THAT(page, HasSubstr(row));
}

TEST(DefaultFile, NamesEveryParameter) {
  std::string file = default_configuration_file();
  for (const auto &parameter : global_parameters())
    EXPECT_THAT(file, HasSubstr("\n" + std::string(parameter.name) + ": "));
  for (const auto &parameter : path_parameters())
    EXPECT_THAT(file, HasSubstr(" " + std::string(parameter.name) + ": "));
}

TEST(DefaultFile, IsTheConfigurationWithoutAFile) {
  auto loaded = parse_configuration(default_configuration_file(), "sluice.yml", {});
  ASSERT_TRUE(loaded) << loaded.error()[0];
  Configuration expected;
  PathConfiguration all;
  all.name = kAllPaths;
  expected.paths.emplace(kAllPaths, all);
  EXPECT_EQ(loaded->configuration, expected);
}

} // namespace
} // namespace sluice::config
