// Every message of the control channel between the supervisor and a worker, in one place. Requests carry
// an id chosen by the worker and are answered once, by one of the messages named beside them. Descriptors
// travel beside the message, in the order stated; `none` where nothing is stated.
#pragma once

#include "common/base/codec.h"
#include "common/base/traffic.h"
#include "common/media/stream_description.h"
#include "ipc/control/slot_set.h"

#include <variant>

namespace sluice::control {

constexpr uint32_t kVersion = 1;
constexpr size_t kMaxMessageBytes = 264 * 1024; // a HandOver with a full input buffer fits
constexpr size_t kMaxDescriptors = 128;

using RequestId = uint64_t;
using SessionId = uint64_t; // session ids carry their slot: see shm/session_table.h
using StreamId = uint64_t;  // one publication of a path; never reused
using MuxerId = uint64_t;   // one muxer of HLS, whichever workers it runs in; never reused
using SourceId = uint64_t;  // one attempt to pull a path's stream from elsewhere; never reused

// Of RTSP workers alone.
struct RtspSettings {
  bool tcp = true, udp = true, multicast = false; // `protocols`
  uint16_t rtp_port = 0, rtcp_port = 0;
  std::string rtp_address, rtcp_address; // to bind connected sockets to: "host:port", host may be empty
  std::string multicast_base;            // the first address of the range of groups
};

enum class HlsVariant : uint8_t { MpegTs, Fmp4, LowLatency };
inline bool is_valid(HlsVariant variant) {
  return variant <= HlsVariant::LowLatency;
}

// Of HLS workers alone.
struct HlsSettings {
  HlsVariant variant = HlsVariant::MpegTs;
  uint32_t segment_count = 0;
  int64_t segment_duration_ns = 0, part_duration_ns = 0;
  uint64_t segment_max_bytes = 0;
  std::string allow_origin;
  std::vector<std::string> trusted_proxies; // addresses and networks

  bool operator==(const HlsSettings &) const = default;
};

// Settings of a worker, from the configuration.
struct WorkerSettings {
  int64_t read_timeout_ns = 0;
  int64_t write_timeout_ns = 0;
  uint32_t max_sessions = 0; // per slot
  uint8_t log_level = 1;
  SlotSet peers;                    // the slots of its protocol, its own among them: whose sessions clients may name
  bool reports_connections = false; // Connected and Closed are wanted
  uint64_t max_input_bytes = 0;     // of the slot's large buffers together
  RtspSettings rtsp;
  HlsSettings hls;
};

// How the media of a source is to come.
enum class SourceTransport : uint8_t {
  Automatic, // UDP, and TCP if that brings nothing
  Udp,
  Multicast,
  Tcp,
};
inline bool is_valid(SourceTransport transport) {
  return transport <= SourceTransport::Tcp;
}

// What an RTSP or HTTP client says about itself, for the supervisor to judge. Wiped by whoever is done with it. RTMP
// clients say it in the query: user=…&pass=….
struct Credentials {
  std::string method, url;   // as received; what a Digest answer is about
  std::string authorization; // the header's value; empty: none
};

// Why a request is refused.
enum class Refusal : uint8_t {
  BadRequest,   // invalid or unconfigured path, or what the path's state forbids
  NoPublisher,  // no one is publishing to the path
  Unavailable,  // a bound was reached
  Unauthorized, // wrong or no credentials; may be tried again a few times, with RTMP on another connection
  Forbidden,    // the client's address is not allowed; need not try again
};
inline bool is_valid(Refusal refusal) {
  return refusal <= Refusal::Forbidden;
}

// --- from the worker ---

struct Hello {
  uint32_t version = kVersion;
  uint64_t epoch = 0;
  uint32_t pid = 0;
};

struct LogLine {
  uint8_t level = 0;
  std::string text;
};

// A client's connection came and went, if the settings ask for it. `connection` is unique in its worker; of one that
// was handed over, `token` is that of the HandOver, else 0.
struct Connected {
  uint64_t connection = 0, token = 0;
  std::string client;
  bool tls = false;
};
struct Closed {
  uint64_t connection = 0;
};

// Whether a client of HLS may read a path: Admitted or Refused. `client`: "host:port", as trusted proxies tell it.
struct Authorize {
  RequestId request = 0;
  std::string path, query, client;
  Credentials credentials;
};

// A client that may read the path asked for its HLS: MuxerGranted or Refused; held while the path's source and the
// muxer are being started. `client`: "host", for the log.
struct Mux {
  RequestId request = 0;
  std::string path, client;
};
// Its store has what a playlist needs to begin with: the tracks are known.
struct MuxerReady {
  MuxerId muxer = 0;
};
// It is over. The muxer's reading session is released beforehand.
struct MuxerEnded {
  MuxerId muxer = 0;
  Refusal refusal = Refusal::BadRequest; // for those who wait
  std::string reason;
};
// Clients asked for something of it. At most once a second.
struct MuxerUsed {
  MuxerId muxer = 0;
};

// Described, Redirected or Refused; held as long as the path's source is being started. `client`: "host:port".
struct Describe {
  RequestId request = 0;
  std::string path, query, client;
  Credentials credentials;
};

// Whether a session may publish to a path, before it has said what: Admitted or Refused. Its Publish is not judged
// again.
struct Admit {
  RequestId request = 0;
  SessionId session = 0;
  uint32_t log_id = 0;
  bool tls = false;
  std::string path, query, client;
  Credentials credentials;
};

// PublishGranted or Refused. An existing publisher of the path is kicked. `log_id`: the session as logs and API name
// it, with RTMP its connection. The stream is ready once Record has followed the grant.
struct Publish {
  RequestId request = 0;
  SessionId session = 0;
  uint32_t log_id = 0;
  bool tls = false;
  std::string path, query, client;
  Credentials credentials;
  media::StreamDescription description;
};

// Recorded or Refused.
struct Record {
  RequestId request = 0;
  SessionId session = 0;
};

// The publisher paused: the stream is not ready any more, its readers are kicked.
struct PublisherPaused {
  SessionId session = 0;
};

// ReadGranted or Refused; held like Describe.
struct Read {
  RequestId request = 0;
  SessionId session = 0;
  uint32_t log_id = 0;
  bool tls = false;
  std::string path, query, client;
  Credentials credentials;
};

// The session is about to use these addresses of its client over UDP. Claimed, or Refused with `in_use`; held until
// Release.
struct Claim {
  RequestId request = 0;
  SessionId session = 0;
  bool publishes = false;
  std::string path;
  std::vector<std::string> addresses; // "host:port"
  std::string in_use;                 // the reason for the client
};

// A reading session wants its stream by multicast, on the network of `interface` (an index of the kernel's).
// MulticastGranted or Refused; held until Release.
struct JoinMulticast {
  RequestId request = 0;
  SessionId session = 0;
  uint32_t interface = 0;
};

// The other server answered, and all is set up: PublishGranted, upon which it is asked to play, or Refused, upon which
// SourceFailed follows.
struct SourceReady {
  RequestId request = 0;
  SourceId source = 0;
  media::StreamDescription description;
};
// The attempt is over.
struct SourceFailed {
  SourceId source = 0;
  std::string reason; // for the log, without credentials
};
// The same, since the other server said where to go instead.
struct SourceMoved {
  SourceId source = 0;
  std::string url;
};

// A reader's media flows, or no more.
struct Playing {
  SessionId session = 0;
};
struct ReaderPaused {
  SessionId session = 0;
};

// The session is over, of a client, a source, a muxer or viewers. Unknown ids are ignored.
struct Release {
  SessionId session = 0;
  std::string path; // that it had to do with; empty: none
  Traffic traffic;  // all of it
};

// To a Ping.
struct Pong {
  int64_t stamp = 0;
};

// The writer's ring should hold `wanted_bytes`: RingReplaced, or RingKept.
struct RingTooSmall {
  StreamId stream = 0;
  uint64_t wanted_bytes = 0;
};

// Parameter sets seen in-band differ from those announced.
struct DescriptionChanged {
  StreamId stream = 0;
  media::StreamDescription description;
};

// A datagram came to the base socket of a UDP port, from an address that no session has: StrayOffer to those whose it
// may be.
struct StrayDatagram {
  std::string address; // "host:port"
  bool rtcp = false;   // to which port
  uint8_t payload_type = 0;
  uint32_t ssrc = 0;
};

// Each track of a session that publishes over UDP has had packets.
struct HeardAll {
  SessionId session = 0;
};

// --- in both directions ---

// A connection whose client named a session of another slot; goes to that slot. fd: the connection.
struct HandOver {
  uint16_t slot = 0;
  SessionId session = 0;
  uint64_t received_bytes = 0;
  uint8_t failures = 0; // of authentication, on this connection
  uint64_t token = 0;   // from the worker: its name of the connection; to the worker: for its Connected
  ByteVector unread;
};

// --- from the supervisor ---

// fds: session table, doorbell board, then `listeners` TCP listeners, the last `tls_listeners` of which are for TLS,
// then `udp_bases` base sockets of the UDP ports (only to the slot that drains them), then the doorbells of all slots
// there may be, in order.
struct Welcome {
  uint64_t epoch = 0;
  uint16_t slot = 0, doorbells = 0, listeners = 0, tls_listeners = 0, udp_bases = 0;
  WorkerSettings settings;
};

// A changed configuration. fds: `listeners` TCP listeners (the last `tls_listeners` for TLS), then `udp_bases` base
// sockets, instead of those there were; what waits in a listener that goes is accepted first.
struct Settings {
  uint16_t listeners = 0, tls_listeners = 0, udp_bases = 0;
  WorkerSettings settings;
};

// What the TLS listeners show and use from now on, for new connections: PEM texts; keys that session tickets are made
// with, 80 bytes each, the newest first. Comes before or beside the first TLS listener.
struct Certificate {
  std::string chain, key;
  std::vector<std::string> ticket_keys;
};

// The slot is given up: accept nothing more, leave when the last session and connection has gone.
struct Drain {};

// To the writer of a stream.
struct StreamSettings {
  StreamId stream = 0;
  int64_t coalesce_ns = 0, merge_ns = 0;
  bool absolute_time = false; // sender reports carry the publisher's clock

  bool operator==(const StreamSettings &) const = default;
};

struct Described {
  RequestId request = 0;
  media::StreamDescription description;
};

// To a Describe: the client is to go elsewhere. "/name" is a path of this server.
struct Redirected {
  RequestId request = 0;
  std::string location;
};

struct Refused {
  RequestId request = 0;
  Refusal refusal = Refusal::BadRequest;
  std::string reason;
  std::vector<std::string> challenges; // of Unauthorized: values of WWW-Authenticate; none for RTMP
};

// fds: the stream's ring, read-write; of a stream that goes on with another writer, the generation before it as well,
// if there is one.
struct PublishGranted {
  RequestId request = 0;
  StreamId stream = 0;
  uint16_t ring_index = 0;
  int64_t coalesce_ns = 0, merge_ns = 0;
  bool absolute_time = false; // as in StreamSettings
  bool continues = false;     // the readers of a former publisher are there: for them it is one stream
  uint64_t max_ring_bytes = 0;
};

struct Admitted {
  RequestId request = 0;
};

struct Recorded {
  RequestId request = 0;
};

struct Claimed {
  RequestId request = 0;
};

// fd: the stream's ring, read-only.
struct ReadGranted {
  RequestId request = 0;
  StreamId stream = 0;
  uint16_t ring_index = 0;
  bool from_key_frame = false; // begin with the newest random access point that the ring holds
};

// The stream's groups, one a track, as IPv4 texts.
struct MulticastGranted {
  RequestId request = 0;
  std::vector<std::string> groups;
  uint16_t rtp_port = 0, rtcp_port = 0;
  uint8_t ttl = 0;
};

// To the slot that alone sends a stream by multicast: do so, on these interfaces, instead of those before. fd: the
// stream's ring, read-only.
struct SendMulticast {
  StreamId stream = 0;
  uint16_t ring_index = 0;
  std::vector<std::string> groups;
  uint16_t rtp_port = 0, rtcp_port = 0;
  uint8_t ttl = 0;
  std::vector<uint32_t> interfaces;
};
struct StopMulticast {
  StreamId stream = 0;
};

// Pull a stream: SourceReady, SourceFailed or SourceMoved. `url` is of the worker's protocol and may hold credentials;
// `addresses` are those of its host, "host:port", to be tried in order. fd: the certificates to trust (PEM), if its own
// is to be verified.
struct StartSource {
  SourceId source = 0;
  std::string path, url;
  std::vector<std::string> addresses;
  SourceTransport transport = SourceTransport::Automatic; // of RTSP, as any_port
  bool any_port = false;
  std::string fingerprint; // of the certificate, SHA-256 in hex; empty: it is verified
};
// Nothing more is heard of it.
struct StopSource {
  SourceId source = 0;
};

// Make HLS of a path: with Read, as any reader, whose session is the muxer's. `resumes`: the store has what a former
// worker made, and goes on. fd: the segment store, read-write. MuxerReady, then MuxerEnded.
struct StartMuxer {
  MuxerId muxer = 0;
  std::string path;
  bool resumes = false;
};
// Nothing more is heard of it.
struct StopMuxer {
  MuxerId muxer = 0;
};
// fd: the segment store, read-only.
struct MuxerGranted {
  RequestId request = 0;
  MuxerId muxer = 0;
};
// Clients get nothing of it any more.
struct MuxerWithdrawn {
  MuxerId muxer = 0;
};
// Who may read what has changed.
struct ForgetVerdicts {};

// The next generation of a ring. fd: read-write to the writer's slot, where it serves readers too, else read-only.
struct RingReplaced {
  StreamId stream = 0;
};

// To a session that publishes from the host of `datagram`: if it is its client's, its address is to be claimed.
// `alone`: all other such sessions have heard from all of their tracks.
struct StrayOffer {
  SessionId session = 0;
  bool alone = false;
  StrayDatagram datagram;
};

// To RingTooSmall: there is no larger one, and asking again soon is useless.
struct RingKept {
  StreamId stream = 0;
};

// The stream is over; its ring gets no more entries. Its sessions in this worker are kicked one by one.
struct StreamEnded {
  StreamId stream = 0;
};

// Answered with Pong at once, so that it shows how busy the worker is.
struct Ping {
  int64_t stamp = 0; // comes back
};

// A session, or, if `connection` is named, the connection of that number, whatever it does.
struct Kick {
  SessionId session = 0;
  std::string reason;
  uint64_t connection = 0;
};

// Close all sessions in order, then exit.
struct Shutdown {};

using Message =
    std::variant<Hello, LogLine, Connected, Closed, Authorize, Mux, MuxerReady, MuxerEnded, MuxerUsed, Describe, Admit,
                 Publish, Record, PublisherPaused, Read, Claim, JoinMulticast, SourceReady, SourceFailed, SourceMoved,
                 Playing, ReaderPaused, Release, Pong, RingTooSmall, DescriptionChanged, StrayDatagram, HeardAll,
                 HandOver, Welcome, Settings, Certificate, Drain, StreamSettings, Described, Redirected, Refused,
                 Admitted, PublishGranted, Recorded, Claimed, ReadGranted, MulticastGranted, SendMulticast,
                 StopMulticast, StartSource, StopSource, StartMuxer, StopMuxer, MuxerGranted, MuxerWithdrawn,
                 ForgetVerdicts, StrayOffer, RingReplaced, RingKept, StreamEnded, Ping, Kick, Shutdown>;

// Their bytes are wiped where they were copied to.
inline bool may_hold_secrets(const Message &message) {
  return std::holds_alternative<Authorize>(message) || std::holds_alternative<Describe>(message) ||
         std::holds_alternative<Admit>(message) || std::holds_alternative<Publish>(message) ||
         std::holds_alternative<Read>(message) || std::holds_alternative<HandOver>(message) ||
         std::holds_alternative<Certificate>(message) || std::holds_alternative<StartSource>(message) ||
         std::holds_alternative<SourceMoved>(message);
}

template <class A> void visit(A &a, SlotSet &m) {
  a(m.bits);
}
template <class A> void visit(A &a, RtspSettings &m) {
  a(m.tcp), a(m.udp), a(m.multicast), a(m.rtp_port), a(m.rtcp_port), a(m.rtp_address), a(m.rtcp_address);
  a(m.multicast_base);
}
template <class A> void visit(A &a, HlsSettings &m) {
  a(m.variant), a(m.segment_count), a(m.segment_duration_ns), a(m.part_duration_ns), a(m.segment_max_bytes);
  a(m.allow_origin), a(m.trusted_proxies);
}
template <class A> void visit(A &a, WorkerSettings &m) {
  a(m.read_timeout_ns), a(m.write_timeout_ns), a(m.max_sessions), a(m.log_level), a(m.peers), a(m.reports_connections);
  a(m.max_input_bytes), a(m.rtsp), a(m.hls);
}
template <class A> void visit(A &a, Credentials &m) {
  a(m.method), a(m.url), a(m.authorization);
}
template <class A> void visit(A &a, Hello &m) {
  a(m.version), a(m.epoch), a(m.pid);
}
template <class A> void visit(A &a, LogLine &m) {
  a(m.level), a(m.text);
}
template <class A> void visit(A &a, Authorize &m) {
  a(m.request), a(m.path), a(m.query), a(m.client), a(m.credentials);
}
template <class A> void visit(A &a, Mux &m) {
  a(m.request), a(m.path), a(m.client);
}
template <class A> void visit(A &a, MuxerReady &m) {
  a(m.muxer);
}
template <class A> void visit(A &a, MuxerEnded &m) {
  a(m.muxer), a(m.refusal), a(m.reason);
}
template <class A> void visit(A &a, MuxerUsed &m) {
  a(m.muxer);
}
template <class A> void visit(A &a, StartMuxer &m) {
  a(m.muxer), a(m.path), a(m.resumes);
}
template <class A> void visit(A &a, StopMuxer &m) {
  a(m.muxer);
}
template <class A> void visit(A &a, MuxerGranted &m) {
  a(m.request), a(m.muxer);
}
template <class A> void visit(A &a, MuxerWithdrawn &m) {
  a(m.muxer);
}
template <class A> void visit(A &, ForgetVerdicts &) {}
template <class A> void visit(A &a, Describe &m) {
  a(m.request), a(m.path), a(m.query), a(m.client), a(m.credentials);
}
template <class A> void visit(A &a, Connected &m) {
  a(m.connection), a(m.token), a(m.client), a(m.tls);
}
template <class A> void visit(A &a, Closed &m) {
  a(m.connection);
}
template <class A> void visit(A &a, Admit &m) {
  a(m.request), a(m.session), a(m.log_id), a(m.tls), a(m.path), a(m.query), a(m.client), a(m.credentials);
}
template <class A> void visit(A &a, Publish &m) {
  a(m.request), a(m.session), a(m.log_id), a(m.tls), a(m.path), a(m.query), a(m.client), a(m.credentials),
      a(m.description);
}
template <class A> void visit(A &a, Record &m) {
  a(m.request), a(m.session);
}
template <class A> void visit(A &a, PublisherPaused &m) {
  a(m.session);
}
template <class A> void visit(A &a, Read &m) {
  a(m.request), a(m.session), a(m.log_id), a(m.tls), a(m.path), a(m.query), a(m.client), a(m.credentials);
}
template <class A> void visit(A &a, Claim &m) {
  a(m.request), a(m.session), a(m.publishes), a(m.path), a(m.addresses), a(m.in_use);
}
template <class A> void visit(A &a, Claimed &m) {
  a(m.request);
}
template <class A> void visit(A &a, JoinMulticast &m) {
  a(m.request), a(m.session), a(m.interface);
}
template <class A> void visit(A &a, SourceReady &m) {
  a(m.request), a(m.source), a(m.description);
}
template <class A> void visit(A &a, SourceFailed &m) {
  a(m.source), a(m.reason);
}
template <class A> void visit(A &a, SourceMoved &m) {
  a(m.source), a(m.url);
}
template <class A> void visit(A &a, Playing &m) {
  a(m.session);
}
template <class A> void visit(A &a, ReaderPaused &m) {
  a(m.session);
}
template <class A> void visit(A &a, Release &m) {
  a(m.session), a(m.path), a(m.traffic);
}
template <class A> void visit(A &a, Pong &m) {
  a(m.stamp);
}
template <class A> void visit(A &a, Ping &m) {
  a(m.stamp);
}
template <class A> void visit(A &a, RingTooSmall &m) {
  a(m.stream), a(m.wanted_bytes);
}
template <class A> void visit(A &a, DescriptionChanged &m) {
  a(m.stream), a(m.description);
}
template <class A> void visit(A &a, HandOver &m) {
  a(m.slot), a(m.session), a(m.received_bytes), a(m.failures), a(m.token), a(m.unread);
}
template <class A> void visit(A &a, Welcome &m) {
  a(m.epoch), a(m.slot), a(m.doorbells), a(m.listeners), a(m.tls_listeners), a(m.udp_bases), a(m.settings);
}
template <class A> void visit(A &a, Settings &m) {
  a(m.listeners), a(m.tls_listeners), a(m.udp_bases), a(m.settings);
}
template <class A> void visit(A &a, Certificate &m) {
  a(m.chain), a(m.key), a(m.ticket_keys);
}
template <class A> void visit(A &, Drain &) {}
template <class A> void visit(A &a, StreamSettings &m) {
  a(m.stream), a(m.coalesce_ns), a(m.merge_ns), a(m.absolute_time);
}
template <class A> void visit(A &a, Redirected &m) {
  a(m.request), a(m.location);
}
template <class A> void visit(A &a, Described &m) {
  a(m.request), a(m.description);
}
template <class A> void visit(A &a, Refused &m) {
  a(m.request), a(m.refusal), a(m.reason), a(m.challenges);
}
template <class A> void visit(A &a, PublishGranted &m) {
  a(m.request), a(m.stream), a(m.ring_index), a(m.coalesce_ns), a(m.merge_ns), a(m.absolute_time), a(m.continues);
  a(m.max_ring_bytes);
}
template <class A> void visit(A &a, Admitted &m) {
  a(m.request);
}
template <class A> void visit(A &a, Recorded &m) {
  a(m.request);
}
template <class A> void visit(A &a, ReadGranted &m) {
  a(m.request), a(m.stream), a(m.ring_index), a(m.from_key_frame);
}
template <class A> void visit(A &a, MulticastGranted &m) {
  a(m.request), a(m.groups), a(m.rtp_port), a(m.rtcp_port), a(m.ttl);
}
template <class A> void visit(A &a, SendMulticast &m) {
  a(m.stream), a(m.ring_index), a(m.groups), a(m.rtp_port), a(m.rtcp_port), a(m.ttl), a(m.interfaces);
}
template <class A> void visit(A &a, StopMulticast &m) {
  a(m.stream);
}
template <class A> void visit(A &a, StartSource &m) {
  a(m.source), a(m.path), a(m.url), a(m.addresses), a(m.transport), a(m.any_port), a(m.fingerprint);
}
template <class A> void visit(A &a, StopSource &m) {
  a(m.source);
}
template <class A> void visit(A &a, RingReplaced &m) {
  a(m.stream);
}
template <class A> void visit(A &a, StrayDatagram &m) {
  a(m.address), a(m.rtcp), a(m.payload_type), a(m.ssrc);
}
template <class A> void visit(A &a, HeardAll &m) {
  a(m.session);
}
template <class A> void visit(A &a, StrayOffer &m) {
  a(m.session), a(m.alone), a(m.datagram);
}
template <class A> void visit(A &a, RingKept &m) {
  a(m.stream);
}
template <class A> void visit(A &a, StreamEnded &m) {
  a(m.stream);
}
template <class A> void visit(A &a, Kick &m) {
  a(m.session), a(m.reason), a(m.connection);
}
template <class A> void visit(A &, Shutdown &) {}

} // namespace sluice::control
