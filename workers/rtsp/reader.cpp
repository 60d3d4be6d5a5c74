#include "workers/rtsp/reader.h"

#include "common/base/check.h"
#include "workers/rtsp/connection.h"
#include "workers/rtsp/session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sluice::rtsp {

namespace {

uint32_t tracks_set_up(const SessionState &state, size_t tracks) {
  uint32_t wanted = 0;
  for (size_t i = 0; i < tracks && i < media::kMaxTracks; i++)
    if (state.tracks[i].is_set_up != 0) wanted |= uint32_t{1} << i;
  return wanted;
}

} // namespace

Reader::Reader(Session &session, Connection *connection, const media::StreamDescription &description)
    : session_(session), record_(session.record()), connection_(connection),
      units_(tracks_set_up(session.state(), description.tracks.size()), description.tracks.size()) {
  const SessionState &state = session.state();
  for (size_t i = 0; i < description.tracks.size() && i < media::kMaxTracks; i++) {
    channels_[i] = connection != nullptr ? state.tracks[i].rtp_channel : static_cast<uint8_t>(2 * i);
    if (state.tracks[i].is_set_up == 0 || channels_[i] != 2 * i) usual_channels_ = false;
  }
}

void Reader::start(const Start &start) {
  generation_ = start.generation;
  record_.cursor.store(start.cursor, std::memory_order_relaxed);
  const ring::RingReader &ring = generation_->reader();
  placed_ = ring.state() != ring::RingState::Waiting;
  if (start.random_access) {
    units_.begin_at(ring, start.cursor);
    auto first = ring.entry(start.cursor);
    if (connection_ == nullptr && first) catch_up_.emplace(first->arrival_ns, session_.now());
  }
  limited_ = !placed_ || catch_up_ || !units_.all_pass();
}

void Reader::on_writable() {
  blocked_ = false;
  if (connection_ != nullptr) connection_->note_progress(); // the client took what was blocked
  generation_->forget_round();
  serve();
}

void Reader::serve() {
  constexpr int kMaxSends = 16; // then others get their turn; the next round or writability goes on
  for (int i = 0; i < kMaxSends; i++) {
    Progress progress = serve_some();
    if (progress == Progress::Closed) return;
    if (progress == Progress::Blocked) {
      blocked_ = true;
      connection_->want_writable();
    }
    if (progress == Progress::HeldBack) session_.schedule_round_later();
    if (progress == Progress::More && !generation_->reached(cursor())) continue;
    if (finishing_ && progress != Progress::HeldBack) session_.finish();
    return;
  }
  if (connection_ == nullptr) return session_.schedule_round();
  blocked_ = true;
  connection_->want_writable();
}

Reader::Progress Reader::serve_some() {
  return limited_ ? serve_within_limits() : serve_span(generation_->span(cursor()));
}

Reader::Progress Reader::serve_span(const ring::Span &span) {
  switch (span.state) {
  case ring::Span::State::Empty:
  case ring::Span::State::Ended:
    return Progress::UpToDate;
  case ring::Span::State::Lapped:
    return skip();
  case ring::Span::State::Superseded:
    return next_generation();
  case ring::Span::State::Data:
    break;
  }
  if (endangered(span.begin_position)) return skip();
  if (connection_ != nullptr && connection_->output_pending()) return Progress::Blocked;
  if (connection_ == nullptr) return send_datagrams(span);
  return usual_channels_ && units_.all_pass() ? send_whole(span) : send_parts(span);
}

Reader::Progress Reader::next_generation() {
  Generation *next = session_.stream()->after(*generation_);
  if (next == nullptr || next->reader().state() == ring::RingState::Waiting) return Progress::UpToDate;
  generation_ = next;
  return Progress::More;
}

void Reader::advance(uint64_t to, uint64_t bytes, uint64_t packets) {
  record_.cursor.store(to, std::memory_order_relaxed);
  record_.bytes_out.fetch_add(bytes, std::memory_order_relaxed);
  record_.packets_out.fetch_add(packets, std::memory_order_relaxed);
  if (packets > 0) units_.note_sent();
}

// --- where not everything is sent ---

Reader::Progress Reader::serve_within_limits() {
  if (!placed_ && !places_itself()) return Progress::UpToDate;
  if (units_.waits()) {
    const ring::RingReader &ring = generation_->reader();
    if (units_.can_go_on(ring, cursor()) || overtaken()) return skip();
    return ring.state() == ring::RingState::Superseded ? next_generation() : Progress::UpToDate;
  }
  uint64_t end = limit();
  bool held_back = end == cursor() && end < generation_->round_head();
  limited_ = catch_up_ || !units_.all_pass();
  if (held_back) return overtaken() ? skip() : Progress::HeldBack;
  return serve_span(limited_ ? generation_->span_before(end, cursor()) : generation_->span(cursor()));
}

// All there was when it began was a generation that its writer had not continued into.
bool Reader::places_itself() {
  if (generation_->reader().state() == ring::RingState::Waiting) return false;
  start(session_.choose_start());
  generation_->forget_round();
  return placed_;
}

// Up to where may be sent what is said by units_ to pass.
uint64_t Reader::limit() {
  uint64_t end = generation_->round_head();
  const ring::RingReader &ring = generation_->reader();
  if (catch_up_) {
    Nanoseconds released = catch_up_->release(session_.now());
    if (catch_up_->done())
      catch_up_.reset();
    else
      end = ring.first_after(released, cursor(), end);
  }
  return units_.all_pass() ? end : units_.settled_until(ring, cursor(), end);
}

// Once its writer is done with a ring, nothing in it is in danger.
bool Reader::endangered(uint64_t position) const {
  const ring::RingReader &ring = generation_->reader();
  return !ring.safe(position) && ring.state() == ring::RingState::Live;
}

// What comes next is gone, or about to go.
bool Reader::overtaken() const {
  const ring::RingReader &ring = generation_->reader();
  if (!placed_ || cursor() >= ring.head()) return false;
  auto entry = ring.entry(cursor());
  return !entry || endangered(entry->position);
}

void Reader::watch() {
  if (overtaken()) skip();
}

Reader::Progress Reader::skip() {
  size_t room = connection_ != nullptr ? connection_->output_room() : shm::kLargeBufferBytes;
  auto skip = units_.skip(generation_->reader(), cursor(), channels_, room);
  if (!skip) return close(skip.error().message.c_str());
  limited_ = true;
  record_.cursor.store(skip->target, std::memory_order_relaxed);
  note_left_out(skip->left_out);
  if (skip->new_gap && record_.skips.fetch_add(1, std::memory_order_relaxed) == 0) session_.warn_too_slow();
  return skip->rest.empty() ? Progress::More : send_rest(*skip);
}

// What completes the access units that were begun.
Reader::Progress Reader::send_rest(const ring::WholeUnits::Skip &skip) {
  record_.bytes_out.fetch_add(skip.rest.size(), std::memory_order_relaxed);
  record_.packets_out.fetch_add(skip.rest_entries, std::memory_order_relaxed);
  if (connection_ != nullptr)
    return connection_->send(skip.rest, "too slow: no output buffer left") ? Progress::More : Progress::Closed;
  for (Bytes rest = skip.rest; rest.size() > ring::kFrameHeaderBytes;) {
    size_t length = std::min<size_t>(load_be16(&rest[2]), rest.size() - ring::kFrameHeaderBytes);
    Bytes packet = rest.subspan(ring::kFrameHeaderBytes, length);
    int fd = record_.sockets[rest[1]].fd; // channel 2i: RTP of track i
    ssize_t sent = ::send(fd, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) record_.dropped.fetch_add(1, std::memory_order_relaxed);
    rest = rest.subspan(ring::kFrameHeaderBytes + length);
  }
  return Progress::More;
}

void Reader::note_left_out(uint64_t entries) {
  record_.dropped.fetch_add(entries, std::memory_order_relaxed);
  record_.left_out.fetch_add(entries, std::memory_order_relaxed);
}

void Reader::note_still_missing() {
  uint64_t head = generation_->reader().head();
  if (units_.waits() && head > cursor()) note_left_out(head - cursor());
}

bool Reader::finish() {
  finishing_ = catch_up_ && cursor() < generation_->reader().head();
  return finishing_;
}

Reader::Progress Reader::close(const char *reason) {
  session_.close(reason);
  return Progress::Closed;
}

// Whole entries, as far as they are within so many bytes; the span itself if the first one is not.
ring::Span Reader::front_of(const ring::Span &span, size_t most) const {
  if (span.bytes.size() <= most) return span;
  ring::Span front = span;
  front.end = span.first;
  for (size_t bytes = 0; front.end < span.end; front.end++) {
    auto entry = generation_->reader().entry(front.end);
    if (!entry) break; // overtaken; who sends it finds out
    bytes = entry->position + entry->length - span.begin_position;
    if (bytes > most) break;
    front.bytes = span.bytes.first(bytes);
    front.end_position = entry->position + entry->length;
  }
  return front.end == span.first ? span : front;
}

Reader::Progress Reader::send_whole(const ring::Span &whole) {
  const ring::Span span = front_of(whole, connection_->socket().largest_write());
  auto written = connection_->socket().write(span.bytes);
  if (!written) {
    connection_->close(written.error().message);
    return Progress::Closed;
  }
  if (!*written) return Progress::Blocked;
  size_t count = **written;
  if (!generation_->reader().intact(span.begin_position)) return close("overtaken by the stream while sending");
  connection_->note_progress();
  if (count < span.bytes.size()) return after_short_send(span, count);
  advance(span.end, span.bytes.size(), span.end - span.first);
  return Progress::More;
}

// The rest of the entry that was sent in part goes to the connection's own output, so that the ring may go on.
Reader::Progress Reader::after_short_send(const ring::Span &span, uint64_t sent_bytes) {
  uint64_t reached = span.begin_position + sent_bytes;
  for (uint64_t sequence = span.first; sequence < span.end; sequence++) {
    auto entry = generation_->reader().entry(sequence);
    if (!entry) return close("overtaken by the stream while sending");
    uint64_t end = entry->position + entry->length;
    if (end < reached) continue;
    advance(sequence + 1, end - span.begin_position, sequence + 1 - span.first);
    if (end == reached) return Progress::Blocked;
    ByteVector rest(end - reached);
    if (!generation_->reader().copy_at(reached, rest)) return close("overtaken by the stream while sending");
    return connection_->send(rest) ? Progress::Blocked : Progress::Closed;
  }
  CHECK(false); // less was sent than the entries hold
  return Progress::Closed;
}

Reader::Progress Reader::send_parts(const ring::Span &span) {
  std::array<iovec, kMaxParts> parts;
  std::array<std::array<uint8_t, ring::kFrameHeaderBytes>, kMaxParts / 2> headers;
  std::array<uint64_t, kMaxParts / 2> sequences, left_out_before;
  size_t frames = 0, bytes = 0, left_out = 0;
  uint64_t end = span.first;
  for (; end < span.end && frames < headers.size(); end++) {
    auto entry = generation_->reader().entry(end);
    if (!entry) return close("overtaken by the stream while sending");
    if (!units_.passes(*entry)) {
      if (units_.in_recovery() && units_.wants(*entry)) left_out++;
      continue;
    }
    size_t length = entry->length - ring::kFrameHeaderBytes;
    Bytes packet = packet_in(span, *entry);
    if (packet.empty()) return close("overtaken by the stream while sending");
    auto &header = headers[frames];
    header[0] = '$';
    header[1] = static_cast<uint8_t>(channels_[entry->track] + ((entry->flags & ring::kRtcp) != 0));
    store_be16(header.data() + 2, static_cast<uint16_t>(length));
    sequences[frames] = end;
    left_out_before[frames] = left_out;
    parts[2 * frames] = {header.data(), header.size()};
    parts[2 * frames + 1] = {const_cast<uint8_t *>(packet.data()), packet.size()};
    bytes += entry->length;
    frames++;
  }
  if (frames == 0) {
    note_left_out(left_out);
    advance(end, 0, 0);
    return Progress::More;
  }
  auto written = connection_->socket().write(std::span<const iovec>(parts.data(), 2 * frames));
  if (!written) {
    connection_->close(written.error().message);
    return Progress::Closed;
  }
  if (!*written) return Progress::Blocked;
  connection_->note_progress();
  size_t sent = **written, passed = 0;
  for (size_t i = 0; i < frames && sent < bytes; i++) {
    size_t length = parts[2 * i].iov_len + parts[2 * i + 1].iov_len;
    passed += length;
    if (passed < sent) continue;
    ByteVector rest; // of frame i
    for (iovec part : {parts[2 * i], parts[2 * i + 1]}) {
      const auto *begin = static_cast<const uint8_t *>(part.iov_base);
      rest.insert(rest.end(), begin, begin + part.iov_len);
    }
    rest.erase(rest.begin(), rest.end() - static_cast<ptrdiff_t>(passed - sent));
    if (!generation_->reader().intact(span.begin_position)) return close("overtaken by the stream while sending");
    note_left_out(left_out_before[i]);
    advance(sequences[i] + 1, passed, i + 1);
    if (rest.empty()) return Progress::Blocked;
    return connection_->send(rest) ? Progress::Blocked : Progress::Closed;
  }
  if (!generation_->reader().intact(span.begin_position)) return close("overtaken by the stream while sending");
  note_left_out(left_out);
  advance(end, bytes, frames);
  return Progress::More;
}

// --- UDP ---

Reader::Progress Reader::send_datagrams(const ring::Span &span) {
  DatagramPlans &plans = DatagramPlans::of(*generation_);
  const DatagramPlan &plan =
      limited_ ? plans.before(*generation_, span.end, span.first) : plans.from(*generation_, span.first);
  uint64_t bytes = 0, packets = 0, left_out = 0, unsent = 0;
  for (const DatagramBatch &batch : plan.batches) {
    if (!units_.passes(batch.track, batch.rtcp)) {
      if (units_.in_recovery() && units_.passes(batch.track, true)) left_out += batch.parts;
      continue;
    }
    int fd = record_.sockets[2 * batch.track + (batch.rtcp ? 1 : 0)].fd;
    if (fd >= 0) unsent += datagrams_.send(fd, plan, batch);
    bytes += batch.bytes;
    packets += batch.parts;
  }
  if (!generation_->reader().intact(plan.begin_position)) return close("overtaken by the stream while sending");
  record_.dropped.fetch_add(plan.oversized + unsent, std::memory_order_relaxed);
  note_left_out(left_out);
  if (plan.end == plan.first) return Progress::UpToDate; // the next look at the span says that it was lapped
  advance(plan.end, bytes, packets);
  return Progress::More;
}

} // namespace sluice::rtsp
