#include "workers/rtsp/protocol/machine.h"
#include "workers/rtsp/protocol/session_header.h"
#include "workers/rtsp/protocol/setup.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr std::string_view kPublicMethods = "DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, PAUSE, GET_PARAMETER, TEARDOWN";

bool names_session(const Request &request) {
  return request.headers.find("Session") != nullptr;
}

bool is_linked(const ConnectionState &connection, const SessionState *session) {
  return session && connection.session != 0 && connection.session == session->wire_id;
}

// Whether the request may use the session, or create one (`session` is null then); links connection and session.
std::optional<Reply> enter_session(const Request &request, ConnectionState &connection, SessionState *session,
                                   bool may_create) {
  const std::string *header = request.headers.find("Session");
  if (!session) {
    if (may_create) return std::nullopt;
    return error_reply(request, Status::SessionNotFound, "session not found");
  }
  if (is_linked(connection, session)) {
    uint32_t named = header ? parse_session_id(*header) : 0; // 0: no id of ours, but a client's "null" or nothing
    if (named != 0 && named != session->wire_id) {
      return error_reply(request, Status::BadRequest, "connection is linked to another session");
    }
  } else if (!same_host(connection.peer, session->creator)) {
    return error_reply(request, Status::BadRequest, "cannot use a session created with a different IP");
  }
  if (session->tcp_connection != 0 && session->tcp_connection != connection.id) {
    return error_reply(request, Status::BadRequest, "session is linked to another connection");
  }
  if (!is_linked(connection, session)) {
    session->linked_connections++;
    connection.session = session->wire_id;
  }
  return std::nullopt;
}

Reply unhandled(const Request &request, Status status) {
  Reply reply = error_reply(
      request, status, fmt::format("unhandled request: {} {}", request.method_name, url_without_userinfo(request)));
  reply.close = false;
  return reply;
}

// OPTIONS, GET_PARAMETER and SET_PARAMETER, with a session or without.
Decision decide_everywhere(const Request &request, ConnectionState &connection, SessionState *session) {
  Reply reply = success(request);
  if (request.method == Method::Options) reply.response.headers.add("Public", std::string(kPublicMethods));
  if (request.method == Method::GetParameter) reply.response.headers.add("Content-Type", "text/parameters");
  if (!names_session(request)) return reply;
  if (std::optional<Reply> refusal = enter_session(request, connection, session, false)) return std::move(*refusal);
  add_session(reply, *session);
  return reply;
}

Decision decide_describe(const Request &request) {
  std::optional<std::string> path_and_query = request.url ? request.url->path_and_query() : std::nullopt;
  if (!path_and_query) return error_reply(request, Status::BadRequest, "invalid path");
  PathAndQuery parts = split_query(*path_and_query);
  if (std::optional<Reply> refusal = check_path(request, parts.path, parts.query)) return std::move(*refusal);
  return AskDescribe{std::move(parts.path), std::move(parts.query)};
}

// PLAY and RECORD name the path that was set up; a slash may end path or query, it stems from Content-Base.
std::optional<Reply> check_same_path(const Request &request, const SessionState &session) {
  std::optional<std::string> path_and_query = request.url ? request.url->path_and_query() : std::nullopt;
  if (!path_and_query) return error_reply(request, Status::BadRequest, "invalid path");
  std::string path = split_query(*path_and_query).path;
  if (path.ends_with('/')) path.pop_back();
  if (path == session.path_text()) return std::nullopt;
  return error_reply(request, Status::BadRequest,
                     fmt::format("path has changed, was '{}', now is '{}'", session.path_text(), path));
}

Decision decide_play(const Request &request, const SessionState &session) {
  if (std::optional<Reply> refusal = check_state(request, &session, {State::PrePlay, State::Play})) {
    return std::move(*refusal);
  }
  if (session.state == State::Play) {
    Reply reply = success(request);
    add_session(reply, session);
    return reply;
  }
  if (std::optional<Reply> refusal = check_same_path(request, session)) return std::move(*refusal);
  return StartPlay{};
}

Decision decide_record(const Request &request, const SessionState &session) {
  if (std::optional<Reply> refusal = check_state(request, &session, {State::PreRecord})) return std::move(*refusal);
  bool all = std::all_of(session.tracks, session.tracks + session.carried_count(),
                         [](const TrackState &track) { return track.is_set_up; });
  if (!all) return error_reply(request, Status::BadRequest, "not all announced tracks have been setup");
  if (std::optional<Reply> refusal = check_same_path(request, session)) return std::move(*refusal);
  return StartRecord{};
}

Decision decide_pause(const Request &request, const SessionState &session) {
  if (std::optional<Reply> refusal =
          check_state(request, &session, {State::PrePlay, State::Play, State::PreRecord, State::Record})) {
    return std::move(*refusal);
  }
  return PauseMedia{session.state == State::Record, session.state == State::Play};
}

// PLAY, RECORD, PAUSE and TEARDOWN need a session and have to name it; who leaves without its name leaves.
Decision decide_in_session(const Request &request, ConnectionState &connection, SessionState *session) {
  bool leaves = request.method == Method::Teardown && is_linked(connection, session);
  if (!names_session(request) && !leaves) return unhandled(request, Status::MethodNotValidInThisState);
  if (std::optional<Reply> refusal = enter_session(request, connection, session, false)) return std::move(*refusal);
  if (request.method == Method::Play) return decide_play(request, *session);
  if (request.method == Method::Record) return decide_record(request, *session);
  if (request.method == Method::Pause) return decide_pause(request, *session);
  return EndSession{};
}

} // namespace

uint32_t session_id_of(const Request &request, const ConnectionState &connection) {
  if (connection.session != 0) return connection.session;
  const std::string *header = request.headers.find("Session");
  return header ? parse_session_id(*header) : 0;
}

Decision decide(const Request &request, ConnectionState &connection, SessionState *session, const ServerFacts &facts) {
  if (request.headers.count("CSeq") != 1) {
    Reply reply;
    reply.response.status = Status::BadRequest;
    reply.close = true;
    reply.reason = "CSeq is missing";
    return reply;
  }
  // `Require` is not looked at. RFC 2326 section 12.32 wants 551 for what is not known, but what is asked for (ONVIF's
  // back channel or replay, features of players long gone) is an extra to those who ask: without it they play on, while
  // many give up at a 551.
  switch (request.method) {
  case Method::Options:
  case Method::GetParameter:
  case Method::SetParameter:
    return decide_everywhere(request, connection, session);
  case Method::Describe:
    return decide_describe(request);
  case Method::Announce:
  case Method::Setup:
    if (std::optional<Reply> refusal = enter_session(request, connection, session, true)) return std::move(*refusal);
    return request.method == Method::Announce ? decide_announce(request, session)
                                              : decide_setup(request, session, facts);
  case Method::Play:
  case Method::Record:
  case Method::Pause:
  case Method::Teardown:
    return decide_in_session(request, connection, session);
  case Method::Other:
    return unhandled(request, Status::NotImplemented);
  }
  return unhandled(request, Status::NotImplemented);
}

} // namespace sluice::rtsp
