// What becomes of paths: created and closed, ready and not, on demand, under a changed configuration.
#include "supervisor/paths/paths.h"

#include <algorithm>
#include <utility>

namespace sluice::paths {
namespace {

const std::string kTerminated = "terminated";

} // namespace

Paths::NamedPath &Paths::create_path(const std::string &name, PathRules rules) {
  NamedPath &path = *paths_.emplace(name, Path{}).first;
  path.second.rules = std::move(rules);
  begin(path);
  unused_.push_back(name);
  return path;
}

void Paths::begin(NamedPath &path) {
  const PathRules &rules = path.second.rules;
  effects_.push_back(Log{path.first, "created", LogLevel::Debug});
  run(path.second.init_command, Hook::OnInit, path, rules.on_init);
  if (rules.source == SourceKind::Pulled && !rules.pull_on_demand) start_source(path);
}

// All of it ends; the path itself is for the caller to erase.
void Paths::close_path(NamedPath &path, const std::string &reason) {
  for (const Held &held : take_held(path.second))
    refuse(held.slot, held.request, control::Refusal::BadRequest, kTerminated);
  if (path.second.stream != 0) kick_publisher(path.second.stream);
  stop_demand(path);
  stop_source(path);
  end(path.second.init_command);
  effects_.push_back(Log{path.first, "destroyed (" + reason + ")", LogLevel::Debug});
}

void Paths::sweep() {
  for (const std::string &name : std::exchange(unused_, {})) {
    auto found = paths_.find(name);
    if (found == paths_.end()) continue;
    const Path &path = found->second;
    if (path.rules.permanent || path.stream != 0 || !path.held.empty() || path.demand != Demand::Initial ||
        path.pulls())
      continue;
    close_path(*found, "not in use");
    paths_.erase(found);
  }
}

// --- on demand ---

void Paths::hold(NamedPath &named, const Held &request) {
  Path &path = named.second;
  if (path.held.size() >= kMaxHeld)
    return refuse(request.slot, request.request, control::Refusal::Unavailable,
                  "too many requests wait for path '" + named.first + "'");
  if (path.demand == Demand::Initial) {
    if (path.rules.source == SourceKind::Publisher)
      run(path.demand_command, Hook::OnDemand, named, path.rules.on_demand);
    else
      start_source(named);
    path.demand = Demand::Waiting;
    set_deadline(path.deadline, now_ + path.rules.start_timeout);
  }
  path.held.push_back(request);
  held_++;
}

std::vector<Paths::Held> Paths::take_held(Path &path) {
  held_ -= path.held.size();
  return std::exchange(path.held, {});
}

void Paths::stop_demand(NamedPath &named) {
  Path &path = named.second;
  end(path.demand_command);
  if (path.rules.pull_on_demand) stop_source(named);
  path.demand = Demand::Initial;
  set_deadline(path.deadline, std::nullopt);
}

void Paths::become_ready(NamedPath &named) {
  Path &path = named.second;
  Stream &stream = streams_.at(path.stream);
  stream.ready = true;
  stream.ready_since = now_;
  stream.kept = false;
  if (path.demand == Demand::Waiting) {
    bool on_demand = path.rules.on_demand_at_all(); // not if a reload has it run all the time
    path.demand = on_demand ? Demand::Closing : Demand::Initial;
    set_deadline(path.deadline, on_demand ? std::optional(now_ + path.rules.close_after) : std::nullopt);
  }
  for (const Held &held : take_held(path)) {
    if (held.session != 0)
      grant_read(named, held);
    else
      effects_.push_back(Send{held.slot, control::Described{held.request, stream.description}});
  }
  effects_.push_back(PathReady{named.first});
  if (path.ready_command == 0) run(path.ready_command, Hook::OnReady, named, path.rules.on_ready);
}

void Paths::become_not_ready(NamedPath &named) {
  Path &path = named.second;
  Stream &stream = streams_.at(path.stream);
  stream.ready = stream.kept = false;
  effects_.push_back(PathNotReady{named.first});
  end(path.ready_command);
  if (path.demand == Demand::Ready || path.demand == Demand::Closing) stop_demand(named);
  unused_.push_back(named.first);
}

// --- the end of streams ---

void Paths::kick_publisher(StreamId id) {
  const Stream &stream = streams_.at(id);
  if (stream.publisher != 0) {
    sessions_.at(stream.publisher).role = Role::Displaced;
    effects_.push_back(Send{stream.slot, control::Kick{stream.publisher, kTerminated}});
  }
  end_stream(id);
}

void Paths::kick_readers(StreamId id, Stream &stream) {
  for (SessionId reader : std::exchange(stream.readers, {})) {
    Session &session = sessions_.at(reader);
    end(session.read_command);
    effects_.push_back(Send{session.slot, control::Kick{reader, kTerminated}});
    forget_session(reader);
  }
  for (const auto &[slot, count] : std::exchange(stream.readers_by_slot, {})) effects_.push_back(Unsubscribe{id, slot});
}

void Paths::end_stream(StreamId id) {
  Stream &stream = streams_.at(id);
  NamedPath &path = path_of(stream);
  if (stream.readable()) become_not_ready(path);
  std::set<SlotIndex> slots{stream.slot};
  for (const auto &[slot, count] : stream.readers_by_slot) slots.insert(slot);
  kick_readers(id, stream);
  for (SlotIndex slot : slots) effects_.push_back(Send{slot, control::StreamEnded{id}});
  effects_.push_back(CloseStream{id});
  path.second.stream = 0;
  unused_.push_back(path.first);
  set_deadline(stream.return_deadline, std::nullopt);
  streams_.erase(id);
}

// --- time ---

void Paths::set_deadline(std::optional<Nanoseconds> &deadline, std::optional<Nanoseconds> value) {
  if (deadline) deadlines_.erase(deadlines_.find(*deadline));
  if (value) deadlines_.insert(*value);
  deadline = value;
}

std::optional<Nanoseconds> Paths::next_deadline() const {
  return deadlines_.empty() ? std::nullopt : std::optional(*deadlines_.begin());
}

void Paths::on_time() {
  for (NamedPath &named : paths_) {
    Path &path = named.second;
    if (path.retry && *path.retry <= now_) start_source(named);
    if (!path.deadline || *path.deadline > now_) continue;
    for (const Held &held : take_held(path))
      refuse(held.slot, held.request, control::Refusal::BadRequest,
             "source of path '" + named.first + "' has timed out");
    if (path.stream != 0) kick_publisher(path.stream);
    stop_demand(named);
    unused_.push_back(named.first);
  }
  std::vector<StreamId> overdue;
  for (const auto &[id, stream] : streams_)
    if (stream.return_deadline && *stream.return_deadline <= now_) overdue.push_back(id);
  for (StreamId id : overdue) {
    const Stream &stream = streams_.at(id);
    const char *what =
        stream.kept ? "the source did not return in time" : "the publisher whose worker failed did not return";
    effects_.push_back(Log{stream.path, what});
    end_stream(id);
  }
}

// --- the configuration ---

void Paths::on_rules_changed() {
  for (auto it = paths_.begin(); it != paths_.end();) {
    auto rules = rules_.rules_for(it->first);
    if (rules) {
      change_rules(*it, std::move(*rules));
      ++it;
    } else {
      close_path(*it, kTerminated);
      it = paths_.erase(it);
    }
  }
  for (const std::string &name : rules_.permanent_paths()) {
    if (paths_.contains(name)) continue;
    if (auto rules = rules_.rules_for(name)) create_path(name, std::move(*rules));
  }
}

// What changed is applied to what it concerns: sources at once, commands that run are replaced (but for runOnDemand,
// whose readers would go: it stays until it is stopped), all else counts from the next request on.
void Paths::change_rules(NamedPath &named, PathRules rules) {
  Path &path = named.second;
  unused_.push_back(named.first);
  if (path.rules == rules) return;
  if (path.rules.source != rules.source || path.rules.pull.url != rules.pull.url) {
    close_path(named, kTerminated);
    path.rules = std::move(rules);
    return begin(named);
  }
  PathRules before = std::exchange(path.rules, std::move(rules));
  auto replaced = [&](CommandRule PathRules::*command) {
    return before.*command != path.rules.*command || before.groups != path.rules.groups;
  };
  if (replaced(&PathRules::on_init)) {
    end(path.init_command);
    run(path.init_command, Hook::OnInit, named, path.rules.on_init);
  }
  if (path.rules.source == SourceKind::Pulled) change_source(named, before);
  Stream *stream = stream_of(path);
  if (stream == nullptr) return;
  change_stream_settings(path, before);
  if (stream->readable() && replaced(&PathRules::on_ready)) {
    end(path.ready_command);
    run(path.ready_command, Hook::OnReady, named, path.rules.on_ready);
  }
  if (!replaced(&PathRules::on_read)) return;
  for (SessionId reader : stream->readers) {
    Session &session = sessions_.at(reader);
    end(session.read_command);
    if (session.playing) run(session.read_command, Hook::OnRead, named, path.rules.on_read, &session);
  }
}

void Paths::change_stream_settings(const Path &path, const PathRules &before) {
  const PathRules &rules = path.rules;
  const Stream &stream = streams_.at(path.stream);
  if (!stream.has_writer()) return; // told when it is back
  auto settings = [&](const PathRules &of) {
    return control::StreamSettings{path.stream, of.write_coalesce, of.write_merge, of.absolute_time};
  };
  if (settings(before) != settings(rules)) effects_.push_back(Send{stream.slot, settings(rules)});
}

// --- commands ---

void Paths::run(CommandNumber &running, Hook hook, NamedPath &path, const CommandRule &rule, const Session *reader) {
  if (rule.command.empty()) return;
  running = next_command_++;
  effects_.push_back(RunCommand{running, hook, path.first, reader != nullptr ? reader->client : Client(), rule,
                                path.second.rules.groups});
}

void Paths::end(CommandNumber &running) {
  if (running != 0) effects_.push_back(EndCommand{running});
  running = 0;
}

std::vector<PathInfo> Paths::list() const {
  std::vector<PathInfo> infos;
  infos.reserve(paths_.size());
  auto client = [&](SessionId id) { return sessions_.at(id).client; };
  for (const auto &[name, path] : paths_) {
    PathInfo info;
    info.name = name;
    info.entry = path.rules.entry;
    if (path.rules.source == SourceKind::Redirect) info.source = PathInfo::Source::Redirect;
    if (path.pulls()) info.source = PathInfo::Source::Pulled;
    info.pulled_protocol = config::protocol_of_url(path.rules.pull.url).value_or(info.pulled_protocol);
    if (path.stream != 0) {
      const Stream &stream = streams_.at(path.stream);
      if (path.rules.source == SourceKind::Publisher) info.source = PathInfo::Source::Session;
      if (stream.publisher != 0) info.publisher = client(stream.publisher);
      info.stream = path.stream;
      info.ready = stream.ready;
      info.ready_since = stream.ready_since;
      for (const media::Track &track : stream.description.tracks) info.codecs.push_back(track.codec);
      for (SessionId reader : stream.readers) info.readers.push_back(client(reader));
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

} // namespace sluice::paths
