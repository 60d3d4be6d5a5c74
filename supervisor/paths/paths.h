// Which publisher or source owns which path, who reads what, and what follows when one of them comes, goes or dies,
// when nobody is there yet, and when the configuration changes. Pure: events and the time in, effects out; performs
// nothing, knows no processes, rings, sockets or clients' credentials. Streams, sources and commands are numbered here.
//
// A path whose command or source runs on demand goes through these states:
//
//   Initial --(DESCRIBE or read)--> Waiting: the command or source runs, requests are held
//   Waiting --(ready)--> Closing, held requests answered    Waiting --(start timeout)--> Initial, they fail
//   Closing --(a reader)--> Ready                           Closing --(close after)--> Initial, the publisher kicked
//   Ready --(its last reader gone)--> Closing               Ready, Closing --(not ready any more)--> Initial
//
// A source that ends is tried again after a pause. Its stream is kept meanwhile, for as long as reconnect_grace says:
// it is not ready, but its readers and the command of runOnReady stay.
#pragma once

#include "supervisor/paths/events.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::paths {

constexpr size_t kMaxStreams = 4096; // rings that the doorbell board has room for
constexpr size_t kMaxHeld = 10'000;  // requests that wait for one path
constexpr Nanoseconds kSourcePause = 5 * kSecond;

class Paths {
public:
  // `max_sessions`: of one slot; more are refused.
  Paths(const RuleSource &rules, size_t max_sessions) : rules_(rules), max_sessions_(max_sessions) {}

  Effects on_event(const Event &event, Nanoseconds now);
  std::optional<Nanoseconds> next_deadline() const;
  void set_max_sessions(size_t max_sessions) { max_sessions_ = max_sessions; }

  std::vector<PathInfo> list() const;
  // What a session of this slot reads.
  struct Reading {
    StreamId stream = 0;
    size_t tracks = 0;
  };
  std::optional<Reading> reading(SlotIndex slot, SessionId session) const;
  // What a session has to do with a path; nothing of one that was displaced or is not known.
  struct Part {
    std::string path;
    bool publishes = false;
  };
  std::optional<Part> part_of(SlotIndex slot, SessionId session) const;
  // Nobody publishes, reads or has yet to be told that it is over.
  bool idle() const { return sessions_.empty() && streams_.empty(); }
  bool exists(const std::string &path) const { return paths_.contains(path); }
  uint64_t continued() const { return continued_; } // streams, by a publisher or source that came back
  std::string path_of(StreamId stream) const;       // empty: there is no such stream
  size_t streams() const { return streams_.size(); }
  size_t paths() const { return paths_.size(); }

private:
  // A displaced publisher stays known until its worker releases it.
  enum class Role : uint8_t { Publishing, Displaced, Reading };
  struct Session {
    SlotIndex slot = 0;
    Role role = Role::Reading;
    StreamId stream = 0;
    Client client;
    bool playing = false;
    CommandNumber read_command = 0;
  };
  struct Stream {
    std::string path;
    // Neither: its worker died or its source ended; it may come back until return_deadline.
    SessionId publisher = 0;
    SourceId source = 0;
    SlotIndex slot = 0;                              // of the writer
    media::StreamDescription announced, description; // the latter with what was learned since
    bool ready = false;
    Nanoseconds ready_since = 0;
    bool kept = false; // not ready, but its readers stay
    std::optional<Nanoseconds> return_deadline;
    bool has_writer() const { return publisher != 0 || source != 0; }
    bool readable() const { return ready || kept; }
    std::set<SessionId> readers;
    std::map<SlotIndex, size_t> readers_by_slot;
  };
  struct Held {
    SlotIndex slot = 0;
    RequestId request = 0;
    SessionId session = 0; // 0: a DESCRIBE
    Client client;
  };
  enum class Demand : uint8_t { Initial, Waiting, Ready, Closing };
  struct Path {
    PathRules rules;
    StreamId stream = 0;
    Demand demand = Demand::Initial;
    std::optional<Nanoseconds> deadline; // of Waiting and Closing
    std::vector<Held> held;
    SourceId source = 0;              // being reached, or the stream's
    std::optional<Nanoseconds> retry; // of a source that ended
    bool pulls() const { return source != 0 || retry; }
    CommandNumber init_command = 0, demand_command = 0, ready_command = 0;
  };
  using NamedPath = std::pair<const std::string, Path>;

  void on(SlotIndex slot, const control::Describe &describe);
  void on(SlotIndex slot, const control::Admit &admit);
  void on(SlotIndex slot, const control::Publish &publish);
  void on(SlotIndex slot, const control::Record &record);
  void on(SlotIndex slot, const control::PublisherPaused &paused);
  void on(SlotIndex slot, const control::Read &read);
  void on(SlotIndex slot, const control::Playing &playing);
  void on(SlotIndex slot, const control::ReaderPaused &paused);
  void on(SlotIndex slot, const control::Release &release);
  void on(SlotIndex slot, const control::DescriptionChanged &changed);
  void on_worker_gone(SlotIndex slot);
  void on_grant_failed(const GrantFailed &failed);
  void on_rules_changed();
  void on_time();

  // paths.cpp
  NamedPath *enter(SlotIndex slot, RequestId request, const std::string &name);
  void refuse(SlotIndex slot, RequestId request, control::Refusal refusal, std::string reason);
  void refuse_no_publisher(SlotIndex slot, RequestId request, const std::string &path);
  std::optional<std::string> why_not(const std::string &name, const Path &path);
  void open_stream(NamedPath &path, SlotIndex slot, const control::Publish &publish);
  void continue_stream(NamedPath &path, SlotIndex slot, const control::Publish &publish);
  void grant_read(NamedPath &path, const Held &reader);
  Stream *stream_of(const Path &path);
  NamedPath &path_of(const Stream &stream) { return *paths_.find(stream.path); }
  Stream *stream_of_publisher(SlotIndex slot, SessionId session);
  template <class Request> Client client_of(const Request &request) const;
  bool is_full(SlotIndex slot) const;
  void add_session(SessionId id, const Session &session);
  void forget_session(SessionId id);
  void release(SessionId session);
  void remove_reader(SessionId session);

  // path_states.cpp
  NamedPath &create_path(const std::string &name, PathRules rules);
  void begin(NamedPath &path);
  void close_path(NamedPath &path, const std::string &reason);
  void sweep();
  void hold(NamedPath &path, const Held &request);
  std::vector<Held> take_held(Path &path);
  template <class F> void drop_held(F &&which);
  void become_ready(NamedPath &path);
  void become_not_ready(NamedPath &path);
  void stop_demand(NamedPath &path);
  void kick_publisher(StreamId id);
  void kick_readers(StreamId id, Stream &stream);
  void end_stream(StreamId id);
  void change_rules(NamedPath &path, PathRules rules);
  void change_stream_settings(const Path &path, const PathRules &before);
  void set_deadline(std::optional<Nanoseconds> &deadline, std::optional<Nanoseconds> value);
  void run(CommandNumber &running, Hook hook, NamedPath &path, const CommandRule &rule,
           const Session *reader = nullptr);
  void end(CommandNumber &running);

  // path_sources.cpp
  void on_source_up(const SourceUp &up);
  void on_source_down(const SourceDown &down);
  void on_source_moved(const SourceMoved &moved);
  NamedPath *path_of_source(SourceId source);
  void start_source(NamedPath &path);
  void stop_source(NamedPath &path);
  void detach_source(NamedPath &path);
  void end_source(NamedPath &path, const std::string &reason, Nanoseconds grace);
  void keep_stream(NamedPath &path, Nanoseconds grace);
  void drop_stream(NamedPath &path);
  void change_source(NamedPath &path, const PathRules &before);
  void log_source(const NamedPath &path, const std::string &text);

  const RuleSource &rules_;
  size_t max_sessions_;
  std::map<std::string, Path> paths_;
  std::map<StreamId, Stream> streams_;
  std::map<SessionId, Session> sessions_;
  std::map<SlotIndex, size_t> sessions_by_slot_;
  std::map<SourceId, std::string> sources_; // under way; their paths
  StreamId next_stream_ = 1;
  SourceId next_source_ = 1;
  CommandNumber next_command_ = 1;
  uint64_t continued_ = 0;
  Nanoseconds now_ = 0;                  // of the event under way, as the rest
  config::Protocol protocol_{};          // of the worker that it comes from
  std::vector<std::string> unused_;      // paths that may have become so
  size_t held_ = 0;                      // on all paths
  std::multiset<Nanoseconds> deadlines_; // of all paths and streams
  Effects effects_;
};

} // namespace sluice::paths
