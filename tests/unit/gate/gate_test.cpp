#include "supervisor/config/loader.h"
#include "supervisor/gate.h"
#include "tests/unit/auth/on_loop.h"

#include <gmock/gmock.h>

namespace sluice {
namespace {

using testing::ElementsAre;

constexpr const char *kConfiguration = "paths:\n"
                                       "  guarded:\n"
                                       "    publishUser: user\n"
                                       "    publishPass: secret\n"
                                       "  open:\n";

struct GateTest : testing::Test, Gate::Listener {
  GateTest() {
    auto loaded = config::parse_configuration(kConfiguration, "f.yml", {});
    EXPECT_TRUE(loaded);
    configuration = std::make_unique<config::Configuration>(loaded->configuration);
    matcher = std::make_unique<config::PathMatcher>(*configuration);
    EXPECT_TRUE(gate.configure(*configuration, *matcher));
  }

  void on_passed(uint16_t slot, control::Message message) override {
    const char *what = std::holds_alternative<control::Admit>(message)     ? "admit"
                       : std::holds_alternative<control::Publish>(message) ? "publish"
                                                                           : "other";
    outcomes.push_back(std::to_string(slot) + ": " + what);
  }
  void on_refused(uint16_t slot, control::Refused refused) override {
    outcomes.push_back(std::to_string(slot) + ": refused " + std::to_string(refused.request) + " " +
                       std::to_string(static_cast<int>(refused.refusal)));
  }

  std::vector<std::string> admit(uint16_t slot, control::SessionId session, const std::string &path,
                                 const std::string &query = "") {
    return submit(
        slot, control::Admit{.request = 1, .session = session, .path = path, .query = query, .client = "127.0.0.1:5"});
  }
  // Without credentials, as an RTMP session's worker sends it.
  std::vector<std::string> publish(uint16_t slot, control::SessionId session, const std::string &path) {
    return submit(slot, control::Publish{.request = 2, .session = session, .path = path, .client = "127.0.0.1:5"});
  }
  std::vector<std::string> submit(uint16_t slot, control::Message message) {
    gate.submit(slot, config::Protocol::Rtmp, std::move(message));
    on_loop.run_until([&] { return !outcomes.empty(); });
    return std::exchange(outcomes, {});
  }

  auth::OnLoop on_loop;
  Gate gate{on_loop.loop(), *this};
  std::unique_ptr<config::Configuration> configuration;
  std::unique_ptr<config::PathMatcher> matcher;
  std::vector<std::string> outcomes;
};

constexpr const char *kGiven = "user=user&pass=secret";

TEST_F(GateTest, AdmitsWhoGivesTheCredentials) {
  EXPECT_THAT(admit(3, 7, "guarded", kGiven), ElementsAre("3: admit"));
  EXPECT_THAT(admit(3, 8, "guarded", "user=user&pass=wrong"),
              ElementsAre("3: refused 1 " + std::to_string(static_cast<int>(control::Refusal::Unauthorized))));
  EXPECT_THAT(admit(3, 9, "open"), ElementsAre("3: admit"));
  EXPECT_THAT(admit(3, 10, "unknown"),
              ElementsAre("3: refused 1 " + std::to_string(static_cast<int>(control::Refusal::BadRequest))));
}

TEST_F(GateTest, WhoWasAdmittedIsNotAskedAgainOnce) {
  EXPECT_THAT(admit(3, 7, "guarded", kGiven), ElementsAre("3: admit"));
  EXPECT_THAT(publish(3, 7, "guarded"), ElementsAre("3: publish"));
  EXPECT_THAT(publish(3, 7, "guarded"), ElementsAre(testing::StartsWith("3: refused 2")));
}

TEST_F(GateTest, AnAdmissionIsThatOfOneSessionInOneWorkerToOnePath) {
  auto refused = [](uint16_t slot) { return ElementsAre(testing::StartsWith(std::to_string(slot) + ": refused 2")); };
  admit(3, 7, "guarded", kGiven);
  EXPECT_THAT(publish(3, 8, "guarded"), refused(3));
  EXPECT_THAT(publish(4, 7, "guarded"), refused(4));
  admit(3, 9, "open");
  EXPECT_THAT(publish(3, 9, "guarded"), refused(3));
}

TEST_F(GateTest, ARefusedOneIsNotAdmitted) {
  admit(3, 7, "guarded", "user=user&pass=wrong");
  EXPECT_THAT(publish(3, 7, "guarded"), ElementsAre(testing::StartsWith("3: refused 2")));
}

TEST_F(GateTest, AdmissionsGoWithTheirSessionAndTheirWorker) {
  admit(3, 7, "guarded", kGiven);
  gate.drop_session(7);
  EXPECT_THAT(publish(3, 7, "guarded"), ElementsAre(testing::StartsWith("3: refused 2")));
  admit(3, 8, "guarded", kGiven);
  gate.drop_worker(3);
  EXPECT_THAT(publish(3, 8, "guarded"), ElementsAre(testing::StartsWith("3: refused 2")));
}

} // namespace
} // namespace sluice
