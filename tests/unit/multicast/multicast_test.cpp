#include "tests/unit/multicast/room.h"

namespace sluice::multicast {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Multicast, GivesAStreamsReadersTheSameGroupsAndLetsOneSlotSend) {
  Room room;
  auto first = room.join(1, 101, 7), second = room.join(2, 102, 7);
  EXPECT_THAT(first->groups, ElementsAre("224.1.0.1", "224.1.0.2"));
  EXPECT_EQ(first->groups, second->groups);
  EXPECT_EQ(first->rtp_port, 8002);
  EXPECT_EQ(first->rtcp_port, 8003);
  EXPECT_EQ(first->ttl, 16);
  EXPECT_THAT(room.senders, IsEmpty()) << "nobody plays";
  room.play(102);
  EXPECT_EQ(room.senders.at(7).slot, 2) << "the worker of the first who plays";
  room.play(101);
  EXPECT_EQ(room.senders.at(7).slot, 2);
  EXPECT_EQ(room.starts, 2U) << "who begins to play is sent a report";
  EXPECT_THAT(room.subscribed.at(7), ElementsAre(2));
}

TEST(Multicast, IsSentAsLongAsAnyPlaysAndItsGroupsAreFreedWithTheLastReader) {
  Room room;
  room.must_join(1, 101, 7), room.must_join(2, 102, 7);
  room.play(101), room.play(102);
  room.release(101);
  EXPECT_EQ(room.senders.at(7).slot, 1) << "it sends on for the readers of others";
  room.pause(102);
  EXPECT_THAT(room.senders, IsEmpty());
  EXPECT_THAT(room.subscribed, IsEmpty());
  EXPECT_EQ(room.multicast.groups_in_use(), 2U);
  room.play(102);
  EXPECT_EQ(room.senders.at(7).slot, 2);
  room.release(102);
  EXPECT_THAT(room.senders, IsEmpty());
  EXPECT_EQ(room.multicast.groups_in_use(), 0U);
  EXPECT_TRUE(room.multicast.idle());
  EXPECT_THAT(room.join(1, 103, 7)->groups, ElementsAre("224.1.0.3", "224.1.0.4"));
}

TEST(Multicast, IsSentOnTheInterfacesOfThoseWhoPlay) {
  Room room;
  room.must_join(1, 101, 7, 2), room.must_join(2, 102, 7, 3), room.must_join(2, 103, 7, 3);
  room.play(101);
  EXPECT_THAT(room.senders.at(7).interfaces, ElementsAre(2));
  room.play(102), room.play(103);
  EXPECT_THAT(room.senders.at(7).interfaces, ElementsAre(2, 3));
  room.release(102);
  EXPECT_THAT(room.senders.at(7).interfaces, ElementsAre(2, 3));
  room.pause(101);
  EXPECT_THAT(room.senders.at(7).interfaces, ElementsAre(3));
  EXPECT_EQ(room.senders.at(7).slot, 1);
}

TEST(Multicast, TellsASendersSuccessorAndForgetsTheSessionsOfTheDead) {
  Room room;
  room.must_join(1, 101, 7), room.must_join(2, 102, 7);
  room.play(101), room.play(102);
  room.worker_dies(1);
  EXPECT_THAT(room.senders, IsEmpty());
  room.worker_comes(1);
  EXPECT_EQ(room.senders.at(7).slot, 1);
  room.release(102);
  EXPECT_TRUE(room.multicast.idle());
  EXPECT_THAT(room.senders, IsEmpty());
}

TEST(Multicast, EndsWithASenderWhoseReadersWereAllItsOwn) {
  Room room;
  room.must_join(1, 101, 7);
  room.play(101);
  room.worker_dies(1);
  EXPECT_THAT(room.subscribed, IsEmpty());
  EXPECT_TRUE(room.multicast.idle());
  room.worker_comes(1);
  EXPECT_THAT(room.senders, IsEmpty());
}

TEST(Multicast, LetsAnotherSlotSendWhenTheSendersIsGivenUp) {
  Room room;
  room.must_join(3, 101, 7), room.play(101);
  room.must_join(0, 201, 8), room.play(201);
  room.set_slots(2);
  EXPECT_EQ(room.senders.at(7).slot, 1) << "of those that stay, the one that sends less";
  EXPECT_EQ(room.senders.at(8).slot, 0);
  EXPECT_THAT(room.subscribed.at(7), ElementsAre(1));
  room.worker_dies(3); // the last of its sessions has gone
  EXPECT_THAT(room.senders, testing::SizeIs(1));
}

TEST(Multicast, WaitsForASlotThatMaySend) {
  Room room(1);
  room.must_join(0, 101, 7), room.play(101);
  room.set_slots(0);
  EXPECT_THAT(room.senders, IsEmpty());
  room.set_slots(1);
  EXPECT_EQ(room.senders.at(7).slot, 0);
}

TEST(Multicast, IsSentBySlotsOfTheProtocolOnly) {
  Room room(4);
  room.set_slots(control::SlotSet{1, 3}); // the others are another protocol's
  room.must_join(0, 101, 7), room.play(101);
  EXPECT_EQ(room.senders.at(7).slot, 1);
  room.must_join(3, 201, 8), room.play(201);
  EXPECT_EQ(room.senders.at(8).slot, 3);
  room.set_slots(control::SlotSet{0, 3});
  EXPECT_EQ(room.senders.at(7).slot, 0);
  Room waiting(1);
  waiting.set_slots(control::SlotSet{5});
  waiting.must_join(0, 301, 9), waiting.play(301);
  waiting.worker_comes(5);
  EXPECT_EQ(waiting.senders.at(9).slot, 5);
}

TEST(Multicast, IsChosenAmongTheLivingOrWaitsForThem) {
  Room room(2);
  room.set_slots(1);
  room.worker_dies(0);
  room.must_join(1, 101, 7), room.play(101); // of a slot that is being given up
  EXPECT_THAT(room.senders, IsEmpty());
  room.worker_comes(0);
  EXPECT_EQ(room.senders.at(7).slot, 0);
}

TEST(Multicast, ForgetsAStreamThatIsOver) {
  Room room;
  room.must_join(1, 101, 7), room.play(101);
  room.close(7);
  EXPECT_THAT(room.senders, IsEmpty());
  EXPECT_TRUE(room.multicast.idle());
  room.release(101); // its worker's, later
  EXPECT_EQ(room.multicast.groups_in_use(), 0U);
}

TEST(Multicast, RefusesWithAReason) {
  Room room(4, 30);
  room.must_join(1, 101, 7);
  EXPECT_EQ(room.join(1, 101, 7).error().message, "the session has joined the stream's groups already");
  EXPECT_EQ(room.join(1, 102, 7, 0).error().message, "no network interface for multicast");
  EXPECT_EQ(room.join(1, 102, 8, 2, 3).error().message,
            "no multicast groups left: multicastIPRange 224.1.0.0/30 is too small");
  room.set_range(16, 8002, false);
  EXPECT_EQ(room.join(1, 102, 8).error().message, "multicast is not enabled");
  EXPECT_TRUE(room.join(1, 102, 7).has_value()) << "a stream that is sent goes on";
  for (uint32_t interface = 3; interface < 2 + kMaxInterfaces; interface++)
    EXPECT_TRUE(room.join(1, 1000 + interface, 7, interface).has_value());
  EXPECT_EQ(room.join(1, 2000, 7, 500).error().message, "the stream is sent on too many network interfaces");
}

TEST(Multicast, BelievesASlotOnlyAboutItsOwnSessions) {
  Room room;
  room.must_join(1, 101, 7), room.play(101);
  for (const Effects &effects : {room.multicast.on_release(2, 101), room.multicast.on_playing(2, 101, false)})
    EXPECT_TRUE(effects.empty());
  EXPECT_EQ(room.multicast.groups_in_use(), 2U);
}

TEST(Multicast, OfAnotherConfigurationIsForNewStreams) {
  Room room;
  room.must_join(1, 101, 7), room.play(101);
  room.set_range(24, 9002);
  EXPECT_EQ(room.join(1, 102, 7)->rtp_port, 8002);
  room.play(102);
  EXPECT_EQ(room.senders.at(7).rtp_port, 8002);
  auto other = room.join(1, 201, 8);
  EXPECT_EQ(other->rtp_port, 9002);
  EXPECT_THAT(other->groups, ElementsAre("224.1.0.3", "224.1.0.4")) << "the first two are in use";
}

} // namespace
} // namespace sluice::multicast
