// decide() for ANNOUNCE and SETUP: the checks on tracks and transports, in the order in which clients see them.
#pragma once

#include "workers/rtsp/protocol/machine.h"

#include <initializer_list>

namespace sluice::rtsp {

Decision decide_announce(const Request &request, const SessionState *session);
Decision decide_setup(const Request &request, const SessionState *session, const ServerFacts &facts);

// Shared with decide().
Reply success(const Request &request);
Reply error_reply(const Request &request, Status status, std::string reason); // closes
// 400 unless the state (that of no session is Initial) is one of `allowed`.
std::optional<Reply> check_state(const Request &request, const SessionState *session,
                                 std::initializer_list<State> allowed);
// Name and length limits of what is kept in a session.
std::optional<Reply> check_path(const Request &request, std::string_view path, std::string_view query);

} // namespace sluice::rtsp
