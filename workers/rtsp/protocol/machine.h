// The server's side of RTSP (RFC 2326 appendix A.2) as pure functions over plain states. Nothing is kept here:
//
//   1. uint32_t id = session_id_of(request, connection); the caller finds that session's state, or none
//      (a session of another slot: hand the connection over instead). A found session counts as kept alive.
//   2. decide(request, connection, session, facts) checks everything that can be checked here. It changes
//      nothing but the link between connection and session, so it may be repeated after a crash while the
//      request still stands in the input buffer.
//   3. The caller does what the decision says, then calls the function named beside it, which changes the
//      states and makes the reply. Where that needs a session and there is none: create_session() first.
//   4. The caller sends reply.response, consumes the request, and with reply.close closes the connection and
//      logs `closed (<reason>)`.
#pragma once

#include "common/base/time.h"
#include "common/media/stream_description.h"
#include "workers/rtsp/protocol/request.h"
#include "workers/rtsp/protocol/response.h"
#include "workers/rtsp/protocol/rtp_info.h"
#include "workers/rtsp/protocol/session_state.h"
#include "workers/rtsp/protocol/transport.h"

#include <array>
#include <variant>

namespace sluice::rtsp {

struct ServerFacts {
  bool tcp = true, udp = true; // `protocols`; UDP is never offered over TLS
  bool tls = false;
  uint16_t rtp_port = 0, rtcp_port = 0; // the server's
  bool multicast = false;               // `protocols`; not over TLS either
  std::string multicast_base = {};      // an address for those who look for one in a description
};

// Where a track is sent to by multicast.
struct MulticastGroup {
  std::string address; // IPv4
  PortPair ports;
  uint8_t ttl = 0;
};

struct Reply {
  Response response;
  bool close = false; // after sending the response
  std::string reason; // of whatever is not a success; "" = none
  // The response names a session, and there is none yet (461 to a first SETUP): create_session(), then
  // add_session(reply, session). When no session can be made, send unavailable() instead.
  bool needs_session = false;
};

// Ask the supervisor for the description → described(), redirected(), refused() or unauthorized().
struct AskDescribe {
  std::string path, query;
};

// A session publishes: needs a session, ask the supervisor → publish_granted(), refused() or unauthorized().
struct BeginPublish {
  std::string path, query;
  media::StreamDescription description;
  // Of each track, then of each announced section that can't be carried, for TrackState; and why not.
  std::vector<std::array<uint64_t, 2>> control_hashes;
  std::vector<uint8_t> positions;
  std::vector<std::string> ignored;
};

// A session reads: needs a session, ask the supervisor, open UDP sockets or join the stream's multicast groups →
// read_granted(), refused(), unauthorized() or failed().
struct BeginRead {
  std::string path, query;
  uint32_t track = 0; // may be beyond the stream's tracks: read_granted() finds out
  TransportSpec transport;
};

// A further track of a session: open UDP sockets → track_set_up() or failed().
struct SetupTrack {
  uint32_t track = 0; // below session.track_count; one to record may be one that is ignored
  TransportSpec transport;
  bool record = false;
};

struct StartPlay {};                               // → playing(); media may be sent once the reply is
struct StartRecord {};                             // ask the supervisor → recording() or refused()
struct PauseMedia {                                // stop media → paused()
  bool was_recording = false, was_playing = false; // neither: nothing to stop
};
struct EndSession {}; // → torn_down(), then release the session

// How a session gets its media that was set up like this.
TransportKind kind_of(const TransportSpec &transport);

using Decision = std::variant<Reply, AskDescribe, BeginPublish, BeginRead, SetupTrack, StartPlay, StartRecord,
                              PauseMedia, EndSession>;

// The session the request is about: the one its connection is linked to, else the one it names; 0 = none.
uint32_t session_id_of(const Request &request, const ConnectionState &connection);

// `session` is that of session_id_of(), or null if there is none such.
Decision decide(const Request &request, ConnectionState &connection, SessionState *session, const ServerFacts &facts);

// A fresh session in Initial, linked to the connection.
void create_session(SessionState &session, uint32_t wire_id, ConnectionState &connection);
// Both ways, also when the connection closes or the session ends otherwise. True: the session is not in use any
// more, release it (`not in use`). A session that plays or records over UDP, or plays by multicast, outlives its
// connections.
bool unlink(ConnectionState &connection, SessionState &session);

enum class RefusalKind : uint8_t { BadRequest, NoPublisher, Unavailable };

// Outcomes, for the same request that was decided. Where another connection changed the session while this one
// waited for an answer (better: hold back requests of a session that has one under way), they refuse with 400.
Reply described(const Request &request, const media::StreamDescription &description, const ServerFacts &facts);
Reply refused(const Request &request, RefusalKind kind, std::string reason);
// 301. "/name" becomes a URL of this server, as the client named it.
Reply redirected(const Request &request, const std::string &location);
// 401. The connection may try again, until its fourth failure in a row (kMaxFailures): that, and what is final by
// itself, closes it, and the reply is to wait for kFailureDelay.
constexpr uint8_t kMaxFailures = 3;
constexpr Nanoseconds kFailureDelay = 2 * kSecond;
Reply unauthorized(const Request &request, ConnectionState &connection, const SessionState *session,
                   const std::vector<std::string> &challenges, std::string reason, bool is_final);
void note_authorized(ConnectionState &connection);
// Whether the request holds what must not stay in memory, and its removal.
bool has_secrets(const Request &request);
void wipe_secrets(Request &request);
// For logs: the URL without its userinfo.
std::string url_without_userinfo(const Request &request);
// The I/O layer could not do its part: 400 unless another status is given.
Reply failed(const Request &request, std::string reason, Status status = Status::BadRequest);
// A bound of ours was reached (no free session): 503.
Reply unavailable(const Request &request, std::string reason);

Reply publish_granted(const Request &request, const BeginPublish &decision, SessionState &session);
// `ssrc` of the track if a packet of it was seen; `group` of the track if it was asked for by multicast. 400 if the
// stream has no such track.
Reply read_granted(const Request &request, const BeginRead &decision, SessionState &session, size_t track_count,
                   const ServerFacts &facts, std::optional<uint32_t> ssrc, const MulticastGroup *group = nullptr);
Reply track_set_up(const Request &request, const SetupTrack &decision, SessionState &session, const ServerFacts &facts,
                   std::optional<uint32_t> ssrc, const MulticastGroup *group = nullptr);
// `tracks`: those set up that have traffic, in order.
Reply playing(const Request &request, const ConnectionState &connection, SessionState &session,
              std::span<const RtpInfo> tracks);
Reply recording(const Request &request, const ConnectionState &connection, SessionState &session);
Reply paused(const Request &request, SessionState &session);
// The connection is unlinked and stays usable. reply.reason: `teared down by <peer>`, for the session's log.
Reply torn_down(const Request &request, ConnectionState &connection, SessionState &session);

void add_session(Reply &reply, const SessionState &session);

} // namespace sluice::rtsp
