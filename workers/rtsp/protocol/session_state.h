// The state of RTSP sessions and connections as plain structs that live in shared memory and outlive the worker
// that wrote them. No behaviour but set_state; machine.h reads and changes them. A worker that takes a record
// over checks it with is_valid() first.
#pragma once

#include "common/media/stream_description.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace sluice::rtsp {

constexpr size_t kMaxPathBytes = 512;
constexpr size_t kMaxQueryBytes = 512;

enum class State : uint8_t { Initial, PrePlay, Play, PreRecord, Record };
enum class TransportKind : uint8_t { None, Udp, Tcp, Multicast };

// "initial", "prePlay", … as in error texts.
std::string_view to_string(State state);

struct PeerAddress {
  uint8_t ip[16] = {}; // IPv4 as ::ffff:a.b.c.d
  uint32_t zone = 0;   // scope id of a link-local address
  uint16_t port = 0;
  uint16_t reserved = 0;
};
bool same_host(const PeerAddress &a, const PeerAddress &b);
std::string to_text(const PeerAddress &address); // "1.2.3.4:5", "[::1]:5", "[fe80::1%2]:5"

struct TrackState {
  uint8_t is_set_up = 0;                              // 0 or 1
  uint8_t rtp_channel = 0;                            // TCP: even; RTCP is on the next one
  uint16_t client_rtp_port = 0, client_rtcp_port = 0; // UDP
  uint16_t position = 0;                              // announced: among the sections
  uint64_t control_hash[2] = {}; // announced: of the URLs that may name it in a SETUP (path and query)
};

struct SessionState {
  uint32_t wire_id = 0; // the Session header, in decimal; 0 = no session
  State state = State::Initial;
  TransportKind transport = TransportKind::None; // of all its tracks
  uint8_t track_count = 0;                       // of the stream, set up or not; 0 in Initial
  uint8_t ignored_count = 0;                     // announced: so many of them, the last ones, can't be carried
  uint32_t linked_connections = 0;               // ConnectionStates whose `session` is wire_id
  uint32_t reserved2 = 0;
  uint64_t tcp_connection = 0; // ConnectionState::id that carries the media (TCP, Play or Record), else 0
  PeerAddress creator;
  uint16_t path_length = 0, query_length = 0;
  char path[kMaxPathBytes] = {};
  char query[kMaxQueryBytes] = {};
  TrackState tracks[media::kMaxTracks];

  // Those that are the stream's.
  size_t carried_count() const { return size_t{track_count} - ignored_count; }
  std::string_view path_text() const { return {path, path_length}; }
  std::string_view query_text() const { return {query, query_length}; }
};

struct ConnectionState {
  uint64_t id = 0; // chosen by the owner, never reused, not 0
  PeerAddress peer;
  uint32_t session = 0; // wire id of the session it is linked to, 0 = none
  uint8_t failures = 0; // of authentication since the last success
  uint8_t reserved[3] = {};
};

static_assert(std::is_trivially_copyable_v<SessionState> && std::is_standard_layout_v<SessionState>);
static_assert(std::is_trivially_copyable_v<ConnectionState> && std::is_standard_layout_v<ConnectionState>);
static_assert(sizeof(TrackState) == 24 && sizeof(SessionState) == 1464 && sizeof(ConnectionState) == 40);

// Initial → PrePlay ⇄ Play, Initial → PreRecord ⇄ Record; anything else is our bug.
void set_state(SessionState &session, State next);

// Ranges and lengths, and that the parts agree with the state.
bool is_valid(const SessionState &session);

} // namespace sluice::rtsp
