#include "ipc/control/slot_set.h"

#include <gmock/gmock.h>

#include <vector>

namespace sluice::control {
namespace {

TEST(SlotSet, HoldsSlotsInOrder) {
  SlotSet set{63, 5, 0, 5};
  EXPECT_EQ(set.size(), 3U);
  EXPECT_TRUE(set.contains(63) && set.contains(5) && set.contains(0));
  EXPECT_FALSE(set.contains(1));
  std::vector<uint16_t> slots;
  set.for_each([&](uint16_t slot) { slots.push_back(slot); });
  EXPECT_THAT(slots, testing::ElementsAre(0, 5, 63));
  EXPECT_EQ(set.lowest(), 0);
  EXPECT_EQ((SlotSet{7, 9}).lowest(), 7);
}

TEST(SlotSet, HoldsNoSlotThatThereCannotBe) {
  SlotSet set{64, 65535};
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.contains(64));
  EXPECT_EQ(set.lowest(), SlotSet::kMaxSlots);
  EXPECT_EQ(SlotSet::first(3), (SlotSet{0, 1, 2}));
  EXPECT_EQ(SlotSet::first(100).size(), 64U);
  EXPECT_TRUE(SlotSet::first(0).empty());
}

} // namespace
} // namespace sluice::control
