// What the state machine of paths is told, and what it wants done.
#pragma once

#include "common/base/log.h"
#include "ipc/control/messages.h"
#include "supervisor/config/protocol.h"
#include "supervisor/paths/rules.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::paths {

using control::RequestId;
using control::SessionId;
using control::SourceId;
using control::StreamId;
using SlotIndex = uint16_t;     // of the worker that an event comes from, an effect goes to
using CommandNumber = uint64_t; // of a running command; never reused, 0 = none

// Whose session it is, as logs and API name it.
struct Client {
  uint32_t log_id = 0;
  bool tls = false;
  config::Protocol protocol = config::Protocol::Rtsp;
  std::string address; // "host:port"

  bool operator==(const Client &) const = default;
};

// --- events ---

// A request of the worker in `slot`, whose client was authorised. Of the messages those that concern paths:
// Describe, Publish, Record, PublisherPaused, Read, Playing, ReaderPaused, Release, DescriptionChanged.
struct FromWorker {
  SlotIndex slot = 0;
  control::Message message;
  config::Protocol protocol = config::Protocol::Rtsp; // of the slot
};
// The worker of a slot died: its sessions are over.
struct WorkerGone {
  SlotIndex slot = 0;
};
// An OpenStream or GrantRead could not be carried out.
struct GrantFailed {
  SlotIndex slot = 0;
  RequestId request = 0;
  SessionId session = 0; // or
  SourceId source = 0;   // whose stream it was to be
  std::string reason;
};
// A source was reached and set up, by the worker in `slot`; the request is answered with PublishGranted.
struct SourceUp {
  SlotIndex slot = 0;
  SourceId source = 0;
  RequestId request = 0;
  media::StreamDescription description;
};
// A source ended by itself. `at_once`: it was our own doing (its worker died), so there is nothing to wait for.
struct SourceDown {
  SourceId source = 0;
  std::string reason;
  bool at_once = false;
};
// A source that was up was sent elsewhere by its server. It is being reached there: SourceUp or SourceDown follows.
struct SourceMoved {
  SourceId source = 0;
};
// The configuration is another one, or is there for the first time.
struct RulesChanged {};
// next_deadline() has come.
struct TimePassed {};
using Event =
    std::variant<FromWorker, WorkerGone, GrantFailed, SourceUp, SourceDown, SourceMoved, RulesChanged, TimePassed>;

// --- effects, to be carried out in order ---

struct Send {
  SlotIndex slot = 0;
  control::Message message;
};
// Make the stream's ring, or hand on the one there is to its new writer, and answer with PublishGranted, read-write.
struct OpenStream {
  SlotIndex slot = 0;
  RequestId request = 0;
  SessionId session = 0; // or
  SourceId source = 0;
  StreamId stream = 0;
  std::string path;
  media::StreamDescription description;
  Nanoseconds coalesce = 0, merge = 0;
  bool absolute_time = false;
  bool continues = false; // the ring is there; its former writer is dead, or done with it
};
// Answer with ReadGranted, read-only.
struct GrantRead {
  SlotIndex slot = 0;
  RequestId request = 0;
  SessionId session = 0;
  StreamId stream = 0;
  bool from_key_frame = false;
};
// The slot has its first reader of the stream, or none any more.
struct Subscribe {
  StreamId stream = 0;
  SlotIndex slot = 0;
};
struct Unsubscribe {
  StreamId stream = 0;
  SlotIndex slot = 0;
};
// The ring is not needed any more.
struct CloseStream {
  StreamId stream = 0;
};

// Have some worker pull a stream. Until SourceDown or EndSource.
struct PullSource {
  SourceId source = 0;
  std::string path;
  PullRule rule;
  std::optional<SlotIndex> slot; // if it still can: that has the stream, which waits for its source
};
struct EndSource {
  SourceId source = 0;
};

// The path's stream can be read, or no more.
struct PathReady {
  std::string path;
};
struct PathNotReady {
  std::string path;
};

enum class Hook : uint8_t { OnInit, OnDemand, OnReady, OnRead };
struct RunCommand {
  CommandNumber number = 0;
  Hook hook = Hook::OnInit;
  std::string path;
  Client client; // of OnRead
  CommandRule rule;
  std::vector<std::string> groups;
};
struct EndCommand {
  CommandNumber number = 0;
};

struct Log {
  std::string path, text; // "[path x] text"
  LogLevel level = LogLevel::Info;
};
using Effect = std::variant<Send, OpenStream, GrantRead, Subscribe, Unsubscribe, CloseStream, PullSource, EndSource,
                            PathReady, PathNotReady, RunCommand, EndCommand, Log>;
using Effects = std::vector<Effect>;

// --- what there is, for the API ---

struct PathInfo {
  enum class Source : uint8_t { None, Session, Pulled, Redirect };
  std::string name, entry;
  Source source = Source::None;
  Client publisher;                                          // of Source::Session; log_id 0 while it is awaited
  config::Protocol pulled_protocol = config::Protocol::Rtsp; // of Source::Pulled
  StreamId stream = 0;                                       // 0: none
  bool ready = false;
  Nanoseconds ready_since = 0; // if it is
  std::vector<media::Codec> codecs;
  std::vector<Client> readers;
};

} // namespace sluice::paths
