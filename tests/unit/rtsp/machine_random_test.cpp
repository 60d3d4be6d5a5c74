// Random requests on a few connections, from one fixed seed after the other: whatever the order, states stay
// valid, links agree on both sides, and a success never closes the connection.
#include "machine_harness.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice::rtsp {
namespace {

class RandomClients {
public:
  explicit RandomClients(uint32_t seed) : random_(seed) {
    server_.description = parse_sdp(kTwoTracks)->description;
    server_.rtp_info = {{0, 1, 2}};
  }

  // The status of the answer.
  unsigned step() {
    uint64_t connection = 1 + pick(3);
    if (!server_.connections.contains(connection)) server_.connect(connection, connection == 3 ? 2 : 1);
    if (pick(20) == 0) server_.close(connection);
    if (!server_.connections.contains(connection)) server_.connect(connection, connection == 3 ? 2 : 1);
    server_.facts.udp = pick(8) != 0;
    server_.facts.tcp = pick(8) != 0;
    server_.facts.multicast = pick(8) != 0;
    server_.refusal.reset();
    if (pick(10) == 0) server_.refusal = {static_cast<RefusalKind>(pick(3)), "refused"};

    send_one(connection);
    check();
    return static_cast<unsigned>(server_.reply.response.status);
  }

  void count_states(std::map<std::string, size_t> &counts) const {
    for (const auto &entry : server_.sessions) {
      const SessionState &session = entry.second;
      bool udp = session.transport == TransportKind::Udp;
      counts[std::string(to_string(session.state)) + (udp ? " udp" : "")]++;
    }
  }

private:
  void send_one(uint64_t connection) {
    std::string session = "Session: " + std::to_string(server_.next_session - 1 - pick(4) / 3) + "\n";
    if (pick(3) == 0) { // as a publisher of one track would, though in any order
      static const char *const kSteps[] = {"ANNOUNCE rtsp://h/p", "SETUP rtsp://h/p/streamid=0", "RECORD rtsp://h/p",
                                           "PAUSE rtsp://h/p"};
      size_t step = pick(std::size(kSteps));
      std::string text = pick(2) == 0 ? "Transport: RTP/AVP;client_port=5000;mode=record\n"
                                      : "Transport: RTP/AVP/TCP;interleaved=0;mode=record\n";
      std::string type = step == 0 ? "Content-Type: application/sdp\n" : "";
      server_.send(kSteps[step], text + (step < 2 ? type : session),
                   step == 0 ? "m=audio 0 RTP/AVP 0\r\na=control:streamid=0\r\n" : "", connection);
      return;
    }
    server_.send(method() + " rtsp://h/" + url(), (pick(3) == 0 ? "" : session) + transport(), "", connection);
  }

  uint32_t pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }

  std::string method() {
    static const char *const kMethods[] = {"SETUP",   "SETUP", "SETUP",    "PLAY",     "PLAY",
                                           "RECORD",  "PAUSE", "TEARDOWN", "DESCRIBE", "GET_PARAMETER",
                                           "OPTIONS", "FLY",   "RECORD"};
    return kMethods[pick(std::size(kMethods))];
  }

  std::string url() {
    static const char *const kUrls[] = {"p",  "p", "p/trackID=0", "p/trackID=1", "p/streamid=0", "p/streamid=1",
                                        "p/", "q"};
    return kUrls[pick(std::size(kUrls))];
  }

  std::string transport() {
    std::string channel = std::to_string(2 * pick(2));
    std::string text =
        pick(2) == 0 ? "Transport: RTP/AVP;client_port=500" + channel : "Transport: RTP/AVP/TCP;interleaved=" + channel;
    return text + (pick(2) == 0 ? ";mode=record\n" : "\n");
  }

  void check() {
    ASSERT_FALSE(server_.reply.response.status == Status::Ok && server_.reply.close);
    for (const auto &[id, session] : server_.sessions) {
      ASSERT_TRUE(is_valid(session));
      uint32_t linked = 0;
      for (const auto &entry : server_.connections) linked += entry.second.session == id;
      ASSERT_EQ(linked, session.linked_connections);
      bool active = session.state == State::Play || session.state == State::Record;
      ASSERT_EQ(active && session.transport == TransportKind::Tcp, session.tcp_connection != 0);
      ASSERT_TRUE(linked > 0 || (active && session.transport == TransportKind::Udp));
    }
    for (const auto &entry : server_.connections) {
      uint32_t linked = entry.second.session;
      ASSERT_TRUE(linked == 0 || server_.session(linked) != nullptr);
    }
  }

  std::mt19937 random_;
  Harness server_;
};

TEST(MachineUnderRandomRequests, KeepsItsInvariants) {
  std::map<unsigned, size_t> statuses;
  std::map<std::string, size_t> states;
  for (uint32_t seed = 1; seed <= 100; seed++) {
    RandomClients clients(seed);
    for (int i = 0; i < 200 && !testing::Test::HasFatalFailure(); i++) {
      statuses[clients.step()]++;
      clients.count_states(states);
    }
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
  }
  for (unsigned status : {200, 400, 404, 454, 455, 461, 501, 503}) EXPECT_GT(statuses[status], 50u) << status;
  for (const char *state : {"initial", "prePlay", "prePlay udp", "play", "play udp", "preRecord", "preRecord udp",
                            "record", "record udp"}) {
    EXPECT_GT(states[state], 10u) << state;
  }
}

} // namespace
} // namespace sluice::rtsp
