#include "workers/rtsp/protocol/session_state.h"

#include "common/base/check.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sluice::rtsp {
namespace {

bool follows(State before, State after) {
  switch (after) {
  case State::Initial:
    return false;
  case State::PrePlay:
    return before == State::Initial || before == State::Play;
  case State::Play:
    return before == State::PrePlay;
  case State::PreRecord:
    return before == State::Initial || before == State::Record;
  case State::Record:
    return before == State::PreRecord;
  }
  return false;
}

} // namespace

std::string_view to_string(State state) {
  switch (state) {
  case State::Initial:
    return "initial";
  case State::PrePlay:
    return "prePlay";
  case State::Play:
    return "play";
  case State::PreRecord:
    return "preRecord";
  case State::Record:
    return "record";
  }
  return "unknown";
}

bool same_host(const PeerAddress &a, const PeerAddress &b) {
  return std::memcmp(a.ip, b.ip, sizeof(a.ip)) == 0 && a.zone == b.zone;
}

std::string to_text(const PeerAddress &address) {
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const uint8_t *ip = address.ip;
  if (std::memcmp(ip, kMapped, sizeof(kMapped)) == 0) {
    return fmt::format("{}.{}.{}.{}:{}", ip[12], ip[13], ip[14], ip[15], address.port);
  }
  char text[INET6_ADDRSTRLEN] = {};
  CHECK(inet_ntop(AF_INET6, ip, text, sizeof(text)) != nullptr);
  if (address.zone != 0) return fmt::format("[{}%{}]:{}", text, address.zone, address.port);
  return fmt::format("[{}]:{}", text, address.port);
}

void set_state(SessionState &session, State next) {
  CHECK(follows(session.state, next));
  session.state = next;
}

bool is_valid(const SessionState &session) {
  if (session.wire_id == 0 || session.state > State::Record || session.transport > TransportKind::Multicast)
    return false;
  if (session.track_count > media::kMaxTracks || session.path_length > kMaxPathBytes ||
      session.query_length > kMaxQueryBytes) {
    return false;
  }
  bool announced = session.state == State::PreRecord || session.state == State::Record;
  if (session.ignored_count > 0 && (!announced || session.ignored_count >= session.track_count)) return false;
  size_t set_up = 0, carried = 0; // of which
  for (size_t i = 0; i < media::kMaxTracks; i++) {
    uint8_t flag = session.tracks[i].is_set_up;
    if (flag > 1 || (flag == 1 && i >= session.track_count)) return false;
    set_up += flag;
    if (i < session.carried_count()) carried += flag;
  }
  if ((set_up > 0) != (session.transport != TransportKind::None)) return false;
  bool publishes = session.state == State::PreRecord || session.state == State::Record;
  if (publishes && session.transport == TransportKind::Multicast) return false;
  bool active = session.state == State::Play || session.state == State::Record;
  if (session.tcp_connection != 0 && (!active || session.transport != TransportKind::Tcp)) return false;
  switch (session.state) {
  case State::Initial:
    return session.track_count == 0;
  case State::PrePlay:
  case State::Play:
    return set_up > 0;
  case State::PreRecord:
    return session.track_count > 0;
  case State::Record:
    return session.track_count > 0 && carried == session.carried_count();
  }
  return false;
}

} // namespace sluice::rtsp
