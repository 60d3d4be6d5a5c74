#include "supervisor/multicast/group_pool.h"

#include <gmock/gmock.h>

namespace sluice::multicast {
namespace {

using testing::ElementsAre;

constexpr uint32_t kBase = 224u << 24 | 1u << 16;

GroupPool pool_of(int prefix_bits) {
  GroupPool pool;
  pool.set_range({kBase, prefix_bits});
  return pool;
}

TEST(GroupPool, CountsUpAndReusesNothingMeanwhile) {
  GroupPool pool = pool_of(29);
  EXPECT_THAT(*pool.take(2), ElementsAre(kBase + 1, kBase + 2));
  pool.give_back({kBase + 1});
  EXPECT_THAT(*pool.take(3), ElementsAre(kBase + 3, kBase + 4, kBase + 5));
}

TEST(GroupPool, GoesAroundAndPassesWhatIsInUse) {
  GroupPool pool = pool_of(29);
  EXPECT_THAT(*pool.take(6), ElementsAre(kBase + 1, kBase + 2, kBase + 3, kBase + 4, kBase + 5, kBase + 6));
  pool.give_back({kBase + 2, kBase + 4});
  EXPECT_THAT(*pool.take(3), ElementsAre(kBase + 7, kBase, kBase + 2));
  EXPECT_THAT(*pool.take(1), ElementsAre(kBase + 4));
}

TEST(GroupPool, TakesAllOrNone) {
  GroupPool pool = pool_of(30);
  EXPECT_TRUE(pool.take(2).has_value());
  EXPECT_EQ(pool.take(3).error().message, "no multicast groups left: multicastIPRange 224.1.0.0/30 is too small");
  EXPECT_EQ(pool.in_use(), 2U);
  EXPECT_THAT(*pool.take(2), ElementsAre(kBase + 3, kBase));
  EXPECT_FALSE(pool.take(1).has_value());
}

TEST(GroupPool, HasOneGroupInARangeOfOne) {
  GroupPool pool = pool_of(32);
  EXPECT_THAT(*pool.take(1), ElementsAre(kBase));
  EXPECT_FALSE(pool.take(1).has_value());
}

TEST(GroupPool, OfAnotherRangeKeepsWhatIsInUse) {
  GroupPool pool = pool_of(30);
  EXPECT_THAT(*pool.take(1), ElementsAre(kBase + 1));
  pool.set_range({kBase, 31});
  EXPECT_THAT(*pool.take(1), ElementsAre(kBase)) << "the other one is in use";
  pool.set_range({kBase + 256, 24});
  EXPECT_THAT(*pool.take(1), ElementsAre(kBase + 257));
  pool.give_back({kBase, kBase + 1, kBase + 257});
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(GroupPool, SpansAllOfMulticast) {
  GroupPool pool;
  pool.set_range({224u << 24, 4});
  EXPECT_THAT(*pool.take(1), ElementsAre((224u << 24) + 1));
}

TEST(GroupTexts, AreDotted) {
  EXPECT_EQ(address_text(kBase + 258), "224.1.1.2");
  EXPECT_EQ(range_text({kBase, 16}), "224.1.0.0/16");
}

} // namespace
} // namespace sluice::multicast
