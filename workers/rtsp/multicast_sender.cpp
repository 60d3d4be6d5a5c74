#include "workers/rtsp/multicast_sender.h"

#include "common/base/log.h"
#include "common/loop/multicast.h"
#include "workers/base/sender_state.h"
#include "workers/rtsp/server.h"

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr int kMaxPlansInARow = 16;              // then others get their turn
constexpr Nanoseconds kReportInterval = kSecond; // at the least, between reports for those who join
constexpr Nanoseconds kLossLogInterval = 10 * kSecond;

} // namespace

MulticastSender::MulticastSender(Server &server, Stream &stream) : server_(server), stream_(stream) {}

MulticastSender::~MulticastSender() {
  stream_.remove(*this);
  for (Outlet &outlet : outlets_) close_outlet(outlet);
}

Result<void> MulticastSender::follow(const control::SendMulticast &wanted, Nanoseconds now) {
  bool first = groups_.empty();
  if (first) {
    auto description = stream_.newest().reader().description();
    if (!description || !media::is_valid(*description) || description->tracks.size() != wanted.groups.size())
      return Error{"the groups of a stream do not fit its tracks"};
    for (const std::string &group : wanted.groups)
      for (uint16_t port : {wanted.rtp_port, wanted.rtcp_port})
        groups_.push_back(TRY(loop::SocketAddress::parse(group + ":0")).with_port(port));
    ttl_ = wanted.ttl;
    description_ = std::move(*description);
  }
  interfaces_ = wanted.interfaces;
  complained_ = false;
  std::erase_if(outlets_, [&](Outlet &outlet) {
    bool stays = std::find(interfaces_.begin(), interfaces_.end(), outlet.interface) != interfaces_.end();
    if (!stays) close_outlet(outlet);
    return !stays;
  });
  open_missing_outlets();
  if (first) stream_.add(*this, stream_.start(false));
  reports_due_ = true;
  send_reports(now);
  return {};
}

// An interface that is down, or gone, is tried again each second: readers on the others have nothing to do with it.
void MulticastSender::open_missing_outlets() {
  for (uint32_t interface : interfaces_) {
    bool there = std::any_of(outlets_.begin(), outlets_.end(),
                             [&](const Outlet &outlet) { return outlet.interface == interface; });
    if (there) continue;
    auto outlet = open_outlet(interface);
    if (outlet) {
      server_.count_descriptors(static_cast<ptrdiff_t>(outlet->sockets.size()));
      outlets_.push_back(std::move(*outlet));
    } else if (!std::exchange(complained_, true)) {
      log(LogLevel::Warn, "[RTSP] can't send by multicast for now: {}", outlet.error().message);
    }
  }
}

Result<MulticastSender::Outlet> MulticastSender::open_outlet(uint32_t interface) const {
  if (!server_.has_descriptors(groups_.size())) return Error{"no descriptors left"};
  Outlet outlet;
  outlet.interface = interface;
  for (const loop::SocketAddress &group : groups_)
    outlet.sockets.push_back(TRY(loop::connect_multicast(group, interface, ttl_)));
  return outlet;
}

void MulticastSender::close_outlet(Outlet &outlet) {
  server_.count_descriptors(-static_cast<ptrdiff_t>(outlet.sockets.size()));
  outlet.sockets.clear();
}

void MulticastSender::on_second(Nanoseconds now) {
  open_missing_outlets();
  send_reports(now);
  tell_losses(now);
}

void MulticastSender::finish() {
  if (generation_ == nullptr) return;
  generation_->forget_round();
  serve();
}

// --- media ---

void MulticastSender::start(const Start &start) {
  generation_ = start.generation;
  cursor_ = start.cursor;
  placed_ = generation_->reader().state() != ring::RingState::Waiting;
}

// All there was when it began was a generation that its writer had not continued into.
bool MulticastSender::places_itself() {
  if (generation_->reader().state() == ring::RingState::Waiting) return false;
  start(stream_.start(false));
  generation_->forget_round();
  return placed_;
}

void MulticastSender::serve() {
  if (!placed_ && !places_itself()) return;
  for (int i = 0; i < kMaxPlansInARow; i++) {
    Progress progress = serve_span(generation_->span(cursor_));
    if (progress == Progress::UpToDate || generation_->reached(cursor_)) return;
  }
  server_.streams().schedule_round(stream_.id());
}

MulticastSender::Progress MulticastSender::serve_span(const ring::Span &span) {
  switch (span.state) {
  case ring::Span::State::Empty:
  case ring::Span::State::Ended:
    return Progress::UpToDate;
  case ring::Span::State::Lapped:
    skip_to_random_access();
    return Progress::More;
  case ring::Span::State::Superseded: {
    Generation *next = stream_.after(*generation_);
    if (next == nullptr || next->reader().state() == ring::RingState::Waiting) return Progress::UpToDate;
    generation_ = next;
    return Progress::More;
  }
  case ring::Span::State::Data:
    break;
  }
  if (generation_->reader().endangered(span.begin_position)) {
    skip_to_random_access();
    return Progress::More;
  }
  return send(span);
}

MulticastSender::Progress MulticastSender::send(const ring::Span &span) {
  const DatagramPlan &plan = DatagramPlans::of(*generation_).from(*generation_, span.first);
  for (const DatagramBatch &batch : plan.batches) {
    size_t socket = 2u * batch.track + (batch.rtcp ? 1 : 0);
    if (socket >= groups_.size()) continue; // the ring's header lies
    for (Outlet &outlet : outlets_) lost_ += outlet.sender.send(outlet.sockets[socket].get(), plan, batch);
  }
  lost_ += plan.oversized;
  if (!generation_->reader().intact(plan.begin_position)) {
    skip_to_random_access(); // what is torn can't be taken back
    return Progress::More;
  }
  if (plan.end == plan.first) return Progress::UpToDate; // the next look at the span says that it was lapped
  cursor_ = plan.end;
  return Progress::More;
}

void MulticastSender::skip_to_random_access() {
  ring::Resync target = generation_->reader().resync(cursor_);
  lost_ += target.lost_entries;
  cursor_ = target.cursor;
}

// So that who joined need not wait for the stream's next report to synchronise its tracks.
void MulticastSender::send_reports(Nanoseconds now) {
  if (!reports_due_ || now - reported_at_ < kReportInterval) return;
  reports_due_ = false;
  reported_at_ = now;
  for (size_t i = 0; i < description_.tracks.size(); i++) {
    auto track = stream_.newest().reader().track_state(i);
    if (!track) continue;
    auto report = rtp::sender_report(worker::from_ring(*track), description_.tracks[i].clock_rate, now, wall_now());
    if (!report) continue;
    rtp::RtcpPacket packet = rtp::make_sender_report(*report, "sluice");
    for (Outlet &outlet : outlets_) // one that is lost is followed by the next
      (void)::send(outlet.sockets[2 * i + 1].get(), packet.bytes().data(), packet.size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

void MulticastSender::tell_losses(Nanoseconds now) {
  if (lost_ == 0 || now - losses_told_at_ < kLossLogInterval) return;
  losses_told_at_ = now;
  log(LogLevel::Warn, "[RTSP] {} packets could not be sent by multicast to {}", std::exchange(lost_, 0),
      groups_.front().host());
}

} // namespace sluice::rtsp
