#include "workers/rtsp/protocol/session_state.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

constexpr State kStates[] = {State::Initial, State::PrePlay, State::Play, State::PreRecord, State::Record};

TEST(SessionState, AllowsOnlyLegalSteps) {
  const std::pair<State, State> legal[] = {{State::Initial, State::PrePlay},  {State::PrePlay, State::Play},
                                           {State::Play, State::PrePlay},     {State::Initial, State::PreRecord},
                                           {State::PreRecord, State::Record}, {State::Record, State::PreRecord}};
  for (State before : kStates) {
    for (State after : kStates) {
      SessionState session;
      session.state = before;
      if (std::find(std::begin(legal), std::end(legal), std::pair(before, after)) != std::end(legal)) {
        set_state(session, after);
        EXPECT_EQ(session.state, after);
      } else {
        EXPECT_DEATH(set_state(session, after), "CHECK failed");
      }
    }
  }
}

SessionState playing_session() {
  SessionState session;
  session.wire_id = 1;
  session.state = State::Play;
  session.transport = TransportKind::Tcp;
  session.track_count = 2;
  session.tracks[1].is_set_up = 1;
  session.tcp_connection = 7;
  return session;
}

TEST(SessionState, IsRefusedWhenItContradictsItself) {
  EXPECT_TRUE(is_valid(playing_session()));
  auto refused = [](auto change) {
    SessionState session = playing_session();
    change(session);
    return !is_valid(session);
  };
  EXPECT_TRUE(refused([](SessionState &s) { s.wire_id = 0; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.state = static_cast<State>(5); }));
  EXPECT_TRUE(refused([](SessionState &s) { s.state = State::Initial; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.state = State::PrePlay; })); // media bound though not playing
  EXPECT_TRUE(refused([](SessionState &s) { s.state = State::Record; }));  // track 0 is missing
  EXPECT_TRUE(refused([](SessionState &s) { s.transport = static_cast<TransportKind>(4); }));
  EXPECT_TRUE(refused([](SessionState &s) { s.transport = TransportKind::None; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.transport = TransportKind::Udp; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.transport = TransportKind::Multicast; })); // bound to a connection
  EXPECT_TRUE(refused([](SessionState &s) { s.track_count = 17; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.track_count = 1; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.path_length = 513; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.query_length = 513; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.tracks[1].is_set_up = 2; }));
  EXPECT_TRUE(refused([](SessionState &s) { s.tracks[1].is_set_up = 0; }));
}

TEST(SessionState, SectionsThatAreIgnoredNeedNotBeSetUp) {
  SessionState session = playing_session();
  session.state = State::Record;
  session.tracks[0].is_set_up = 1;
  session.track_count = 3;
  EXPECT_FALSE(is_valid(session));
  session.ignored_count = 1;
  EXPECT_TRUE(is_valid(session));
  session.tracks[2].is_set_up = 1;
  EXPECT_TRUE(is_valid(session));
  session.tracks[0].is_set_up = 0;
  EXPECT_FALSE(is_valid(session));
  session.ignored_count = 3; // nothing is left
  EXPECT_FALSE(is_valid(session));
  session.ignored_count = 200;
  EXPECT_FALSE(is_valid(session));
  session = playing_session();
  session.ignored_count = 1; // of a publisher only
  EXPECT_FALSE(is_valid(session));
}

TEST(SessionState, ReadsByMulticastButDoesNotPublishByIt) {
  SessionState session = playing_session();
  session.transport = TransportKind::Multicast;
  session.tcp_connection = 0;
  EXPECT_TRUE(is_valid(session));
  session.state = State::PreRecord;
  EXPECT_FALSE(is_valid(session));
}

TEST(PeerAddress, IsWrittenAsAddressAndPort) {
  PeerAddress v4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, 0, 5, 0};
  EXPECT_EQ(to_text(v4), "1.2.3.4:5");
  PeerAddress v6{{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0, 5, 0};
  EXPECT_EQ(to_text(v6), "[fe80::1]:5");
  PeerAddress zoned = v6;
  zoned.zone = 2;
  EXPECT_EQ(to_text(zoned), "[fe80::1%2]:5");
  EXPECT_FALSE(same_host(v6, zoned));
  EXPECT_FALSE(same_host(v4, v6));
  zoned.zone = 0, zoned.port = 6;
  EXPECT_TRUE(same_host(v6, zoned));
}

} // namespace
} // namespace sluice::rtsp
