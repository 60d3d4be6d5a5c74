#include "supervisor/config/encryption.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/yaml.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace sluice::config {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

LoadedConfiguration loaded(std::string_view text, const Environment &environment = {}) {
  auto result = parse_configuration(text, "f.yml", environment);
  EXPECT_TRUE(result) << text << "\n" << (result ? "" : result.error()[0]);
  return result ? *result : LoadedConfiguration();
}
Configuration configuration(std::string_view text, const Environment &environment = {}) {
  return loaded(text, environment).configuration;
}
LoadErrors errors(std::string_view text, const Environment &environment = {}) {
  auto result = parse_configuration(text, "f.yml", environment);
  EXPECT_FALSE(result) << text;
  return result ? LoadErrors() : result.error();
}
PathConfiguration path(std::string_view text, const std::string &name, const Environment &environment = {}) {
  Configuration all = configuration(text, environment);
  EXPECT_TRUE(all.paths.contains(name)) << name;
  return all.paths[name];
}

TEST(Load, FillsTheConfiguration) {
  Configuration global = configuration("logLevel: debug\nreadTimeout: 1m30s\nreadBufferCount: 1024\nrtspDisable: yes\n"
                                       "protocols: [tcp]\nrtspAddress: 127.0.0.1:5554\nringMaxSize: 128M\n"
                                       "paths:\n  cam:\n    disablePublisherOverride: on\n");
  EXPECT_EQ(global.log_level, LogLevel::Debug);
  EXPECT_EQ(global.read_timeout, 90 * kSecond);
  EXPECT_EQ(global.read_buffer_count, 1024);
  EXPECT_TRUE(global.rtsp_disable);
  EXPECT_EQ(global.protocols, (Protocols{false, false, true}));
  EXPECT_EQ(global.rtsp_address, "127.0.0.1:5554");
  EXPECT_EQ(global.ring_max_size, uint64_t{128} << 20);
  EXPECT_TRUE(global.paths["cam"].disable_publisher_override);
}

TEST(Load, TakesJson) {
  Configuration global = configuration(R"({"readTimeout": "5s", "protocols": ["tcp"], "rtspDisable": true,
    "maxSessions": 5, "logFile": null, "paths": {"cam": {"disablePublisherOverride": true}, "all": null}})");
  EXPECT_EQ(global.read_timeout, 5 * kSecond);
  EXPECT_EQ(global.max_sessions, 5);
  EXPECT_THAT(global.paths, SizeIs(2));
}

// Every parameter of the reference as its own configuration file has it.
constexpr std::string_view kReferenceFile = R"(
###############################################
# General parameters

# Sets the verbosity of the program; available values are "error", "warn", "info", "debug".
logLevel: info
logDestinations: [stdout]
logFile: rtsp-simple-server.log
readTimeout: 10s
writeTimeout: 10s
readBufferCount: 512
externalAuthenticationURL:
api: no
apiAddress: 127.0.0.1:9997
metrics: no
metricsAddress: 127.0.0.1:9998
pprof: no
pprofAddress: 127.0.0.1:9999
runOnConnect:
runOnConnectRestart: no

rtspDisable: no
protocols: [udp, multicast, tcp]
encryption: "no"
rtspAddress: :8554
rtspsAddress: :8322
rtpAddress: :8000
rtcpAddress: :8001
multicastIPRange: 224.1.0.0/16
multicastRTPPort: 8002
multicastRTCPPort: 8003
serverKey: server.key
serverCert: server.crt
authMethods: [basic, digest]

rtmpDisable: no
rtmpAddress: :1935

hlsDisable: no
hlsAddress: :8888
hlsAlwaysRemux: no
hlsVariant: mpegts
hlsSegmentCount: 7
hlsSegmentDuration: 1s
hlsPartDuration: 200ms
hlsSegmentMaxSize: 50M
hlsAllowOrigin: '*'
hlsEncryption: no
hlsServerKey: server.key
hlsServerCert: server.crt
hlsTrustedProxies: []

paths:
  all:
    source: publisher
    sourceProtocol: automatic
    sourceAnyPortEnable: no
    sourceFingerprint:
    sourceOnDemand: no
    sourceOnDemandStartTimeout: 10s
    sourceOnDemandCloseAfter: 10s
    sourceRedirect:
    disablePublisherOverride: no
    fallback:
    publishUser:
    publishPass:
    publishIPs: []
    readUser:
    readPass:
    readIPs: []
    runOnInit:
    runOnInitRestart: no
    runOnDemand:
    runOnDemandRestart: no
    runOnDemandStartTimeout: 10s
    runOnDemandCloseAfter: 10s
    runOnReady:
    runOnReadyRestart: no
    runOnRead:
    runOnReadRestart: no
)";

TEST(Load, TakesTheReferencesFile) {
  LoadedConfiguration result = loaded(kReferenceFile);
  EXPECT_THAT(result.notes, IsEmpty());
  EXPECT_EQ(result.configuration, configuration("paths:\n  all:\n"));
  for (const auto &parameter : path_parameters())
    EXPECT_TRUE(is_default(parameter, result.configuration.paths.at("~^.*$"))) << parameter.name;
}

TEST(Load, OfNothingHasNoPaths) {
  EXPECT_EQ(configuration(""), Configuration());
  EXPECT_EQ(configuration("paths:\n"), Configuration());
  EXPECT_THAT(configuration("# nothing").paths, IsEmpty());
}

TEST(Load, RenamesThePathAll) {
  Configuration global = configuration("paths:\n  all:\n");
  EXPECT_EQ(global.paths.begin()->first, "~^.*$");
  EXPECT_EQ(global.paths.begin()->second.name, "~^.*$");
}

TEST(Load, PrefersAllToItsExpression) {
  for (const char *text :
       {"paths:\n  '~^.*$': {disablePublisherOverride: no}\n  all: {disablePublisherOverride: yes}\n",
        "paths:\n  all: {disablePublisherOverride: yes}\n  '~^.*$': {disablePublisherOverride: no}\n"}) {
    LoadedConfiguration result = loaded(text);
    EXPECT_TRUE(result.configuration.paths["~^.*$"].disable_publisher_override);
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("left out")));
  }
}

TEST(Load, KeepsTheOrderOfPaths) {
  Configuration global = configuration("paths:\n  z:\n  a:\n  m:\n");
  EXPECT_EQ(global.paths["z"].order, 0);
  EXPECT_EQ(global.paths["a"].order, 1);
  EXPECT_EQ(global.paths["m"].order, 2);
}

TEST(Load, GivesPathsTheGlobalValuesTheyInherit) {
  const char *text = "writeMerge: 5ms\npaths:\n  a:\n  b:\n    writeMerge: 0s\n  c: {writeCoalesce: 0}\n";
  EXPECT_EQ(path(text, "a").write_merge, 5 * kMillisecond);
  EXPECT_EQ(path(text, "b").write_merge, 0);
  EXPECT_EQ(path(text, "c").write_coalesce, 0);
  EXPECT_EQ(path(text, "c").write_merge, 5 * kMillisecond);
  EXPECT_EQ(path("paths:\n  a:\n", "a", {{"RTSP_WRITEMERGE", "7ms"}}).write_merge, 7 * kMillisecond);
  const char *start = "readerStart: keyframe\npaths:\n  a:\n  b: {readerStart: live}\n";
  EXPECT_EQ(path(start, "a").reader_start, ReaderStart::Keyframe);
  EXPECT_EQ(path(start, "b").reader_start, ReaderStart::Live);
}

TEST(Load, TakesZeroOfTheReferencesParametersAsTheDefault) {
  Configuration global = configuration("readTimeout: 0s\nreadBufferCount: 0\nlogDestinations: []\nprotocols:\n"
                                       "rtspAddress: ''\nlogFile:\nhlsSegmentCount: 0\n");
  EXPECT_EQ(global, Configuration());
}

TEST(Load, TakesZeroOfItsOwnParametersAsAValue) {
  EXPECT_EQ(configuration("writeCoalesce: 0s").write_coalesce, 0);
  EXPECT_EQ(configuration("writeCoalesce: 0").write_coalesce, 0);
  EXPECT_EQ(configuration("maxMemory: 0").max_memory, 0u);
  EXPECT_THAT(errors("maxSessions: 0"), ElementsAre("f.yml:1: maxSessions: 0 is not between 1 and 100000"));
}

TEST(LoadErrors, NameFileLineAndTheNearestName) {
  EXPECT_THAT(errors("logLevel: info\nreadTimeot: 5s\n"),
              ElementsAre("f.yml:2: non-existent parameter: 'readTimeot'; did you mean 'readTimeout'?"));
  EXPECT_THAT(errors("READTIMEOUT: 5s"), ElementsAre(HasSubstr("did you mean 'readTimeout'?")));
  EXPECT_THAT(errors("xyzzy: 1"), ElementsAre("f.yml:1: non-existent parameter: 'xyzzy'"));
  EXPECT_THAT(
      errors("paths:\n  cam:\n    sorce: x\n"),
      ElementsAre("f.yml:3: parameter paths, key cam: non-existent parameter: 'sorce'; did you mean 'source'?"));
}

TEST(LoadErrors, AreForWrongShapes) {
  EXPECT_THAT(errors("- a\n"), ElementsAre("f.yml:1: not a map"));
  EXPECT_THAT(errors("text"), ElementsAre("f.yml:1: not a map"));
  EXPECT_THAT(errors("paths: [a]"), ElementsAre("f.yml:1: parameter paths is not a map"));
  EXPECT_THAT(errors("paths:\n  cam: 5\n"), ElementsAre("f.yml:2: parameter paths, key cam: not a map"));
  EXPECT_THAT(errors("5: x\n"), ElementsAre("f.yml:1: integer keys are not supported (5)"));
  EXPECT_THAT(errors("paths:\n  5:\n"), ElementsAre(HasSubstr("integer keys are not supported (5)")));
  EXPECT_THAT(errors("paths:\n  no:\n"), ElementsAre(HasSubstr("integer keys are not supported")));
  EXPECT_THAT(errors("a: [\n"), ElementsAre(HasSubstr("f.yml:2: not valid YAML")));
}

TEST(LoadErrors, AreForWrongTypes) {
  for (const char *text : {"encryption: no",
                           "readTimeout: 10",
                           "rtspDisable: 1",
                           "rtspDisable: 'yes'",
                           "readBufferCount: '512'",
                           "readBufferCount: 1.5",
                           "logFile: 12",
                           "logFile: yes",
                           "protocols: tcp",
                           "protocols: [1]",
                           "protocols: {}",
                           "logLevel: no",
                           "hlsSegmentMaxSize: 50",
                           "rtspAddress: []",
                           "readTimeout: {}",
                           "writeCoalesce: 1",
                           "maxMemory: 1000",
                           "logLevel:",
                           "encryption:",
                           "readTimeout:",
                           "hlsSegmentMaxSize:",
                           "hlsVariant:"}) {
    std::string name(text, std::string_view(text).find(':'));
    EXPECT_THAT(errors(text), ElementsAre(HasSubstr("f.yml:1: " + name + ": wrong type: expected "))) << text;
  }
  EXPECT_THAT(errors("paths: {a: {publishPass: 12345}}"), ElementsAre(testing::Not(HasSubstr("12345"))));
  EXPECT_THAT(errors("paths: {a: {sourceProtocol: }}"), ElementsAre(HasSubstr("wrong type")));
}

TEST(LoadErrors, AreForWrongValues) {
  EXPECT_THAT(errors("logLevel: loud"), ElementsAre(HasSubstr("f.yml:1: logLevel: invalid log level: loud; expected")));
  EXPECT_THAT(errors("protocols: [tpc]"), ElementsAre(HasSubstr("invalid protocol: tpc")));
  EXPECT_THAT(errors("readTimeout: ''"), ElementsAre(HasSubstr("invalid duration")));
  EXPECT_THAT(errors("readTimeout: -1s"), ElementsAre(HasSubstr("invalid duration")));
  EXPECT_THAT(errors("readBufferCount: -1"), ElementsAre(HasSubstr("-1 is not between")));
  EXPECT_THAT(errors("rtspWorkers: 65"), Contains(HasSubstr("65 is not between 0 and 64")));
  EXPECT_THAT(errors("ringMaxSize: 1K"), ElementsAre(HasSubstr("between 1M and 16G")));
  EXPECT_THAT(errors("writeMerge: 1m"), ElementsAre(HasSubstr("at most 10s")));
  EXPECT_THAT(errors("externalAuthenticationURL: ftp://x"), ElementsAre(HasSubstr("must be a HTTP URL")));
  EXPECT_THAT(errors("hlsTrustedProxies: [x]\nhlsDisable: yes"), ElementsAre(HasSubstr("unable to parse IP/CIDR 'x'")));
  EXPECT_THAT(errors("paths: {a: {readIPs: [1.2.3.4/99]}}"), ElementsAre(HasSubstr("IP/CIDR '1.2.3.4/99'")));
  EXPECT_THAT(errors("paths: {a: {publishUser: 'a b', publishPass: 'c'}}"),
              Contains("f.yml:1: parameter paths, key a: publishUser: contains unsupported characters (supported are "
                       "A-Z,0-9,!,$,(,),*,+,.,;,<,=,>,[,],^,_,-,{,})"));
}

TEST(LoadErrors, AreForCredentials) {
  auto of_user = [](const std::string &user) {
    return fmt::format("{}", fmt::join(errors("paths: {a: {readUser: '" + user + "', readPass: x}}"), "\n"));
  };
  EXPECT_THAT(of_user("a:b"), HasSubstr("contains unsupported characters"));
  configuration("paths: {a: {readUser: 'sha256:a/b==', readPass: x}}");
  const std::string argon2 = "argon2:$argon2id$v=19$m=4096,t=2,p=1$c2FsdHNhbHQ$"
                             "sLmFtFTbQq1ZXhNNxNLLVA6IjZAXkVcY2ZnNiQXNhFs";
  configuration("paths: {a: {readUser: '" + argon2 + "', readPass: x}}");
  EXPECT_THAT(errors("api: yes\napiPass: '" + argon2 + "'\napiUser: x"),
              ElementsAre(HasSubstr("apiPass: expected a plain value or sha256:")));
  for (const char *wrong : {"argon2:", "argon2:$argon2id$", "argon2:$argon2i$v=19$m", "argon2:$argon2id$a b",
                            "argon2:$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$sLmFtFTbQq1ZXhNNxNLLVA"})
    EXPECT_THAT(of_user(wrong), HasSubstr("readUser: ")) << wrong;
}

TEST(LoadErrors, AreForListenersThatAreOn) {
  EXPECT_THAT(errors("rtspAddress: '8554'"), ElementsAre(HasSubstr("rtspAddress: '8554' is not an address")));
  EXPECT_THAT(errors("rtpAddress: :8001\nrtcpAddress: :8002"), ElementsAre(HasSubstr("RTP port must be even")));
  EXPECT_THAT(errors("rtpAddress: :9000"), ElementsAre(HasSubstr("RTP and RTCP ports must be consecutive")));
  EXPECT_THAT(errors("hlsAddress: x"), ElementsAre(HasSubstr("hlsAddress")));
  EXPECT_THAT(errors("multicastRTPPort: 8005"), Contains(HasSubstr("multicastRTPPort: RTP port must be even")));
  for (const char *wrong : {"x", "224.1.0.0", "10.0.0.0/8", "224.0.0.0/3", "192.0.0.0/4", "ff02::/16", "224.1.0.0/33"})
    EXPECT_THAT(errors(fmt::format("multicastIPRange: '{}'", wrong)),
                ElementsAre(HasSubstr(fmt::format("multicastIPRange: '{}' is not a range of IPv4 multicast", wrong))));
  configuration("multicastIPRange: 239.0.0.0/4\nmulticastRTPPort: 9002\nmulticastRTCPPort: 9003");
  EXPECT_THAT(errors("multicastRTCPPort: 8004"),
              ElementsAre(HasSubstr("multicastRTCPPort: RTP and RTCP ports must be consecutive")));
  configuration("rtspDisable: yes\nrtspAddress: x\nrtpAddress: :1\nmulticastIPRange: x");
  configuration("protocols: [tcp]\nrtpAddress: :9001\nmulticastRTPPort: 1");
  configuration("rtmpDisable: yes\nrtmpAddress: x\nhlsDisable: yes\nhlsAddress: x");
  configuration("apiAddress: :1\nmetricsAddress: :1\npprofAddress: :1\nrtspsAddress: :1\nrtmpsAddress: :1");
}

TEST(LoadErrors, AreForContradictions) {
  EXPECT_THAT(errors("encryption: strict"),
              Contains(HasSubstr("strict encryption can't be used with the UDP transport")));
  EXPECT_THAT(errors("encryption: strict"), Contains(HasSubstr("the UDP-multicast transport protocol")));
  EXPECT_THAT(errors("hlsSegmentCount: 101"), ElementsAre(HasSubstr("The maximum number of HLS segments is 100")));
  EXPECT_THAT(errors("hlsSegmentCount: 2"), ElementsAre(HasSubstr("The minimum number of HLS segments is 3")));
  EXPECT_THAT(errors("hlsVariant: lowLatency\nhlsSegmentCount: 5"),
              testing::IsSupersetOf({HasSubstr("Low-Latency HLS requires at least 7 segments"),
                                     HasSubstr("Low-Latency HLS requires encryption")}));
  EXPECT_THAT(errors("rtspWorkers: 60\nhlsWorkers: 60\nhlsDisable: yes"), ElementsAre(HasSubstr("are 120 together")));
  EXPECT_THAT(errors("rtspWorkers: 64"),
              ElementsAre(HasSubstr("rtmpWorkers: the others leave no worker for RTMP; together they may be 64"),
                          HasSubstr("hlsWorkers: the others leave no worker for HLS")));
  EXPECT_THAT(errors("rtmpWorkers: 64\nhlsDisable: yes"), ElementsAre(HasSubstr("rtspWorkers: the others leave no")));
  EXPECT_THAT(errors("rtmpWorkers: 64\nhlsDisable: yes\nrtspDisable: yes\npaths: {a: {source: 'rtsp://h/x'}}"),
              ElementsAre(HasSubstr("leave no worker for RTSP")));
  configuration("rtspWorkers: 64\nrtmpDisable: yes\nhlsDisable: yes");
  configuration("rtmpWorkers: 64\nrtspDisable: yes\nhlsDisable: yes");
  configuration("rtspWorkers: 62");
}

TEST(LoadErrors, AreForContradictionsInAPath) {
  auto first = [](std::string_view name, std::string_view parameters) {
    return fmt::format("{}", fmt::join(errors(fmt::format("paths: {{'{}': {{{}}}}}", name, parameters)), "\n"));
  };
  EXPECT_THAT(first("", ""), HasSubstr("path name can not be empty"));
  EXPECT_THAT(first("/a", ""), HasSubstr("invalid path name: can't begin with a slash (/a)"));
  EXPECT_THAT(first("a b", ""), HasSubstr("can contain only alphanumeric"));
  EXPECT_THAT(first("a", "source: nonsense"), HasSubstr("source: invalid source: 'nonsense'"));
  EXPECT_THAT(first("all", "source: 'rtsp://x/y'"),
              HasSubstr("a path with a regular expression (or path 'all') cannot have a RTSP source"));
  EXPECT_THAT(first("all", "source: 'rtmp://x/y'"), HasSubstr("cannot have a RTMP source"));
  EXPECT_THAT(first("all", "source: 'rtmps://x/y'"), HasSubstr("cannot have a RTMP source"));
  EXPECT_THAT(first("a", "source: 'rtmp:///y'"), HasSubstr("source: not a valid RTMP URL"));
  EXPECT_THAT(first("a", "source: 'rtsp://x:0/y'"), HasSubstr("source: not a valid RTSP URL"));
  EXPECT_THAT(first("a", "source: 'rtmp://u@x/y'"), HasSubstr("source: username and password must be both provided"));
  configuration("paths: {a: {source: 'rtmp://u:p@x/y'}, b: {source: 'rtmps://x/y'}, c: {source: 'rtsp://u@x/y'}}");
  EXPECT_THAT(first("all", "source: 'http://x/y.m3u8'"), HasSubstr("cannot have a HLS source"));
  EXPECT_THAT(first("a", "source: redirect"), HasSubstr("source redirect must be filled"));
  EXPECT_THAT(first("a", "source: redirect, sourceRedirect: x"), HasSubstr("'x' is not a valid RTSP URL"));
  EXPECT_THAT(first("a", "sourceOnDemand: yes"), HasSubstr("'sourceOnDemand' is useless when source is 'publisher'"));
  EXPECT_THAT(first("a", "fallback: /b/"), HasSubstr("'/b/': can't end with a slash"));
  EXPECT_THAT(first("a", "fallback: b"), HasSubstr("'b' is not a valid RTSP URL"));
  EXPECT_THAT(first("a", "publishUser: x"), HasSubstr("publish username and password must be both filled"));
  EXPECT_THAT(first("a", "readPass: x"), HasSubstr("read username and password must be both filled"));
  EXPECT_THAT(first("a", "source: 'rtsp://x/y', publishUser: x, publishPass: z"),
              HasSubstr("'publishUser' is useless when source is not 'publisher'"));
  EXPECT_THAT(first("a", "source: 'rtsp://x/y', publishIPs: [1.2.3.4]"), HasSubstr("'publishIPs' is useless"));
  EXPECT_THAT(first("all", "runOnInit: x"), HasSubstr("does not support option 'runOnInit'"));
  EXPECT_THAT(first("a", "source: 'rtsp://x/y', runOnDemand: x"), HasSubstr("'runOnDemand' can be used only when"));
  EXPECT_THAT(errors("paths: {a: {readUser: x, readPass: 5}}"), SizeIs(1)); // no second for the missing password
  EXPECT_THAT(errors("externalAuthenticationURL: http://x\npaths: {a: {readIPs: [1.2.3.4]}}"),
              Contains(HasSubstr("'readIPs' can't be used with 'externalAuthenticationURL'")));
}

TEST(LoadErrors, AreForRegularExpressions) {
  EXPECT_THAT(errors("paths: {'~^(x': }"),
              ElementsAre("f.yml:1: parameter paths, key ~^(x: invalid regular expression: ^(x: missing ): ^(x"));
  EXPECT_THAT(errors("paths: {'~^x': {source: 'rtsp://x/y'}}"),
              ElementsAre(HasSubstr("a path with a regular expression (or path 'all') cannot have a RTSP source")));
  std::string many = "paths:\n";
  for (int i = 0; i < 1001; i++) many += fmt::format("  ~x{}:\n", i);
  EXPECT_THAT(errors(many), ElementsAre("f.yml: paths: more than 1000 regular expressions"));
  EXPECT_THAT(configuration("paths: {'~': , '~^cam(.)$': , all: }").paths, SizeIs(3));
}

TEST(LoadErrors, AreAllListedInOrderOfLines) {
  EXPECT_THAT(errors("paths:\n  a:\n    foo: 1\n  b:\n    source: x\nreadTimeout: 5\nlogLevel: x\npprof: yes\n"),
              ElementsAre(HasSubstr("f.yml:3: "), HasSubstr("f.yml:5: "), HasSubstr("f.yml:6: "),
                          HasSubstr("f.yml:7: "), HasSubstr("f.yml:8: ")));
}

TEST(LoadErrors, AreOnePerValue) {
  EXPECT_THAT(errors("paths: {a: {source: x}}"), ElementsAre(HasSubstr("source: invalid source: 'x'")));
  EXPECT_THAT(errors("protocols: [tcp, udp]\nencryption: strict"), ElementsAre(HasSubstr("encryption: strict")));
}

TEST(LoadErrors, AreBounded) {
  std::string many;
  for (int i = 0; i < 5000; i++) many += fmt::format("x{}: 1\n", i);
  LoadErrors all = errors(many);
  ASSERT_THAT(all, SizeIs(kMaxReportedErrors + 1));
  EXPECT_EQ(all.back(), "4900 more errors are not shown");
  EXPECT_LT(errors(fmt::format("? {}\n: 1", std::string(60'000, 'x')))[0].size(), 300u);
  EXPECT_THAT(errors("\"a\\nb\": 1")[0], HasSubstr("'a\\nb'"));
}

TEST(NotBuilt, IsRefusedByName) {
  EXPECT_THAT(errors("pprof: yes"), ElementsAre("f.yml:1: pprof: not supported yet; expected the default, no"));
  for (const char *text : {"pprof: yes", "crashDirectory: /var/crash"}) {
    std::string name(text, std::string_view(text).find(':'));
    EXPECT_THAT(errors(text), ElementsAre(HasSubstr("f.yml:1: " + name + ": not supported yet;"))) << text;
  }
}

TEST(NotBuilt, IsAcceptedWhereItHasNoEffect) {
  configuration(
      "api: no\nmetrics: no\npprof: no\napiUser: x\napiPass: z\nencryption: 'no'\nserverKey: k\nauthMethods: [basic]\n"
      "runOnConnectRestart: yes\nlogFile: x.log\nprotocols: [tcp, multicast, udp]\nrtmpServerKey: k\n"
      "multicastRTPPort: 9002\nmulticastRTCPPort: 9003\nhlsServerKey: k\nhlsAddress: :99\nrtmpAddress: :98\n"
      "rtmpDisable: no\nhlsDisable: no\n");
  configuration("hlsDisable: yes\nhlsVariant: fmp4\nhlsAlwaysRemux: yes\nhlsSegmentCount: 9\nhlsAllowOrigin: x\n"
                "hlsEncryption: yes\nhlsWorkers: 2\nrtmpDisable: yes\nrtmpEncryption: strict\nrtmpWorkers: 2\n");
  configuration(
      "paths: {a: {sourceProtocol: tcp, sourceAnyPortEnable: yes, sourceFingerprint: x, runOnInitRestart: yes,"
      "sourceReconnectGrace: 1s, runOnDemandStartTimeout: 1s, sourceRedirect: x, runOnReadRestart: yes}}");
}

TEST(Environment, OverridesTheFile) {
  Configuration global = configuration("readTimeout: 5s\nprotocols: [udp]\n", {{"RTSP_READTIMEOUT", "7s"},
                                                                               {"RTSP_PROTOCOLS", "tcp"},
                                                                               {"RTSP_RTSPDISABLE", "Yes"},
                                                                               {"RTSP_MAXSESSIONS", "5"},
                                                                               {"RTSP_RINGMAXSIZE", "2M"},
                                                                               {"RTSP_LOGLEVEL", "warn"},
                                                                               {"RTSP_LOGFILE", "a\"b\\c"},
                                                                               {"RTSP_ENCRYPTION", "no"}});
  EXPECT_EQ(global.read_timeout, 7 * kSecond);
  EXPECT_EQ(global.protocols, (Protocols{false, false, true}));
  EXPECT_TRUE(global.rtsp_disable);
  EXPECT_EQ(global.max_sessions, 5);
  EXPECT_EQ(global.ring_max_size, 2u << 20);
  EXPECT_EQ(global.log_level, LogLevel::Warn);
  EXPECT_EQ(global.log_file, "a\"b\\c");
}

TEST(Environment, ReplacesLists) {
  EXPECT_EQ(configuration("authMethods: [basic]", {{"RTSP_AUTHMETHODS", "digest"}}).auth_methods,
            (AuthMethods{false, true}));
  EXPECT_EQ(
      configuration("hlsDisable: yes\nhlsTrustedProxies: [1.1.1.1]", {{"RTSP_HLSTRUSTEDPROXIES", "2.2.2.2,3.0.0.0/8"}})
          .hls_trusted_proxies,
      (std::vector<std::string>{"2.2.2.2", "3.0.0.0/8"}));
  EXPECT_EQ(configuration("protocols: [tcp]", {{"RTSP_PROTOCOLS", ""}}).protocols, (Protocols{true, true, true}));
}

TEST(Environment, CreatesAndChangesPaths) {
  EXPECT_EQ(path("", "cam1", {{"RTSP_PATHS_CAM1", ""}}), path("paths: {cam1: }", "cam1"));
  EXPECT_TRUE(
      path("paths:\n  cam:\n", "cam", {{"RTSP_PATHS_CAM_DISABLEPUBLISHEROVERRIDE", "yes"}}).disable_publisher_override);
  EXPECT_TRUE(path("paths:\n  all:\n", "~^.*$", {{"RTSP_PATHS_ALL_DISABLEPUBLISHEROVERRIDE", "yes"}})
                  .disable_publisher_override);
  EXPECT_EQ(path("", "a-1", {{"RTSP_PATHS_A-1_WRITEMERGE", "1ms"}}).write_merge, kMillisecond);
  EXPECT_THAT(configuration("", {{"RTSP_PATHS_Cam", ""}, {"RTSP_PATHS_", ""}, {"RTSP_PATHS", ""}}).paths, IsEmpty());
}

TEST(Environment, IsNamedInErrors) {
  EXPECT_THAT(errors("", {{"RTSP_RTSPDISABLE", "maybe"}}),
              ElementsAre("RTSP_RTSPDISABLE: invalid value 'maybe'; expected yes or no"));
  EXPECT_THAT(errors("", {{"RTSP_PPROF", "yes"}}),
              ElementsAre("RTSP_PPROF: not supported yet; expected the default, no"));
  EXPECT_THAT(errors("", {{"RTSP_PATHS_CAM_SOURCE", "x"}}),
              Contains(HasSubstr("RTSP_PATHS_CAM_SOURCE: invalid source")));
  EXPECT_THAT(errors("", {{"RTSP_PATHS_A%B", ""}}), ElementsAre(HasSubstr("RTSP_PATHS_A%B: invalid path name")));
  EXPECT_THAT(errors("", {{"RTSP_RTSPADDRESS", "x"}}),
              ElementsAre(HasSubstr("RTSP_RTSPADDRESS: 'x' is not an address")));
}

TEST(Environment, IsUtf8) {
  EXPECT_THAT(errors("", {{"RTSP_LOGFILE", "\xff"}}), ElementsAre("RTSP_LOGFILE: not UTF-8"));
}

TEST(Environment, OfOthersIsIgnoredAndMisspellingsAreNoted) {
  LoadedConfiguration result = loaded("paths: {cam: }", {{"RTSP_PORT_8554_TCP", "tcp://10.0.0.1"},
                                                         {"RTSP_SERVICE_HOST", "x"},
                                                         {"HOME", "/"},
                                                         {"RTSP_READTIMEOT", "5s"},
                                                         {"RTSP_PATHS_CAM_SORCE", "x"}});
  EXPECT_EQ(result.configuration.read_timeout, 10 * kSecond);
  EXPECT_THAT(
      result.notes,
      ElementsAre(
          "the environment variable RTSP_PATHS_CAM_SORCE is ignored, since paths have no such parameter; did you mean "
          "RTSP_PATHS_CAM_SOURCE?",
          "the environment variable RTSP_READTIMEOT is ignored; did you mean RTSP_READTIMEOUT?"));
}

TEST(Load, DecryptsWithTheKeyOfTheEnvironment) {
  std::string encrypted = encrypt("maxSessions: 7\npaths: {a: {x: 1}}\n", "key", {});
  EXPECT_THAT(errors(encrypted, {{"RTSP_CONFKEY", "key"}}), ElementsAre(HasSubstr("f.yml:2: parameter paths, key a")));
  EXPECT_EQ(configuration(encrypt("maxSessions: 7", "key", {}), {{"RTSP_CONFKEY", "key"}}).max_sessions, 7);
  EXPECT_EQ(configuration(encrypt("maxSessions: 7", "", {}), {{"RTSP_CONFKEY", ""}}).max_sessions, 7);
  EXPECT_THAT(errors(encrypted, {{"RTSP_CONFKEY", "other"}}), ElementsAre(HasSubstr("f.yml: decryption error")));
  EXPECT_THAT(errors("maxSessions: 7", {{"RTSP_CONFKEY", "key"}}),
              ElementsAre("f.yml: not valid base64, as an encrypted configuration is; RTSP_CONFKEY is set"));
  EXPECT_THAT(errors("", {{"RTSP_CONFKEY", ""}}), ElementsAre(HasSubstr("decryption error")));
}

class LoadFile : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sluice-config-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    old_ = std::filesystem::current_path();
    std::filesystem::current_path(name);
  }
  void TearDown() override {
    std::filesystem::path mine = std::filesystem::current_path();
    std::filesystem::current_path(old_);
    std::filesystem::remove_all(mine);
  }
  static void write(const char *name, std::string_view text) { std::ofstream(name) << text; }
  std::filesystem::path old_;
};

TEST_F(LoadFile, SearchesTheKnownNames) {
  auto without = load_configuration(std::nullopt, {});
  ASSERT_TRUE(without);
  EXPECT_EQ(without->file, "");
  EXPECT_TRUE(without->configuration.paths.contains(kAllPaths));
  EXPECT_THAT(without->notes, ElementsAre(HasSubstr("no configuration file found")));

  write("rtsp-simple-server.yml", "maxSessions: 1");
  auto second = load_configuration(std::nullopt, {{"RTSP_READTIMEOUT", "3s"}});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->file, "rtsp-simple-server.yml");
  EXPECT_EQ(second->configuration.max_sessions, 1);
  EXPECT_EQ(second->configuration.read_timeout, 3 * kSecond);
  EXPECT_THAT(second->configuration.paths, IsEmpty());

  write("sluice.yml", "maxSessions: 2");
  auto first = load_configuration(std::nullopt, {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->file, "sluice.yml");
  EXPECT_EQ(first->configuration.max_sessions, 2);
  EXPECT_THAT(first->notes, IsEmpty());
}

TEST_F(LoadFile, DoesNotPassOverAFileThatIsWrong) {
  write("sluice.yml", "nonsense");
  write("rtsp-simple-server.yml", "");
  EXPECT_THAT(load_configuration(std::nullopt, {}).error(), ElementsAre("sluice.yml:1: not a map"));
}

TEST_F(LoadFile, NeedsTheFileThatIsNamed) {
  EXPECT_THAT(load_configuration("missing.yml", {}).error(), ElementsAre("missing.yml: no such file"));
  EXPECT_THAT(load_configuration(".", {}).error(), ElementsAre(HasSubstr("Is a directory")));
}

TEST_F(LoadFile, RefusesAFileThatIsTooLarge) {
  write("large.yml", std::string(kMaxYamlBytes + 1, '#'));
  EXPECT_THAT(load_configuration("large.yml", {}).error(), ElementsAre(HasSubstr("large.yml: larger than")));
}

TEST_F(LoadFile, ReadsAnEncryptedFileOfTheSizeOfAPlainOne) {
  std::string text = "maxSessions: 3\n";
  text.append(kMaxYamlBytes - text.size(), '#');
  write("sluice.yml", encrypt(text, "k", {}));
  auto result = load_configuration(std::nullopt, {{"RTSP_CONFKEY", "k"}});
  ASSERT_TRUE(result) << result.error()[0];
  EXPECT_EQ(result->configuration.max_sessions, 3);
  write("sluice.yml", encrypt(text + "#", "k", {}));
  EXPECT_THAT(load_configuration(std::nullopt, {{"RTSP_CONFKEY", "k"}}).error(),
              ElementsAre(HasSubstr("sluice.yml:1: larger than")));
}

TEST_F(LoadFile, ReadsAPipeToItsEnd) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  std::thread writer([fd = fds[1]] {
    std::string text = std::string(100'000, '#') + "\nmaxSessions: 7\n"; // more than a pipe holds
    for (size_t done = 0; done < text.size();) {
      ssize_t count = ::write(fd, text.data() + done, text.size() - done);
      if (count <= 0) break;
      done += static_cast<size_t>(count);
    }
    close(fd);
  });
  auto result = load_configuration(fmt::format("/dev/fd/{}", fds[0]), {});
  writer.join();
  close(fds[0]);
  ASSERT_TRUE(result) << result.error()[0];
  EXPECT_EQ(result->configuration.max_sessions, 7);
}

} // namespace
} // namespace sluice::config
