#include "supervisor/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, NameTheFirstFamiliesAsTheReferenceDoes) {
  Facts facts;
  facts.paths = {{"a", true}, {"b", false}};
  facts.sessions = {{"rtsp_sessions", 1, 2, 3}};
  facts.hls = true;
  facts.muxers = {{"a", 4096}};
  std::string text = render(facts);
  for (const char *line : {"\npaths{name=\"a\",state=\"ready\"} 1\n", "\npaths{name=\"b\",state=\"notReady\"} 1\n",
                           "\nrtsp_sessions{state=\"idle\"} 1\n", "\nrtsp_sessions{state=\"read\"} 2\n",
                           "\nrtsp_sessions{state=\"publish\"} 3\n", "\nhls_muxers{name=\"a\"} 1\n"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, Not(HasSubstr("rtmp_conns")));
}

TEST(Metrics, ValuesOfLabelsCanNotForgeLines) {
  Facts facts;
  facts.paths = {{"a\"} 1\nforged 2", true}};
  EXPECT_THAT(render(facts), HasSubstr("paths{name=\"a\\\"} 1\\\\nforged 2\",state=\"ready\"} 1\n"));
}

TEST(Metrics, AHistogramAddsUpFromBoundToBound) {
  Facts facts;
  for (Nanoseconds duration : {kMillisecond, kMillisecond, 3 * kMillisecond, 60 * kSecond})
    facts.external.observe(duration);
  std::string text = render(facts), name = "\nsluice_external_authentication_seconds_";
  EXPECT_THAT(text, HasSubstr(name + "bucket{le=\"0.0005\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(name + "bucket{le=\"0.001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "bucket{le=\"0.005\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "bucket{le=\"10\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr(name + "sum 60.005\n"));
}

TEST(Metrics, TrafficIsLabelledByProtocolAndPathWhereThereIsAny) {
  Facts facts;
  facts.protocols[config::Protocol::Rtsp] = true;
  facts.totals[config::Protocol::Rtsp] = {.bytes_in = 7};
  facts.traffic[config::Protocol::Rtsp] = {{"a", {.bytes_in = 5}}, {"unused", {}}};
  std::string text = render(facts);
  EXPECT_THAT(text, HasSubstr("\nsluice_received_bytes_total{protocol=\"rtsp\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_path_received_bytes_total{protocol=\"rtsp\",path=\"a\"} 5\n"));
  EXPECT_THAT(text, Not(HasSubstr("unused")));
  EXPECT_THAT(text, Not(HasSubstr("protocol=\"rtmp\"")));
}

} // namespace
} // namespace sluice::metrics
