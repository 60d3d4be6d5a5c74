#include "common/loop/resolver.h"

#include <gmock/gmock.h>

namespace sluice::loop {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Answers final : Resolver::Listener, Timer::Listener {
  explicit Answers(Loop &watched) : loop(watched), patience(watched, *this) { patience.start(10 * kSecond); }
  void on_resolved(uint64_t id, const Result<std::vector<SocketAddress>> &addresses) override {
    texts[id] = addresses ? addresses->front().text() : addresses.error().message;
    if (texts.size() == expected) loop.stop();
  }
  void on_timer(Timer &) override { loop.stop(); }

  Loop &loop;
  Timer patience;
  size_t expected = 1;
  std::map<uint64_t, std::string> texts;
};

struct ResolverTest : testing::Test {
  Loop loop;
  Answers answers{loop};
  Resolver resolver{loop, answers};
};

TEST_F(ResolverTest, KnowsLiterals) {
  EXPECT_EQ(Resolver::literal("1.2.3.4", 5)->text(), "1.2.3.4:5");
  EXPECT_EQ(Resolver::literal("::1", 5)->text(), "[::1]:5");
  EXPECT_FALSE(Resolver::literal("localhost", 5));
  EXPECT_FALSE(Resolver::literal("", 5));
}

TEST_F(ResolverTest, FindsEveryAskerOfAName) {
  answers.expected = 3;
  resolver.resolve(1, "localhost", 554);
  resolver.resolve(2, "localhost", 322);
  resolver.resolve(3, "no such.name", 1);
  EXPECT_TRUE(answers.texts.empty()) << "not before the loop runs";
  loop.run();
  EXPECT_THAT(answers.texts[1], HasSubstr(":554"));
  EXPECT_THAT(answers.texts[2], HasSubstr(":322"));
  EXPECT_THAT(answers.texts[3], HasSubstr("name 'no such.name' can't be resolved: "));
}

TEST_F(ResolverTest, TellsNothingAfterCancelOrItsOwnEnd) {
  {
    Resolver other(loop, answers);
    other.resolve(7, "localhost", 1);
  }
  resolver.resolve(8, "localhost", 1);
  resolver.cancel(8);
  resolver.resolve(9, "localhost", 1); // while its lookup is still under way
  loop.run();
  EXPECT_THAT(answers.texts, ElementsAre(testing::Key(9)));
}

TEST_F(ResolverTest, TakesAnyNumberOfNames) {
  answers.expected = 100;
  for (uint64_t i = 0; i < 100; i++) resolver.resolve(i, "no such.name" + std::to_string(i), 1);
  loop.run();
  EXPECT_EQ(answers.texts.size(), 100U);
}

} // namespace
} // namespace sluice::loop
