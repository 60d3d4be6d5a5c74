// The requests of workers.
#include "supervisor/paths/paths.h"

#include "common/base/check.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace sluice::paths {
namespace {

const std::string kTooManySessions = "too many sessions";
const std::string kSessionInUse = "the session is in use already";

} // namespace

// Nobody waits for their answers any more.
template <class F> void Paths::drop_held(F &&which) {
  if (held_ == 0) return;
  for (auto &[name, path] : paths_) {
    size_t dropped = std::erase_if(path.held, which);
    held_ -= dropped;
    if (dropped > 0) unused_.push_back(name);
  }
}

Effects Paths::on_event(const Event &event, Nanoseconds now) {
  CHECK(effects_.empty());
  now_ = now;
  if (const auto *from = std::get_if<FromWorker>(&event)) {
    protocol_ = from->protocol;
    std::visit(
        [&](const auto &message) {
          if constexpr (requires { this->on(from->slot, message); }) this->on(from->slot, message);
        },
        from->message);
  } else if (const auto *gone = std::get_if<WorkerGone>(&event)) {
    on_worker_gone(gone->slot);
  } else if (const auto *failed = std::get_if<GrantFailed>(&event)) {
    on_grant_failed(*failed);
  } else if (const auto *up = std::get_if<SourceUp>(&event)) {
    on_source_up(*up);
  } else if (const auto *down = std::get_if<SourceDown>(&event)) {
    on_source_down(*down);
  } else if (const auto *moved = std::get_if<SourceMoved>(&event)) {
    on_source_moved(*moved);
  } else if (std::holds_alternative<RulesChanged>(event)) {
    on_rules_changed();
  } else {
    on_time();
  }
  sweep();
  return std::exchange(effects_, {});
}

template <class Request> Client Paths::client_of(const Request &request) const {
  return {request.log_id, request.tls, protocol_, request.client};
}

// The path's instance, made if it is the first to ask for it. Null: refused.
Paths::NamedPath *Paths::enter(SlotIndex slot, RequestId request, const std::string &name) {
  auto found = paths_.find(name);
  if (found == paths_.end()) {
    auto rules = rules_.rules_for(name);
    if (!rules) {
      refuse(slot, request, control::Refusal::BadRequest, rules.error().message);
      return nullptr;
    }
    return &create_path(name, std::move(*rules));
  }
  unused_.push_back(name);
  return &*found;
}

void Paths::on(SlotIndex slot, const control::Describe &describe) {
  NamedPath *path = enter(slot, describe.request, describe.path);
  if (path == nullptr) return;
  const PathRules &rules = path->second.rules;
  const Stream *stream = stream_of(path->second);
  if (rules.source == SourceKind::Redirect) {
    effects_.push_back(Send{slot, control::Redirected{describe.request, rules.redirect}});
  } else if (stream != nullptr && (stream->ready || (stream->kept && rules.fallback.empty()))) {
    effects_.push_back(Send{slot, control::Described{describe.request, stream->description}});
  } else if (rules.on_demand_at_all() && (stream == nullptr || !stream->kept)) {
    hold(*path, {slot, describe.request, 0, {}});
  } else if (!rules.fallback.empty()) {
    effects_.push_back(Send{slot, control::Redirected{describe.request, rules.fallback}});
  } else {
    refuse_no_publisher(slot, describe.request, describe.path);
  }
}

// What of the path's rules and state keeps anybody from publishing to it.
std::optional<std::string> Paths::why_not(const std::string &name, const Path &path) {
  if (path.rules.source != SourceKind::Publisher)
    return "can't publish to path '" + name + "' since 'source' is not 'publisher'";
  const Stream *stream = stream_of(path);
  if (stream != nullptr && stream->publisher != 0 && !path.rules.publisher_override)
    return "someone is already publishing to path '" + name + "'";
  return std::nullopt;
}

// Things may be otherwise by the time of its Publish.
void Paths::on(SlotIndex slot, const control::Admit &admit) {
  NamedPath *path = enter(slot, admit.request, admit.path);
  if (path == nullptr) return;
  if (auto reason = why_not(admit.path, path->second))
    return refuse(slot, admit.request, control::Refusal::BadRequest, *reason);
  effects_.push_back(Send{slot, control::Admitted{admit.request}});
}

void Paths::on(SlotIndex slot, const control::Publish &publish) {
  NamedPath *path = enter(slot, publish.request, publish.path);
  if (path == nullptr) return;
  auto refuse_bad = [&](std::string reason) {
    refuse(slot, publish.request, control::Refusal::BadRequest, std::move(reason));
  };
  if (sessions_.contains(publish.session)) return refuse_bad(kSessionInUse);
  if (auto reason = why_not(publish.path, path->second)) return refuse_bad(*reason);
  if (is_full(slot)) return refuse(slot, publish.request, control::Refusal::Unavailable, kTooManySessions);
  const Stream *stream = stream_of(path->second);
  if (stream != nullptr && stream->publisher == 0) {
    if (stream->announced == publish.description) return continue_stream(*path, slot, publish);
    end_stream(path->second.stream);
  } else if (stream != nullptr) {
    effects_.push_back(Log{publish.path, "closing existing publisher"});
    kick_publisher(path->second.stream);
  }
  if (streams_.size() >= kMaxStreams)
    return refuse(slot, publish.request, control::Refusal::Unavailable, "too many streams");
  open_stream(*path, slot, publish);
}

void Paths::open_stream(NamedPath &path, SlotIndex slot, const control::Publish &publish) {
  StreamId id = next_stream_++;
  Stream stream;
  stream.path = path.first;
  stream.publisher = publish.session;
  stream.slot = slot;
  stream.announced = stream.description = publish.description;
  streams_.emplace(id, std::move(stream));
  path.second.stream = id;
  add_session(publish.session, {slot, Role::Publishing, id, client_of(publish)});
  const PathRules &rules = path.second.rules;
  effects_.push_back(OpenStream{slot, publish.request, publish.session, 0, id, path.first, publish.description,
                                rules.write_coalesce, rules.write_merge, rules.absolute_time, false});
}

// The publisher whose worker died is back, with the same tracks: its readers never left.
void Paths::continue_stream(NamedPath &path, SlotIndex slot, const control::Publish &publish) {
  StreamId id = path.second.stream;
  Stream &stream = streams_.at(id);
  stream.publisher = publish.session;
  stream.slot = slot;
  continued_++;
  set_deadline(stream.return_deadline, std::nullopt);
  add_session(publish.session, {slot, Role::Publishing, id, client_of(publish)});
  const PathRules &rules = path.second.rules;
  effects_.push_back(OpenStream{slot, publish.request, publish.session, 0, id, path.first, publish.description,
                                rules.write_coalesce, rules.write_merge, rules.absolute_time, true});
}

void Paths::on(SlotIndex slot, const control::Record &record) {
  Stream *stream = stream_of_publisher(slot, record.session);
  if (stream == nullptr)
    return refuse(slot, record.request, control::Refusal::BadRequest, "publisher is not assigned to this path anymore");
  effects_.push_back(Send{slot, control::Recorded{record.request}});
  if (!stream->ready) become_ready(path_of(*stream));
}

void Paths::on(SlotIndex slot, const control::PublisherPaused &paused) {
  Stream *stream = stream_of_publisher(slot, paused.session);
  if (stream == nullptr || !stream->ready) return;
  StreamId id = sessions_.at(paused.session).stream;
  NamedPath &path = path_of(*stream);
  bool on_demand = path.second.demand != Demand::Initial;
  become_not_ready(path);
  kick_readers(id, *stream);
  if (on_demand) kick_publisher(id); // its command is being stopped
}

void Paths::on(SlotIndex slot, const control::Read &read) {
  NamedPath *path = enter(slot, read.request, read.path);
  if (path == nullptr) return;
  auto known = sessions_.find(read.session);
  if (known != sessions_.end() && (known->second.role != Role::Reading || known->second.stream != path->second.stream ||
                                   known->second.slot != slot))
    return refuse(slot, read.request, control::Refusal::BadRequest, kSessionInUse);
  Held reader{slot, read.request, read.session, client_of(read)};
  const Stream *stream = stream_of(path->second);
  if (stream != nullptr && stream->readable()) return grant_read(*path, reader);
  if (path->second.rules.on_demand_at_all()) return hold(*path, reader);
  refuse_no_publisher(slot, read.request, read.path);
}

// The stream is readable.
void Paths::grant_read(NamedPath &path, const Held &reader) {
  StreamId id = path.second.stream;
  Stream &stream = streams_.at(id);
  auto known = sessions_.find(reader.session);
  if (known != sessions_.end() && (known->second.role != Role::Reading || known->second.stream != id))
    return refuse(reader.slot, reader.request, control::Refusal::BadRequest, kSessionInUse); // since it was held
  if (known == sessions_.end()) {
    if (is_full(reader.slot))
      return refuse(reader.slot, reader.request, control::Refusal::Unavailable, kTooManySessions);
    add_session(reader.session, {reader.slot, Role::Reading, id, reader.client});
    stream.readers.insert(reader.session);
    if (stream.readers_by_slot[reader.slot]++ == 0) effects_.push_back(Subscribe{id, reader.slot});
  }
  if (path.second.demand == Demand::Closing) {
    path.second.demand = Demand::Ready;
    set_deadline(path.second.deadline, std::nullopt);
  }
  effects_.push_back(
      GrantRead{reader.slot, reader.request, reader.session, id, path.second.rules.readers_start_at_key_frame});
}

void Paths::on(SlotIndex slot, const control::Playing &playing) {
  auto found = sessions_.find(playing.session);
  if (found == sessions_.end() || found->second.slot != slot || found->second.role != Role::Reading) return;
  Session &session = found->second;
  session.playing = true;
  NamedPath &path = path_of(streams_.at(session.stream));
  if (session.read_command == 0) run(session.read_command, Hook::OnRead, path, path.second.rules.on_read, &session);
}

void Paths::on(SlotIndex slot, const control::ReaderPaused &paused) {
  auto found = sessions_.find(paused.session);
  if (found == sessions_.end() || found->second.slot != slot) return;
  found->second.playing = false;
  end(found->second.read_command);
}

void Paths::on(SlotIndex slot, const control::Release &release_message) {
  drop_held([&](const Held &held) { return held.session == release_message.session && held.slot == slot; });
  auto session = sessions_.find(release_message.session);
  if (session != sessions_.end() && session->second.slot == slot) release(release_message.session);
}

void Paths::on(SlotIndex slot, const control::DescriptionChanged &changed) {
  auto stream = streams_.find(changed.stream);
  if (stream == streams_.end() || stream->second.slot != slot || !stream->second.has_writer()) return;
  if (stream->second.description.tracks.size() != changed.description.tracks.size()) return;
  stream->second.description = changed.description;
}

void Paths::on_worker_gone(SlotIndex slot) {
  drop_held([&](const Held &held) { return held.slot == slot; });
  std::vector<SessionId> readers, others;
  for (const auto &[id, session] : sessions_)
    if (session.slot == slot) (session.role == Role::Reading ? readers : others).push_back(id);
  for (SessionId id : readers) release(id); // first, so that nobody is kicked who is gone
  for (SessionId id : others) {
    Session session = sessions_.at(id);
    auto stream = streams_.find(session.stream);
    Nanoseconds grace = 0;
    if (session.role == Role::Publishing && stream->second.ready)
      grace = path_of(stream->second).second.rules.restart_grace;
    if (grace == 0) {
      release(id);
      continue;
    }
    stream->second.publisher = 0;
    set_deadline(stream->second.return_deadline, now_ + grace);
    forget_session(id);
  }
}

void Paths::on_grant_failed(const GrantFailed &failed) {
  refuse(failed.slot, failed.request, control::Refusal::Unavailable, failed.reason);
  if (failed.source == 0) return release(failed.session);
  if (NamedPath *path = path_of_source(failed.source)) end_source(*path, failed.reason, 0);
}

void Paths::refuse(SlotIndex slot, RequestId request, control::Refusal refusal, std::string reason) {
  control::Refused refused;
  refused.request = request;
  refused.refusal = refusal;
  refused.reason = std::move(reason);
  effects_.push_back(Send{slot, std::move(refused)});
}

void Paths::refuse_no_publisher(SlotIndex slot, RequestId request, const std::string &path) {
  refuse(slot, request, control::Refusal::NoPublisher, "no one is publishing to path '" + path + "'");
}

Paths::Stream *Paths::stream_of(const Path &path) {
  return path.stream == 0 ? nullptr : &streams_.at(path.stream);
}

Paths::Stream *Paths::stream_of_publisher(SlotIndex slot, SessionId id) {
  auto session = sessions_.find(id);
  if (session == sessions_.end() || session->second.slot != slot || session->second.role != Role::Publishing)
    return nullptr;
  return &streams_.at(session->second.stream);
}

std::optional<Paths::Reading> Paths::reading(SlotIndex slot, SessionId id) const {
  auto session = sessions_.find(id);
  if (session == sessions_.end() || session->second.slot != slot || session->second.role != Role::Reading)
    return std::nullopt;
  StreamId stream = session->second.stream;
  return Reading{stream, streams_.at(stream).announced.tracks.size()};
}

std::string Paths::path_of(StreamId stream) const {
  auto found = streams_.find(stream);
  return found == streams_.end() ? "" : found->second.path;
}

std::optional<Paths::Part> Paths::part_of(SlotIndex slot, SessionId id) const {
  auto session = sessions_.find(id);
  if (session == sessions_.end() || session->second.slot != slot) return std::nullopt;
  auto stream = streams_.find(session->second.stream);
  if (stream == streams_.end() || session->second.role == Role::Displaced) return std::nullopt;
  return Part{stream->second.path, session->second.role == Role::Publishing};
}

void Paths::remove_reader(SessionId id) {
  Session &session = sessions_.at(id);
  Stream &stream = streams_.at(session.stream);
  end(session.read_command);
  stream.readers.erase(id);
  if (--stream.readers_by_slot.at(session.slot) == 0) {
    stream.readers_by_slot.erase(session.slot);
    effects_.push_back(Unsubscribe{session.stream, session.slot});
  }
  Path &path = path_of(stream).second;
  if (path.demand != Demand::Ready || !stream.readers.empty()) return;
  path.demand = Demand::Closing;
  set_deadline(path.deadline, now_ + path.rules.close_after);
}

void Paths::release(SessionId id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  switch (found->second.role) {
  case Role::Reading:
    remove_reader(id);
    break;
  case Role::Publishing:
    end_stream(found->second.stream);
    break;
  case Role::Displaced:
    break;
  }
  forget_session(id);
}

bool Paths::is_full(SlotIndex slot) const {
  auto count = sessions_by_slot_.find(slot);
  return count != sessions_by_slot_.end() && count->second >= max_sessions_;
}

void Paths::add_session(SessionId id, const Session &session) {
  sessions_.emplace(id, session);
  sessions_by_slot_[session.slot]++;
}

void Paths::forget_session(SessionId id) {
  auto found = sessions_.find(id);
  sessions_by_slot_.at(found->second.slot)--;
  sessions_.erase(found);
}

} // namespace sluice::paths
