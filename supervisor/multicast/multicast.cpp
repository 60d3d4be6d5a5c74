#include "supervisor/multicast/multicast.h"

#include <algorithm>
#include <utility>

namespace sluice::multicast {

// --- slots ---

Effects Multicast::set_slots(control::SlotSet slots) {
  slots_ = slots;
  for (auto &[id, stream] : streams_) update(id, std::nullopt, false);
  return take();
}

// A sender's worker knows nothing of what its predecessor sent.
Effects Multicast::on_worker_ready(Slot slot) {
  ready_.insert(slot);
  for (auto &[id, stream] : streams_)
    if (stream.sender == slot) start(id, stream);
  return take();
}

Effects Multicast::on_worker_gone(Slot slot) {
  ready_.erase(slot);
  std::vector<control::SessionId> gone;
  for (const auto &[id, session] : sessions_)
    if (session.slot == slot) gone.push_back(id);
  for (control::SessionId id : gone) forget(id);
  return take();
}

// --- sessions ---

Effects Multicast::on_join(Slot slot, const control::JoinMulticast &join, control::StreamId id, size_t tracks) {
  auto refuse = [&](control::Refusal refusal, std::string reason) {
    effects_.push_back(Send{slot, control::Refused{join.request, refusal, std::move(reason), {}}});
    return take();
  };
  if (sessions_.contains(join.session))
    return refuse(control::Refusal::BadRequest, "the session has joined the stream's groups already");
  if (join.interface == 0) return refuse(control::Refusal::BadRequest, "no network interface for multicast");
  auto stream = stream_for(id, tracks);
  if (!stream) return refuse(control::Refusal::Unavailable, stream.error().message);
  auto &interfaces = (*stream)->interfaces;
  if (!interfaces.contains(join.interface) && interfaces.size() >= kMaxInterfaces)
    return refuse(control::Refusal::Unavailable, "the stream is sent on too many network interfaces");
  interfaces[join.interface].sessions++;
  sessions_.emplace(join.session, Session{id, slot, join.interface, false});
  (*stream)->sessions.insert(join.session);
  effects_.push_back(Send{slot, control::MulticastGranted{join.request, group_texts(**stream), (*stream)->rtp_port,
                                                          (*stream)->rtcp_port, kTtl}});
  return take();
}

Result<Multicast::Stream *> Multicast::stream_for(control::StreamId id, size_t tracks) {
  if (auto found = streams_.find(id); found != streams_.end()) return &found->second;
  if (!settings_.enabled) return Error{"multicast is not enabled"};
  pool_.set_range(settings_.range);
  Stream stream;
  stream.groups = TRY(pool_.take(tracks));
  stream.rtp_port = settings_.rtp_port;
  stream.rtcp_port = settings_.rtcp_port;
  return &streams_.emplace(id, std::move(stream)).first->second;
}

// Also when it plays already: whoever plays anew waits for a sender report.
Effects Multicast::on_playing(Slot slot, control::SessionId id, bool playing) {
  Session *session = session_of(slot, id);
  if (session == nullptr) return {};
  set_playing(*session, playing);
  update(session->stream, slot, playing);
  return take();
}

Multicast::Session *Multicast::session_of(Slot slot, control::SessionId id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() || found->second.slot != slot ? nullptr : &found->second;
}

void Multicast::set_playing(Session &session, bool playing) {
  if (std::exchange(session.playing, playing) == playing) return;
  size_t &count = streams_.at(session.stream).interfaces.at(session.interface).playing;
  playing ? count++ : count--;
}

Effects Multicast::on_release(Slot slot, control::SessionId id) {
  if (session_of(slot, id) != nullptr) forget(id);
  return take();
}

void Multicast::forget(control::SessionId id) {
  Session &session = sessions_.at(id);
  control::StreamId stream_id = session.stream;
  Stream &stream = streams_.at(stream_id);
  set_playing(session, false);
  auto interface = stream.interfaces.find(session.interface);
  if (--interface->second.sessions == 0) stream.interfaces.erase(interface);
  stream.sessions.erase(id);
  sessions_.erase(id);
  update(stream_id, std::nullopt, false);
  if (!stream.sessions.empty()) return;
  pool_.give_back(stream.groups);
  streams_.erase(stream_id);
}

Effects Multicast::on_stream_closed(control::StreamId id) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return {};
  Stream &stream = found->second;
  for (control::SessionId session : stream.sessions) sessions_.erase(session);
  if (stream.sender) stop(id, stream);
  pool_.give_back(stream.groups);
  streams_.erase(found);
  return take();
}

// --- the sender ---

void Multicast::update(control::StreamId id, std::optional<Slot> preferred, bool again) {
  Stream &stream = streams_.at(id);
  std::vector<uint32_t> interfaces;
  for (const auto &[interface, users] : stream.interfaces)
    if (users.playing > 0) interfaces.push_back(interface);
  if (stream.sender && (interfaces.empty() || !slots_.contains(*stream.sender))) stop(id, stream);
  bool differs = interfaces != stream.sent_on;
  stream.sent_on = std::move(interfaces);
  if (stream.sent_on.empty()) return;
  bool first = !stream.sender;
  if (first) {
    stream.sender = choose_sender(preferred);
    if (!stream.sender) return;
    effects_.push_back(Subscribe{id, *stream.sender});
  }
  if (first || differs || again) start(id, stream);
}

// The preferred one if it can; else, of those that can, one that sends the fewest streams. One whose worker is being
// replaced is told when that is there.
std::optional<Slot> Multicast::choose_sender(std::optional<Slot> preferred) const {
  if (slots_.empty()) return std::nullopt;
  if (preferred && slots_.contains(*preferred) && ready_.contains(*preferred)) return preferred;
  std::map<Slot, size_t> sent;
  for (Slot slot : ready_)
    if (slots_.contains(slot)) sent[slot] = 0;
  if (sent.empty()) return slots_.lowest();
  for (const auto &[id, stream] : streams_)
    if (stream.sender && sent.contains(*stream.sender)) sent[*stream.sender]++;
  return std::min_element(sent.begin(), sent.end(), [](auto &a, auto &b) { return a.second < b.second; })->first;
}

void Multicast::start(control::StreamId id, const Stream &stream) {
  if (!ready_.contains(*stream.sender)) return;
  control::SendMulticast message;
  message.stream = id;
  message.groups = group_texts(stream);
  message.rtp_port = stream.rtp_port;
  message.rtcp_port = stream.rtcp_port;
  message.ttl = kTtl;
  message.interfaces = stream.sent_on;
  effects_.push_back(StartSending{*stream.sender, std::move(message)});
}

void Multicast::stop(control::StreamId id, Stream &stream) {
  Slot slot = *std::exchange(stream.sender, std::nullopt);
  if (ready_.contains(slot)) effects_.push_back(Send{slot, control::StopMulticast{id}});
  effects_.push_back(Unsubscribe{id, slot});
}

std::vector<std::string> Multicast::group_texts(const Stream &stream) const {
  std::vector<std::string> texts;
  for (uint32_t group : stream.groups) texts.push_back(address_text(group));
  return texts;
}

} // namespace sluice::multicast
