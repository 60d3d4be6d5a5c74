// Streams that are pulled: attempts to reach their sources, and what becomes of the stream between two of them.
#include "supervisor/paths/paths.h"

#include <algorithm>

namespace sluice::paths {
namespace {

std::string_view protocol_name(const std::string &url) {
  auto protocol = config::protocol_of_url(url);
  return protocol ? config::name_of(*protocol) : "hls";
}

} // namespace

void Paths::log_source(const NamedPath &path, const std::string &text) {
  std::string prefix = "[" + std::string(protocol_name(path.second.rules.pull.url)) + " source] ";
  effects_.push_back(Log{path.first, prefix + text});
}

Paths::NamedPath *Paths::path_of_source(SourceId source) {
  auto found = sources_.find(source);
  return found == sources_.end() ? nullptr : &*paths_.find(found->second);
}

void Paths::start_source(NamedPath &named) {
  Path &path = named.second;
  if (!path.pulls()) log_source(named, "started");
  set_deadline(path.retry, std::nullopt);
  path.source = next_source_++;
  sources_.emplace(path.source, named.first);
  const Stream *kept = stream_of(path);
  effects_.push_back(PullSource{path.source, named.first, path.rules.pull,
                                kept == nullptr ? std::nullopt : std::optional(kept->slot)});
}

// The stream, if there is one, is for the caller to end.
void Paths::stop_source(NamedPath &named) {
  Path &path = named.second;
  if (!path.pulls()) return;
  if (path.source != 0) effects_.push_back(EndSource{path.source});
  detach_source(named);
  set_deadline(path.retry, std::nullopt);
  log_source(named, "stopped");
}

void Paths::detach_source(NamedPath &named) {
  sources_.erase(named.second.source);
  named.second.source = 0;
  if (Stream *stream = stream_of(named.second)) stream->source = 0;
}

void Paths::on_source_up(const SourceUp &up) {
  NamedPath *named = path_of_source(up.source);
  Stream *stream = named == nullptr ? nullptr : stream_of(named->second);
  if (named == nullptr || (stream != nullptr && stream->has_writer())) // stopped meanwhile, or told twice
    return refuse(up.slot, up.request, control::Refusal::BadRequest, "not wanted");
  Path &path = named->second;
  if (stream != nullptr && stream->announced != up.description && stream->description != up.description) {
    log_source(*named, "has other tracks than before");
    drop_stream(*named);
    stream = nullptr;
  }
  bool continues = stream != nullptr;
  if (continues) continued_++;
  if (!continues) {
    if (streams_.size() >= kMaxStreams) return on_grant_failed({up.slot, up.request, 0, up.source, "too many streams"});
    path.stream = next_stream_++;
    stream = &streams_[path.stream];
    stream->path = named->first;
    stream->announced = stream->description = up.description;
  }
  stream->source = up.source;
  stream->slot = up.slot;
  set_deadline(stream->return_deadline, std::nullopt);
  effects_.push_back(OpenStream{up.slot, up.request, 0, up.source, path.stream, named->first, up.description,
                                path.rules.write_coalesce, path.rules.write_merge, path.rules.absolute_time,
                                continues});
  log_source(*named, "ready");
  become_ready(*named);
}

void Paths::on_source_down(const SourceDown &down) {
  NamedPath *named = path_of_source(down.source);
  if (named == nullptr) return;
  Path &path = named->second;
  Nanoseconds grace = path.rules.reconnect_grace;
  if (down.at_once) grace = std::max(grace, path.rules.restart_grace);
  end_source(*named, down.reason, grace);
  if (down.at_once && path.retry) start_source(*named);
}

// Its stream waits for it to be up again, as for one that ended.
void Paths::on_source_moved(const SourceMoved &moved) {
  NamedPath *named = path_of_source(moved.source);
  Stream *stream = named == nullptr ? nullptr : stream_of(named->second);
  if (stream == nullptr || stream->source != moved.source) return;
  log_source(*named, "is sent elsewhere by its server");
  stream->source = 0;
  keep_stream(*named, std::max(named->second.rules.reconnect_grace, named->second.rules.restart_grace));
}

void Paths::end_source(NamedPath &named, const std::string &reason, Nanoseconds grace) {
  Path &path = named.second;
  log_source(named, "ERR: " + reason);
  bool fed = path.stream != 0 && streams_.at(path.stream).source == path.source;
  detach_source(named);
  set_deadline(path.retry, now_ + kSourcePause);
  if (fed) keep_stream(named, grace);
}

// Its source is gone. Without grace everything about it ends, on demand also the attempts to reach it again.
void Paths::keep_stream(NamedPath &named, Nanoseconds grace) {
  if (grace == 0) return end_stream(named.second.stream);
  Stream &stream = streams_.at(named.second.stream);
  stream.ready = false;
  stream.kept = true;
  set_deadline(stream.return_deadline, now_ + grace);
}

// Its source goes on with another stream, which the next readers are for.
void Paths::drop_stream(NamedPath &named) {
  Path &path = named.second;
  Stream &stream = streams_.at(path.stream);
  stream.ready = stream.kept = false; // so that nothing is stopped
  end(path.ready_command);
  end_stream(path.stream);
  if (path.demand == Demand::Initial) return;
  path.demand = Demand::Waiting;
  set_deadline(path.deadline, now_ + path.rules.start_timeout);
}

void Paths::change_source(NamedPath &named, const PathRules &before) {
  Path &path = named.second;
  bool pulled = path.pulls();
  if (path.rules.pull_on_demand && !before.pull_on_demand) {
    const Stream *stream = stream_of(path);
    path.demand = stream == nullptr ? Demand::Waiting : stream->readers.empty() ? Demand::Closing : Demand::Ready;
    if (path.demand != Demand::Ready)
      set_deadline(path.deadline, now_ + (stream == nullptr ? path.rules.start_timeout : path.rules.close_after));
  } else if (!path.rules.pull_on_demand && before.pull_on_demand) {
    if (path.demand != Demand::Waiting) { // those that wait go on until it is ready, or for as long as they were to
      path.demand = Demand::Initial;
      set_deadline(path.deadline, std::nullopt);
    }
    if (!pulled) return start_source(named);
  }
  if (!pulled || path.rules.pull == before.pull) return;
  bool fed = path.stream != 0 && streams_.at(path.stream).has_writer();
  if (path.source != 0) effects_.push_back(EndSource{path.source});
  detach_source(named);
  set_deadline(path.retry, now_);
  if (fed) keep_stream(named, path.rules.reconnect_grace);
  if (path.retry) start_source(named);
}

} // namespace sluice::paths
