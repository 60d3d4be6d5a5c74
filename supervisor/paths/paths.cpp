#include "supervisor/paths/paths.h"

#include "common/base/check.h"

#include <type_traits>
#include <utility>

namespace sluice::paths {
namespace {

const std::string kTerminated = "terminated";
const std::string kTooManySessions = "too many sessions";
const std::string kSessionInUse = "the session is in use already";

} // namespace

Effects Paths::on_event(const Event &event) {
  CHECK(effects_.empty());
  if (const auto *from = std::get_if<FromWorker>(&event)) {
    std::visit(
        [&](const auto &message) {
          if constexpr (requires { this->on(from->slot, message); }) this->on(from->slot, message);
        },
        from->message);
  } else if (const auto *gone = std::get_if<WorkerGone>(&event)) {
    on_worker_gone(gone->slot);
  } else if (const auto *failed = std::get_if<GrantFailed>(&event)) {
    refuse(failed->slot, failed->request, control::Refusal::Unavailable, failed->reason);
    release(failed->session);
  }
  return std::exchange(effects_, {});
}

void Paths::on(SlotIndex slot, const control::Describe &describe) {
  if (auto rules = rules_.rules_for(describe.path); !rules)
    return refuse(slot, describe.request, control::Refusal::BadRequest, rules.error().message);
  const Stream *stream = stream_of_path(describe.path);
  if (stream == nullptr || !stream->ready) return refuse_no_publisher(slot, describe.request, describe.path);
  effects_.push_back(Send{slot, control::Described{describe.request, stream->description}});
}

void Paths::on(SlotIndex slot, const control::Publish &publish) {
  auto rules = rules_.rules_for(publish.path);
  if (!rules) return refuse(slot, publish.request, control::Refusal::BadRequest, rules.error().message);
  if (sessions_.contains(publish.session))
    return refuse(slot, publish.request, control::Refusal::BadRequest, kSessionInUse);
  if (is_full(slot)) return refuse(slot, publish.request, control::Refusal::Unavailable, kTooManySessions);
  auto owner = owners_.find(publish.path);
  if (owner != owners_.end()) {
    if (!rules->publisher_override)
      return refuse(slot, publish.request, control::Refusal::BadRequest,
                    "someone is already publishing to path '" + publish.path + "'");
    displace(owner->second);
  } else if (streams_.size() >= kMaxStreams) {
    return refuse(slot, publish.request, control::Refusal::Unavailable, "too many streams");
  }
  StreamId id = next_stream_++;
  Stream stream;
  stream.path = publish.path;
  stream.publisher = publish.session;
  stream.slot = slot;
  stream.description = publish.description;
  streams_.emplace(id, std::move(stream));
  owners_[publish.path] = id;
  add_session(publish.session, {slot, Role::Publishing, id});
  effects_.push_back(OpenStream{slot, publish.request, publish.session, id, publish.path, publish.description});
}

void Paths::on(SlotIndex slot, const control::Record &record) {
  Stream *stream = stream_of_publisher(slot, record.session);
  if (stream == nullptr)
    return refuse(slot, record.request, control::Refusal::BadRequest, "publisher is not assigned to this path anymore");
  stream->ready = true;
  effects_.push_back(Send{slot, control::Recorded{record.request}});
}

void Paths::on(SlotIndex slot, const control::PublisherPaused &paused) {
  Stream *stream = stream_of_publisher(slot, paused.session);
  if (stream == nullptr) return;
  stream->ready = false;
  kick_readers(sessions_.at(paused.session).stream, *stream);
}

void Paths::on(SlotIndex slot, const control::Read &read) {
  if (auto rules = rules_.rules_for(read.path); !rules)
    return refuse(slot, read.request, control::Refusal::BadRequest, rules.error().message);
  auto owner = owners_.find(read.path);
  auto known = sessions_.find(read.session);
  if (known != sessions_.end() &&
      (known->second.role != Role::Reading || owner == owners_.end() || known->second.stream != owner->second))
    return refuse(slot, read.request, control::Refusal::BadRequest, kSessionInUse);
  if (owner == owners_.end() || !streams_.at(owner->second).ready)
    return refuse_no_publisher(slot, read.request, read.path);
  StreamId id = owner->second;
  if (known == sessions_.end()) {
    if (is_full(slot)) return refuse(slot, read.request, control::Refusal::Unavailable, kTooManySessions);
    Stream &stream = streams_.at(id);
    add_session(read.session, {slot, Role::Reading, id});
    stream.readers.insert(read.session);
    if (stream.readers_by_slot[slot]++ == 0) effects_.push_back(Subscribe{id, slot});
  }
  effects_.push_back(GrantRead{slot, read.request, read.session, id});
}

void Paths::on(SlotIndex slot, const control::Release &release_message) {
  auto session = sessions_.find(release_message.session);
  if (session != sessions_.end() && session->second.slot == slot) release(release_message.session);
}

void Paths::on(SlotIndex slot, const control::DescriptionChanged &changed) {
  auto stream = streams_.find(changed.stream);
  if (stream == streams_.end() || stream->second.slot != slot) return;
  if (stream->second.description.tracks.size() != changed.description.tracks.size()) return;
  stream->second.description = changed.description;
}

void Paths::on_worker_gone(SlotIndex slot) {
  std::vector<SessionId> readers, others;
  for (const auto &[id, session] : sessions_)
    if (session.slot == slot) (session.role == Role::Reading ? readers : others).push_back(id);
  for (SessionId id : readers) release(id); // first, so that nobody is kicked who is gone
  for (SessionId id : others) release(id);
}

void Paths::refuse(SlotIndex slot, RequestId request, control::Refusal refusal, std::string reason) {
  effects_.push_back(Send{slot, control::Refused{request, refusal, std::move(reason)}});
}

void Paths::refuse_no_publisher(SlotIndex slot, RequestId request, const std::string &path) {
  refuse(slot, request, control::Refusal::NoPublisher, "no one is publishing to path '" + path + "'");
}

Paths::Stream *Paths::stream_of_path(const std::string &path) {
  auto owner = owners_.find(path);
  return owner == owners_.end() ? nullptr : &streams_.at(owner->second);
}

Paths::Stream *Paths::stream_of_publisher(SlotIndex slot, SessionId id) {
  auto session = sessions_.find(id);
  if (session == sessions_.end() || session->second.slot != slot || session->second.role != Role::Publishing)
    return nullptr;
  return &streams_.at(session->second.stream);
}

void Paths::displace(StreamId id) {
  const Stream &stream = streams_.at(id);
  effects_.push_back(Log{stream.path, "closing existing publisher"});
  sessions_.at(stream.publisher).role = Role::Displaced;
  effects_.push_back(Send{stream.slot, control::Kick{stream.publisher, kTerminated}});
  end_stream(id);
}

void Paths::kick_readers(StreamId id, Stream &stream) {
  for (SessionId reader : std::exchange(stream.readers, {})) {
    effects_.push_back(Send{sessions_.at(reader).slot, control::Kick{reader, kTerminated}});
    forget_session(reader);
  }
  for (const auto &[slot, count] : std::exchange(stream.readers_by_slot, {})) effects_.push_back(Unsubscribe{id, slot});
}

void Paths::end_stream(StreamId id) {
  Stream &stream = streams_.at(id);
  std::set<SlotIndex> slots{stream.slot};
  for (const auto &[slot, count] : stream.readers_by_slot) slots.insert(slot);
  kick_readers(id, stream);
  for (SlotIndex slot : slots) effects_.push_back(Send{slot, control::StreamEnded{id}});
  effects_.push_back(CloseStream{id});
  owners_.erase(stream.path);
  streams_.erase(id);
}

void Paths::remove_reader(SessionId session, StreamId id) {
  Stream &stream = streams_.at(id);
  SlotIndex slot = sessions_.at(session).slot;
  stream.readers.erase(session);
  if (--stream.readers_by_slot.at(slot) > 0) return;
  stream.readers_by_slot.erase(slot);
  effects_.push_back(Unsubscribe{id, slot});
}

void Paths::release(SessionId id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Session session = found->second;
  switch (session.role) {
  case Role::Reading:
    remove_reader(id, session.stream);
    break;
  case Role::Publishing:
    end_stream(session.stream);
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
