// Which publisher owns which path, who reads what, and what follows when one of them comes, goes or dies. Pure:
// events in, effects out; performs nothing, knows no processes, rings or sockets. Streams are numbered here.
#pragma once

#include "common/base/result.h"
#include "ipc/control/messages.h"

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace sluice::paths {

using control::RequestId;
using control::SessionId;
using control::StreamId;
using SlotIndex = uint16_t; // of the worker that an event comes from, an effect goes to

// What the configuration says about one path.
struct PathRules {
  bool publisher_override = true;
};

struct RuleSource {
  virtual ~RuleSource() = default;
  // Errors are for the client: the name is not valid, the path not configured.
  virtual Result<PathRules> rules_for(const std::string &path) const = 0;
};

// --- events ---

// A request of the worker in `slot`. Of the messages those that concern paths: Describe, Publish, Record,
// PublisherPaused, Read, Release, DescriptionChanged.
struct FromWorker {
  SlotIndex slot = 0;
  control::Message message;
};
// The worker of a slot died: its sessions are over.
struct WorkerGone {
  SlotIndex slot = 0;
};
// An OpenStream or GrantRead could not be carried out.
struct GrantFailed {
  SlotIndex slot = 0;
  RequestId request = 0;
  SessionId session = 0;
  std::string reason;
};
using Event = std::variant<FromWorker, WorkerGone, GrantFailed>;

// --- effects, to be carried out in order ---

struct Send {
  SlotIndex slot = 0;
  control::Message message;
};
// Make the stream's ring and answer with PublishGranted, read-write.
struct OpenStream {
  SlotIndex slot = 0;
  RequestId request = 0;
  SessionId session = 0;
  StreamId stream = 0;
  std::string path;
  media::StreamDescription description;
};
// Answer with ReadGranted, read-only.
struct GrantRead {
  SlotIndex slot = 0;
  RequestId request = 0;
  SessionId session = 0;
  StreamId stream = 0;
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
struct Log {
  std::string path, text; // "[path x] text"
};
using Effect = std::variant<Send, OpenStream, GrantRead, Subscribe, Unsubscribe, CloseStream, Log>;
using Effects = std::vector<Effect>;

constexpr size_t kMaxStreams = 4096; // rings that the doorbell board has room for

class Paths {
public:
  // `max_sessions`: of one slot; more are refused.
  Paths(const RuleSource &rules, size_t max_sessions) : rules_(rules), max_sessions_(max_sessions) {}

  Effects on_event(const Event &event);

  // Nobody publishes, reads or has yet to be told that it is over.
  bool idle() const { return sessions_.empty() && streams_.empty(); }
  size_t streams() const { return streams_.size(); }

private:
  // A displaced publisher stays known until its worker releases it.
  enum class Role : uint8_t { Publishing, Displaced, Reading };
  struct Session {
    SlotIndex slot = 0;
    Role role = Role::Reading;
    StreamId stream = 0;
  };
  struct Stream {
    std::string path;
    SessionId publisher = 0;
    SlotIndex slot = 0;
    media::StreamDescription description;
    bool ready = false;
    std::set<SessionId> readers;
    std::map<SlotIndex, size_t> readers_by_slot;
  };

  void on(SlotIndex slot, const control::Describe &describe);
  void on(SlotIndex slot, const control::Publish &publish);
  void on(SlotIndex slot, const control::Record &record);
  void on(SlotIndex slot, const control::PublisherPaused &paused);
  void on(SlotIndex slot, const control::Read &read);
  void on(SlotIndex slot, const control::Release &release);
  void on(SlotIndex slot, const control::DescriptionChanged &changed);
  void on_worker_gone(SlotIndex slot);

  void refuse(SlotIndex slot, RequestId request, control::Refusal refusal, std::string reason);
  void refuse_no_publisher(SlotIndex slot, RequestId request, const std::string &path);
  Stream *stream_of_path(const std::string &path);
  Stream *stream_of_publisher(SlotIndex slot, SessionId session);
  void displace(StreamId id);
  void kick_readers(StreamId id, Stream &stream);
  void end_stream(StreamId id);
  void remove_reader(SessionId session, StreamId id);
  void release(SessionId session);

  bool is_full(SlotIndex slot) const;
  void add_session(SessionId id, const Session &session);
  void forget_session(SessionId id);

  const RuleSource &rules_;
  size_t max_sessions_;
  std::map<std::string, StreamId> owners_; // the one stream of a path
  std::map<StreamId, Stream> streams_;
  std::map<SessionId, Session> sessions_;
  std::map<SlotIndex, size_t> sessions_by_slot_;
  StreamId next_stream_ = 1;
  Effects effects_; // of the event under way
};

} // namespace sluice::paths
