#include "supervisor/metrics/traffic_ledger.h"

#include <gtest/gtest.h>

namespace sluice::metrics {
namespace {

using config::Protocol;

struct Names : paths::RuleSource {
  Result<paths::PathRules> rules_for(const std::string &) const override {
    paths::PathRules rules;
    rules.permanent = true;
    return rules;
  }
  std::vector<std::string> permanent_paths() const override { return {"cam"}; }
};

class TrafficLedgerTest : public testing::Test {
protected:
  TrafficLedgerTest() { paths_.on_event(paths::RulesChanged{}, 0); }

  Names names_;
  paths::Paths paths_{names_, 10};
  TrafficLedger ledger_{paths_};
};

TEST_F(TrafficLedgerTest, AddsWhatIsOverToWhatFlows) {
  ledger_.on_session_ended(Protocol::Rtsp, "cam", {.bytes_in = 5});
  ledger_.on_session_ended(Protocol::Rtmp, "cam", {.bytes_in = 100});
  auto shown = ledger_.by_path(Protocol::Rtsp, {{"cam", {.bytes_in = 2}}});
  EXPECT_EQ(shown.at("cam").bytes_in, 7U);
  EXPECT_EQ(ledger_.total(Protocol::Rtsp, {{"cam", {.bytes_in = 2}}, {"", {.bytes_in = 1}}}).bytes_in, 8U);
}

TEST_F(TrafficLedgerTest, NeverShrinksWhileASessionsEndIsNotToldYet) {
  EXPECT_EQ(ledger_.by_path(Protocol::Rtsp, {{"cam", {.bytes_out = 9}}}).at("cam").bytes_out, 9U);
  EXPECT_EQ(ledger_.by_path(Protocol::Rtsp, {}).at("cam").bytes_out, 9U);
  ledger_.on_session_ended(Protocol::Rtsp, "cam", {.bytes_out = 10});
  EXPECT_EQ(ledger_.by_path(Protocol::Rtsp, {}).at("cam").bytes_out, 10U);
}

TEST_F(TrafficLedgerTest, ForgetsPathsThatAreGoneButNotTheirTraffic) {
  ledger_.on_session_ended(Protocol::Rtsp, "gone", {.packets_in = 3});
  EXPECT_FALSE(ledger_.by_path(Protocol::Rtsp, {{"gone too", {}}}).contains("gone"));
  EXPECT_TRUE(ledger_.by_path(Protocol::Rtsp, {}).empty());
  EXPECT_EQ(ledger_.total(Protocol::Rtsp, {}).packets_in, 3U);
}

TEST_F(TrafficLedgerTest, ManyNamesAreNotKept) {
  for (int i = 0; i < 100'000; i++) ledger_.on_session_ended(Protocol::Rtsp, std::to_string(i), {.packets_in = 1});
  EXPECT_LE(ledger_.entries(Protocol::Rtsp), 8192U);
  EXPECT_EQ(ledger_.total(Protocol::Rtsp, {}).packets_in, 100'000U);
}

} // namespace
} // namespace sluice::metrics
