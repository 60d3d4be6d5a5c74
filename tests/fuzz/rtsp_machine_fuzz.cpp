// A sequence of requests on a few connections against the machine, with outcomes taken from the input.
//   input: steps of  control(1)  request text up to a NUL byte
//   control: bits 0-1 connection, bit 2 the connection closes first, bits 3-4 outcome (0 granted; 1 granted, multicast
//   off; 2 refused; 3 the I/O layer fails), bit 5 UDP off, bit 6 TCP off, bit 7 the session's state was lost
#include "common/base/check.h"
#include "workers/rtsp/protocol/machine.h"

#include <map>

namespace {

using namespace sluice;
using namespace sluice::rtsp;

const MulticastGroup kGroup{"224.1.0.1", {8002, 8003}, 16};

struct World {
  std::map<uint32_t, SessionState> sessions;
  ConnectionState connections[4];
  uint32_t next_session = 1;

  World() {
    for (size_t i = 0; i < 4; i++) {
      connections[i].id = i + 1;
      connections[i].peer.ip[15] = i == 3 ? 9 : 1; // the last one is another host
    }
  }

  SessionState *find(uint32_t id) {
    auto found = sessions.find(id);
    return found == sessions.end() ? nullptr : &found->second;
  }

  SessionState &needed(SessionState *found, ConnectionState &connection) {
    if (found) return *found;
    SessionState &made = sessions[next_session];
    create_session(made, next_session++, connection);
    return made;
  }

  void end(uint32_t id) {
    for (ConnectionState &connection : connections) {
      if (connection.session == id) connection.session = 0;
    }
    sessions.erase(id);
  }

  void close(ConnectionState &connection) {
    SessionState *linked = find(connection.session);
    connection.session = linked ? connection.session : 0;
    if (linked && unlink(connection, *linked)) end(linked->wire_id);
    CHECK(connection.session == 0);
    connection.id += 4; // the next connection in its place
  }

  void check_invariants() {
    for (auto &[id, session] : sessions) {
      CHECK(is_valid(session) && session.wire_id == id);
      uint32_t linked = 0;
      for (const ConnectionState &connection : connections) linked += connection.session == id;
      CHECK(linked == session.linked_connections);
      bool active = session.state == State::Play || session.state == State::Record;
      bool bound = active && session.transport == TransportKind::Tcp;
      CHECK(bound == (session.tcp_connection != 0));
      CHECK(linked > 0 || (active && session.transport == TransportKind::Udp));
    }
  }
};

Reply carry_out(World &world, const Request &request, ConnectionState &connection, SessionState *found,
                Decision &decision, const ServerFacts &facts, unsigned outcome) {
  if (Reply *reply = std::get_if<Reply>(&decision)) {
    if (reply->needs_session) add_session(*reply, world.needed(found, connection));
    return *reply;
  }
  if (outcome == 2) return refused(request, RefusalKind::NoPublisher, "no");
  if (outcome == 3) return failed(request, "no");
  media::StreamDescription description;
  description.tracks.resize(2);
  if (std::get_if<AskDescribe>(&decision)) return described(request, description, facts);
  if (auto *begin = std::get_if<BeginPublish>(&decision)) {
    CHECK(check_path_name(begin->path).has_value() && media::is_valid(begin->description));
    return publish_granted(request, *begin, world.needed(found, connection));
  }
  if (auto *begin = std::get_if<BeginRead>(&decision)) {
    CHECK(check_path_name(begin->path).has_value());
    return read_granted(request, *begin, world.needed(found, connection), 2, facts, 1, &kGroup);
  }
  if (auto *setup = std::get_if<SetupTrack>(&decision))
    return track_set_up(request, *setup, *found, facts, {}, &kGroup);
  RtpInfo info{1, 2, 3};
  if (std::get_if<StartPlay>(&decision)) return playing(request, connection, *found, {&info, outcome});
  if (std::get_if<StartRecord>(&decision)) return recording(request, connection, *found);
  if (std::get_if<PauseMedia>(&decision)) return paused(request, *found);
  uint32_t ended = found->wire_id;
  Reply reply = torn_down(request, connection, *found);
  world.end(ended);
  return reply;
}

void check_reply(const Reply &reply) {
  bool success = reply.response.status == Status::Ok;
  CHECK(!(success && reply.close));
  CHECK(success || !reply.reason.empty());
  for (const Header &header : reply.response.headers.all()) {
    if (header.value.size() > kMaxHeaderValueBytes) return; // a long URL echoed; our own parser is stricter
  }
  ByteVector out;
  serialise(reply.response, out);
  Result<std::optional<ParsedResponse>> parsed = parse_response(out);
  CHECK(parsed.has_value() && *parsed && (*parsed)->consumed == out.size());
}

void step(World &world, uint8_t control, Bytes text) {
  ConnectionState &connection = world.connections[control & 3];
  if (control & 4) world.close(connection);
  Result<std::optional<ParsedRequest>> parsed = parse_request(text);
  if (!parsed || !*parsed) return;
  const Request &request = (*parsed)->request;
  ServerFacts facts{
      (control & 0x40) == 0, (control & 0x20) == 0, false, 8000, 8001, (control >> 3 & 3) != 1, "224.1.0.0"};
  SessionState *found = world.find(session_id_of(request, connection));
  if (found && control & 0x80) {
    world.end(found->wire_id);
    found = nullptr;
  }
  SessionState before = found ? *found : SessionState{};
  Decision decision = decide(request, connection, found, facts);
  if (found) {
    CHECK(found->state == before.state && found->track_count == before.track_count);
    Decision again = decide(request, connection, found, facts);
    CHECK(again.index() == decision.index());
  }
  unsigned outcome = control >> 3 & 3;
  Reply reply = carry_out(world, request, connection, found, decision, facts, outcome);
  check_reply(reply);
  if (reply.close) world.close(connection);
  world.check_invariants();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  World world;
  Bytes rest(data, size);
  for (int steps = 0; steps < 64 && !rest.empty(); steps++) {
    uint8_t control = rest[0];
    rest = rest.subspan(1);
    size_t end = as_text(rest).find('\0');
    size_t length = end == std::string_view::npos ? rest.size() : end;
    step(world, control, rest.first(length));
    rest = rest.subspan(length < rest.size() ? length + 1 : length);
  }
  return 0;
}
