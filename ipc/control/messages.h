// Every message of the control channel between the supervisor and a worker, in one place. Requests carry
// an id chosen by the worker and are answered once, by one of the messages named beside them. Descriptors
// travel beside the message, in the order stated; `none` where nothing is stated.
#pragma once

#include "common/base/codec.h"
#include "common/media/stream_description.h"

#include <variant>

namespace sluice::control {

constexpr uint32_t kVersion = 1;
constexpr size_t kMaxMessageBytes = 264 * 1024; // a HandOver with a full input buffer fits
constexpr size_t kMaxDescriptors = 128;

using RequestId = uint64_t;
using SessionId = uint64_t; // session ids carry their slot: see shm/session_table.h
using StreamId = uint64_t;  // one publication of a path; never reused

// Settings of a worker, from the configuration.
struct WorkerSettings {
  bool tcp = true, udp = true; // `protocols`
  int64_t read_timeout_ns = 0;
  int64_t write_timeout_ns = 0;
  uint32_t max_sessions = 0; // per slot
  uint16_t rtp_port = 0, rtcp_port = 0;
  std::string rtp_address, rtcp_address; // to bind connected sockets to: "host:port", host may be empty
  uint8_t log_level = 1;
};

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

// Described or Refused.
struct Describe {
  RequestId request = 0;
  std::string path, client;
};

// PublishGranted or Refused. An existing publisher of the path is kicked.
struct Publish {
  RequestId request = 0;
  SessionId session = 0;
  std::string path, client;
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

// ReadGranted or Refused.
struct Read {
  RequestId request = 0;
  SessionId session = 0;
  std::string path, client;
};

// The session is over. Unknown ids are ignored.
struct Release {
  SessionId session = 0;
};

// The writer's ring should hold `wanted_bytes`; RingReplaced comes if it is granted.
struct RingTooSmall {
  StreamId stream = 0;
  uint64_t wanted_bytes = 0;
};

// Parameter sets seen in-band differ from those announced.
struct DescriptionChanged {
  StreamId stream = 0;
  media::StreamDescription description;
};

// --- in both directions ---

// A connection whose client named a session of another slot; goes to that slot. fd: the connection.
struct HandOver {
  uint16_t slot = 0;
  SessionId session = 0;
  uint64_t received_bytes = 0;
  ByteVector unread;
};

// --- from the supervisor ---

// fds: session table, doorbell board, then `listeners` TCP listeners, then `udp_bases` base sockets of the
// UDP ports (only to the slot that drains them), then the doorbells of all slots in order.
struct Welcome {
  uint64_t epoch = 0;
  uint16_t slot = 0, slots = 0, listeners = 0, udp_bases = 0;
  WorkerSettings settings;
};

struct Described {
  RequestId request = 0;
  media::StreamDescription description;
};

enum class Refusal : uint8_t {
  BadRequest,  // invalid or unconfigured path, or what the path's state forbids
  NoPublisher, // no one is publishing to the path
  Unavailable, // a bound was reached
};
inline bool is_valid(Refusal refusal) {
  return refusal <= Refusal::Unavailable;
}

struct Refused {
  RequestId request = 0;
  Refusal refusal = Refusal::BadRequest;
  std::string reason;
};

// fd: the stream's ring, read-write.
struct PublishGranted {
  RequestId request = 0;
  StreamId stream = 0;
  uint16_t ring_index = 0;
  int64_t coalesce_ns = 0, merge_ns = 0;
  uint64_t max_ring_bytes = 0;
};

struct Recorded {
  RequestId request = 0;
};

// fd: the stream's ring, read-only.
struct ReadGranted {
  RequestId request = 0;
  StreamId stream = 0;
  uint16_t ring_index = 0;
};

// The next generation of a ring. fd: read-write to the writer's slot, where it serves readers too, else read-only.
struct RingReplaced {
  StreamId stream = 0;
};

// The stream is over; its ring gets no more entries. Its sessions in this worker are kicked one by one.
struct StreamEnded {
  StreamId stream = 0;
};

struct Kick {
  SessionId session = 0;
  std::string reason;
};

// Close all sessions in order, then exit.
struct Shutdown {};

using Message = std::variant<Hello, LogLine, Describe, Publish, Record, PublisherPaused, Read, Release, RingTooSmall,
                             DescriptionChanged, HandOver, Welcome, Described, Refused, PublishGranted, Recorded,
                             ReadGranted, RingReplaced, StreamEnded, Kick, Shutdown>;

template <class A> void visit(A &a, WorkerSettings &m) {
  a(m.tcp), a(m.udp), a(m.read_timeout_ns), a(m.write_timeout_ns), a(m.max_sessions), a(m.rtp_port), a(m.rtcp_port);
  a(m.rtp_address), a(m.rtcp_address), a(m.log_level);
}
template <class A> void visit(A &a, Hello &m) {
  a(m.version), a(m.epoch), a(m.pid);
}
template <class A> void visit(A &a, LogLine &m) {
  a(m.level), a(m.text);
}
template <class A> void visit(A &a, Describe &m) {
  a(m.request), a(m.path), a(m.client);
}
template <class A> void visit(A &a, Publish &m) {
  a(m.request), a(m.session), a(m.path), a(m.client), a(m.description);
}
template <class A> void visit(A &a, Record &m) {
  a(m.request), a(m.session);
}
template <class A> void visit(A &a, PublisherPaused &m) {
  a(m.session);
}
template <class A> void visit(A &a, Read &m) {
  a(m.request), a(m.session), a(m.path), a(m.client);
}
template <class A> void visit(A &a, Release &m) {
  a(m.session);
}
template <class A> void visit(A &a, RingTooSmall &m) {
  a(m.stream), a(m.wanted_bytes);
}
template <class A> void visit(A &a, DescriptionChanged &m) {
  a(m.stream), a(m.description);
}
template <class A> void visit(A &a, HandOver &m) {
  a(m.slot), a(m.session), a(m.received_bytes), a(m.unread);
}
template <class A> void visit(A &a, Welcome &m) {
  a(m.epoch), a(m.slot), a(m.slots), a(m.listeners), a(m.udp_bases), a(m.settings);
}
template <class A> void visit(A &a, Described &m) {
  a(m.request), a(m.description);
}
template <class A> void visit(A &a, Refused &m) {
  a(m.request), a(m.refusal), a(m.reason);
}
template <class A> void visit(A &a, PublishGranted &m) {
  a(m.request), a(m.stream), a(m.ring_index), a(m.coalesce_ns), a(m.merge_ns), a(m.max_ring_bytes);
}
template <class A> void visit(A &a, Recorded &m) {
  a(m.request);
}
template <class A> void visit(A &a, ReadGranted &m) {
  a(m.request), a(m.stream), a(m.ring_index);
}
template <class A> void visit(A &a, RingReplaced &m) {
  a(m.stream);
}
template <class A> void visit(A &a, StreamEnded &m) {
  a(m.stream);
}
template <class A> void visit(A &a, Kick &m) {
  a(m.session), a(m.reason);
}
template <class A> void visit(A &, Shutdown &) {}

} // namespace sluice::control
