#include "common/base/check.h"
#include "common/base/secret.h"
#include "workers/rtsp/protocol/machine.h"
#include "workers/rtsp/protocol/sdp.h"
#include "workers/rtsp/protocol/session_header.h"
#include "workers/rtsp/protocol/setup.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

void keep_path(SessionState &session, std::string_view path, std::string_view query) {
  CHECK(path.size() <= kMaxPathBytes && query.size() <= kMaxQueryBytes);
  std::copy(path.begin(), path.end(), session.path);
  std::copy(query.begin(), query.end(), session.query);
  session.path_length = static_cast<uint16_t>(path.size());
  session.query_length = static_cast<uint16_t>(query.size());
}

void keep_transport(SessionState &session, uint32_t index, const TransportSpec &transport) {
  CHECK(index < session.track_count);
  TrackState &track = session.tracks[index];
  session.transport = kind_of(transport);
  if (session.transport == TransportKind::Udp) {
    track.client_rtp_port = transport.client_port->rtp;
    track.client_rtcp_port = transport.client_port->rtcp;
  } else if (session.transport == TransportKind::Tcp) {
    track.rtp_channel = static_cast<uint8_t>(transport.interleaved->rtp);
  }
  track.is_set_up = 1;
}

std::string answer_transport(const TransportSpec &asked, const ServerFacts &facts, std::optional<uint32_t> ssrc,
                             const MulticastGroup *group) {
  TransportSpec answer;
  answer.lower = asked.lower;
  answer.multicast = asked.multicast;
  if (asked.multicast) {
    CHECK(group != nullptr);
    answer.destination = group->address;
    answer.port = group->ports;
    answer.ttl = group->ttl;
  } else if (asked.lower == LowerTransport::Udp) {
    answer.client_port = asked.client_port;
    answer.server_port = PortPair{facts.rtp_port, facts.rtcp_port};
  } else {
    answer.interleaved = asked.interleaved;
  }
  answer.ssrc = ssrc;
  return write_transport(answer);
}

Reply success_in(const Request &request, const SessionState &session) {
  Reply reply = success(request);
  add_session(reply, session);
  return reply;
}

// Another connection of the same session was faster while this request waited for its answer.
Reply overtaken(const Request &request) {
  return error_reply(request, Status::BadRequest, "session was changed by another connection");
}

// Media of a TCP session is bound to the connection that asked for it.
void bind_media(const ConnectionState &connection, SessionState &session) {
  CHECK(connection.id != 0);
  session.tcp_connection = session.transport == TransportKind::Tcp ? connection.id : 0;
}

// VLC reads by multicast only what is described with a group's address; `vlcmulticast` in the query asks for one.
bool wants_multicast_address(const Request &request) {
  if (!request.url) return false;
  std::string_view rest = request.url->query;
  while (!rest.empty()) {
    std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (part.substr(0, part.find('=')) == "vlcmulticast") return true;
  }
  return false;
}

} // namespace

TransportKind kind_of(const TransportSpec &transport) {
  if (transport.lower == LowerTransport::Tcp) return TransportKind::Tcp;
  return transport.multicast ? TransportKind::Multicast : TransportKind::Udp;
}

Reply success(const Request &request) {
  Reply reply;
  reply.response.cseq = *request.headers.find("CSeq");
  return reply;
}

Reply error_reply(const Request &request, Status status, std::string reason) {
  Reply reply = success(request);
  reply.response.status = status;
  reply.close = true;
  reply.reason = std::move(reason);
  return reply;
}

std::optional<Reply> check_state(const Request &request, const SessionState *session,
                                 std::initializer_list<State> allowed) {
  State state = session ? session->state : State::Initial;
  if (std::find(allowed.begin(), allowed.end(), state) != allowed.end()) return std::nullopt;
  std::string names;
  for (State one : allowed) names += (names.empty() ? "" : " ") + std::string(to_string(one));
  return error_reply(request, Status::BadRequest,
                     fmt::format("must be in state [{}], while is in state {}", names, to_string(state)));
}

std::optional<Reply> check_path(const Request &request, std::string_view path, std::string_view query) {
  if (path.size() > kMaxPathBytes) {
    return error_reply(request, Status::BadRequest, fmt::format("path exceeds {} bytes", kMaxPathBytes));
  }
  if (query.size() > kMaxQueryBytes) {
    return error_reply(request, Status::BadRequest, fmt::format("query exceeds {} bytes", kMaxQueryBytes));
  }
  Result<void> name = check_path_name(path);
  if (!name) return error_reply(request, Status::BadRequest, name.error().message);
  return std::nullopt;
}

void create_session(SessionState &session, uint32_t wire_id, ConnectionState &connection) {
  CHECK(wire_id != 0);
  session = SessionState{};
  session.wire_id = wire_id;
  session.creator = connection.peer;
  session.linked_connections = 1;
  connection.session = wire_id;
}

bool unlink(ConnectionState &connection, SessionState &session) {
  bool carried_media = session.tcp_connection != 0 && session.tcp_connection == connection.id;
  if (connection.session == session.wire_id) {
    connection.session = 0;
    if (session.linked_connections > 0) session.linked_connections--;
  }
  if (carried_media) {
    session.tcp_connection = 0;
    return true;
  }
  bool active = session.state == State::Play || session.state == State::Record;
  bool outlives = active && session.transport != TransportKind::Tcp;
  return session.linked_connections == 0 && !outlives;
}

Reply described(const Request &request, const media::StreamDescription &description, const ServerFacts &facts) {
  Reply reply = success(request);
  reply.response.headers.add("Content-Base", request.url_text + "/");
  reply.response.headers.add("Content-Type", "application/sdp");
  bool multicast = facts.multicast && !facts.tls && wants_multicast_address(request);
  reply.response.body = write_sdp(description, multicast ? facts.multicast_base : "0.0.0.0");
  return reply;
}

Reply refused(const Request &request, RefusalKind kind, std::string reason) {
  switch (kind) {
  case RefusalKind::BadRequest:
    return error_reply(request, Status::BadRequest, std::move(reason));
  case RefusalKind::NoPublisher:
    return error_reply(request, Status::NotFound, std::move(reason));
  case RefusalKind::Unavailable:
    break;
  }
  return unavailable(request, std::move(reason));
}

Reply redirected(const Request &request, const std::string &location) {
  Reply reply = success(request);
  reply.response.status = Status::MovedPermanently;
  bool here = location.starts_with('/') && request.url;
  reply.response.headers.add("Location", here ? request.url->origin() + location : location);
  return reply;
}

Reply unauthorized(const Request &request, ConnectionState &connection, const SessionState *session,
                   const std::vector<std::string> &challenges, std::string reason, bool is_final) {
  Reply reply = success(request);
  reply.response.status = Status::Unauthorized;
  reply.reason = std::move(reason);
  if (!is_final && ++connection.failures > kMaxFailures) {
    is_final = true;
    reply.reason = "unauthorized: " + reply.reason;
  }
  reply.close = is_final;
  if (is_final) return reply;
  for (const std::string &challenge : challenges) reply.response.headers.add("WWW-Authenticate", challenge);
  if (session != nullptr && request.method == Method::Setup) add_session(reply, *session);
  return reply;
}

void note_authorized(ConnectionState &connection) {
  connection.failures = 0;
}

bool has_secrets(const Request &request) {
  return request.headers.find("Authorization") != nullptr || (request.url && !request.url->userinfo.empty());
}

void wipe_secrets(Request &request) {
  request.headers.wipe("Authorization");
  if (!request.url || request.url->userinfo.empty()) return;
  wipe(request.url->userinfo);
  wipe(request.url_text);
}

std::string url_without_userinfo(const Request &request) {
  if (!request.url || request.url->userinfo.empty()) return request.url_text;
  Url url = *request.url;
  url.userinfo.clear();
  return url.text();
}

Reply failed(const Request &request, std::string reason, Status status) {
  return error_reply(request, status, std::move(reason));
}

Reply unavailable(const Request &request, std::string reason) {
  return error_reply(request, Status::ServiceUnavailable, std::move(reason));
}

Reply publish_granted(const Request &request, const BeginPublish &decision, SessionState &session) {
  size_t count = decision.control_hashes.size();
  CHECK(count > decision.ignored.size() && count <= media::kMaxTracks && decision.positions.size() == count);
  if (session.state != State::Initial) return overtaken(request);
  keep_path(session, decision.path, decision.query);
  session.track_count = static_cast<uint8_t>(count);
  session.ignored_count = static_cast<uint8_t>(decision.ignored.size());
  for (size_t i = 0; i < count; i++) {
    session.tracks[i].position = decision.positions[i];
    std::copy(decision.control_hashes[i].begin(), decision.control_hashes[i].end(), session.tracks[i].control_hash);
  }
  set_state(session, State::PreRecord);
  return success(request); // clients learn the session's id from SETUP
}

Reply read_granted(const Request &request, const BeginRead &decision, SessionState &session, size_t track_count,
                   const ServerFacts &facts, std::optional<uint32_t> ssrc, const MulticastGroup *group) {
  CHECK(track_count <= media::kMaxTracks);
  if (session.state != State::Initial) return overtaken(request);
  if (decision.track >= track_count) {
    return error_reply(request, Status::BadRequest, fmt::format("track {} does not exist", decision.track));
  }
  keep_path(session, decision.path, decision.query);
  session.track_count = static_cast<uint8_t>(track_count);
  keep_transport(session, decision.track, decision.transport);
  set_state(session, State::PrePlay);
  Reply reply = success_in(request, session);
  reply.response.headers.add("Transport", answer_transport(decision.transport, facts, ssrc, group));
  return reply;
}

Reply track_set_up(const Request &request, const SetupTrack &decision, SessionState &session, const ServerFacts &facts,
                   std::optional<uint32_t> ssrc, const MulticastGroup *group) {
  State expected = decision.record ? State::PreRecord : State::PrePlay;
  TransportKind kind = kind_of(decision.transport);
  bool same_kind = session.transport == TransportKind::None || session.transport == kind;
  if (session.state != expected || decision.track >= session.track_count || !same_kind ||
      session.tracks[decision.track].is_set_up) {
    return overtaken(request);
  }
  keep_transport(session, decision.track, decision.transport);
  Reply reply = success_in(request, session);
  reply.response.headers.add("Transport",
                             answer_transport(decision.transport, facts, decision.record ? std::nullopt : ssrc, group));
  return reply;
}

Reply playing(const Request &request, const ConnectionState &connection, SessionState &session,
              std::span<const RtpInfo> tracks) {
  if (session.state != State::PrePlay) return overtaken(request);
  bind_media(connection, session);
  set_state(session, State::Play);
  Reply reply = success_in(request, session);
  if (!tracks.empty()) {
    reply.response.headers.add("RTP-Info", write_rtp_info(*request.url, session.path_text(), tracks));
  }
  return reply;
}

Reply recording(const Request &request, const ConnectionState &connection, SessionState &session) {
  if (session.state != State::PreRecord) return overtaken(request);
  bind_media(connection, session);
  set_state(session, State::Record);
  return success_in(request, session);
}

Reply paused(const Request &request, SessionState &session) {
  session.tcp_connection = 0;
  if (session.state == State::Play) set_state(session, State::PrePlay);
  if (session.state == State::Record) set_state(session, State::PreRecord);
  return success_in(request, session);
}

Reply torn_down(const Request &request, ConnectionState &connection, SessionState &session) {
  unlink(connection, session); // whatever it says, the session ends here
  Reply reply = success(request);
  reply.reason = fmt::format("teared down by {}", to_text(connection.peer));
  return reply;
}

void add_session(Reply &reply, const SessionState &session) {
  bool reading = session.state == State::PrePlay || session.state == State::Play;
  bool times_out = session.transport == TransportKind::Udp || session.transport == TransportKind::Multicast;
  reply.response.headers.add("Session", write_session(session.wire_id, reading && times_out));
}

} // namespace sluice::rtsp
