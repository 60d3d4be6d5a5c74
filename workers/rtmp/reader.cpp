#include "workers/rtmp/reader.h"

#include "common/base/check.h"
#include "workers/rtmp/connection.h"
#include "workers/rtmp/muxer.h"
#include "workers/rtmp/session.h"

#include <algorithm>

namespace sluice::rtmp {
namespace {

iovec part_of(Bytes bytes) {
  return {const_cast<uint8_t *>(bytes.data()), bytes.size()};
}

} // namespace

Reader::Reader(Session &session, Muxer &muxer, bool from_key_frame)
    : session_(session), record_(session.record()), muxer_(muxer), cursor_(muxer.media_log().head()) {
  if (auto newest = muxer.media_log().newest_key_frame(); from_key_frame && newest) cursor_ = *newest;
  muxer_.add(*this);
}

void Reader::on_writable() {
  blocked_ = false;
  serve();
}

void Reader::serve() {
  constexpr int kMaxSends = 16; // then others get their turn; writability goes on
  if (blocked_) return;
  for (int i = 0; i < kMaxSends; i++) {
    Progress progress = serve_some();
    if (progress == Progress::Closed || progress == Progress::UpToDate) return;
    if (progress == Progress::Blocked) break;
  }
  blocked_ = true;
  session_.connection().want_writable();
}

Reader::Progress Reader::serve_some() {
  if (session_.paused()) return Progress::UpToDate;
  const MediaLog &log = muxer_.media_log();
  if (session_.connection().output_pending()) return Progress::Blocked;
  if (cursor_ < log.oldest()) skip_to(log.newest_key_frame().value_or(log.head()));
  if (waits_for_key_frame_) return begin();
  if (cursor_ == log.head()) return Progress::UpToDate;
  return all_joined_ && sent_of_message_ == 0 ? send_run() : send_pieces();
}

// Looks for the key frame that it begins with, or goes on with.
Reader::Progress Reader::begin() {
  const MediaLog &log = muxer_.media_log();
  while (cursor_ < log.head() && !log.entry(cursor_).key_frame) {
    if (in_gap_) note_left_out(1);
    cursor_++;
  }
  if (cursor_ == log.head()) return Progress::UpToDate;
  waits_for_key_frame_ = false;
  if (std::exchange(begun_, true)) return Progress::More;
  base_ms_ = log.entry(cursor_).time_ms;
  ByteVector preface;
  muxer_.append_preface(session_.stream_number(), preface);
  return session_.connection().send(preface) ? Progress::More : Progress::Closed;
}

void Reader::skip_to(uint64_t sequence) {
  note_left_out(sequence - cursor_);
  cursor_ = sequence;
  sent_of_message_ = 0;
  waits_for_key_frame_ = true;
  all_joined_ = false;
  joined_ = {};
  if (!begun_ || std::exchange(in_gap_, true)) return;
  if (record_.skips.fetch_add(1, std::memory_order_relaxed) == 0) session_.warn_too_slow();
}

void Reader::note_left_out(uint64_t messages) {
  if (!begun_) return;
  record_.dropped.fetch_add(messages, std::memory_order_relaxed);
  record_.left_out.fetch_add(messages, std::memory_order_relaxed);
}

void Reader::let_go_before(uint64_t sequence) {
  if (cursor_ >= sequence) return;
  if (sent_of_message_ > 0 && !complete_message()) return;
}

bool Reader::complete_message() {
  if (sent_of_message_ == 0) return true;
  const MediaLog::Entry &entry = muxer_.media_log().entry(cursor_);
  ByteVector rest;
  if (sent_of_message_ < own_header_.size)
    rest.assign(own_header_.bytes.begin() + static_cast<ptrdiff_t>(sent_of_message_),
                own_header_.bytes.begin() + static_cast<ptrdiff_t>(own_header_.size));
  Bytes body = muxer_.media_log().bytes(entry).subspan(entry.header_bytes);
  size_t body_sent = sent_of_message_ - std::min(sent_of_message_, own_header_.size);
  rest.insert(rest.end(), body.begin() + static_cast<ptrdiff_t>(body_sent), body.end());
  note_sent(entry);
  account(cursor_ + 1, rest.size(), 1);
  return session_.connection().send(rest);
}

// --- what is sent ---

bool Reader::passes(const MediaLog::Entry &entry) const {
  return entry.time_ms >= base_ms_; // audio of before
}

// The shared header is right behind the message before it in the log; elsewhere it has its own.
Reader::Own Reader::header_for(const MediaLog::Entry &entry, bool joined) const {
  Own own;
  if (joined) {
    Bytes shared = muxer_.media_log().bytes(entry).first(entry.header_bytes);
    std::copy(shared.begin(), shared.end(), own.bytes.begin());
    own.size = shared.size();
    return own;
  }
  ChunkHeader header{.format = 0,
                     .chunk_stream = entry.chunk_stream,
                     .type = entry.type,
                     .stream = session_.stream_number(),
                     .timestamp = static_cast<uint32_t>(entry.time_ms - base_ms_),
                     .length = entry.length};
  if (auto last = last_ms_[entry.chunk_stream]) {
    constexpr int64_t kMost = 0xfffffe; // without an extended timestamp
    header.format = 1;
    header.timestamp = static_cast<uint32_t>(std::clamp<int64_t>(entry.time_ms - *last, 0, kMost));
  }
  own.size = write_chunk_header(own.bytes, header);
  return own;
}

void Reader::note_sent(const MediaLog::Entry &entry) {
  last_ms_[entry.chunk_stream] = entry.time_ms;
  joined_[entry.chunk_stream] = true;
  bool video = !muxer_.has_video() || joined_[kVideoChunkStream];
  bool audio = muxer_.selection().audio.empty() || joined_[kAudioChunkStream];
  all_joined_ = video && audio;
}

void Reader::account(uint64_t to, size_t bytes, uint64_t messages) {
  cursor_ = to;
  sent_of_message_ = 0;
  if (messages > 0) in_gap_ = false;
  record_.cursor.store(cursor_, std::memory_order_relaxed);
  record_.bytes_out.fetch_add(bytes, std::memory_order_relaxed);
  record_.packets_out.fetch_add(messages, std::memory_order_relaxed);
}

// `sent`: bytes that were taken. Closed: the connection is.
Reader::Progress Reader::write(std::span<const iovec> parts, size_t &sent) {
  Connection &connection = session_.connection();
  auto written = connection.socket().write(parts);
  if (!written) {
    connection.close(written.error().message);
    return Progress::Closed;
  }
  if (!*written) return Progress::Blocked;
  sent = **written;
  connection.note_progress();
  return Progress::More;
}

// All of the log from the cursor on, as it lies there.
Reader::Progress Reader::send_run() {
  const MediaLog &log = muxer_.media_log();
  MediaLog::Run run = log.run(cursor_);
  iovec part = part_of(run.bytes.first(std::min(run.bytes.size(), session_.connection().socket().largest_write())));
  size_t sent = 0;
  if (Progress progress = write({&part, 1}, sent); progress != Progress::More) return progress;
  uint64_t first = cursor_;
  uint64_t reached = sent == run.bytes.size() ? run.end : log.entry_at(first, run.end, sent);
  if (reached > first) {
    const MediaLog::Entry &latest = log.entry(reached - 1);
    last_ms_[kAudioChunkStream] = latest.audio_ms;
    last_ms_[kVideoChunkStream] = latest.video_ms;
  }
  account(reached, sent, reached - first);
  if (reached == run.end) return Progress::More;
  const MediaLog::Entry &entry = log.entry(reached);
  sent_of_message_ = sent - (entry.offset - log.entry(first).offset);
  own_header_ = header_for(entry, true);
  return sent == part.iov_len ? Progress::More : Progress::Blocked;
}

void Reader::gather(Pieces &pieces, uint64_t &end) const {
  const MediaLog &log = muxer_.media_log();
  std::array<bool, kChunkStreams> joined = joined_;
  for (end = cursor_; end < log.head() && pieces.message_count < kMaxMessages; end++) {
    const MediaLog::Entry &entry = log.entry(end);
    if (!passes(entry)) continue;
    bool begun = end == cursor_ && sent_of_message_ > 0;
    Own &own = pieces.headers[pieces.message_count];
    own = begun ? own_header_ : header_for(entry, joined[entry.chunk_stream]);
    size_t skipped = begun ? sent_of_message_ : 0;
    if (skipped < own.size)
      pieces.parts[pieces.part_count++] = part_of(Bytes(own.bytes).subspan(skipped, own.size - skipped));
    Bytes body = log.bytes(entry).subspan(entry.header_bytes);
    body = body.subspan(skipped - std::min(skipped, own.size));
    pieces.parts[pieces.part_count++] = part_of(body);
    pieces.bytes += (own.size - std::min(skipped, own.size)) + body.size();
    pieces.sequences[pieces.message_count++] = end;
    joined[entry.chunk_stream] = true;
  }
}

Reader::Progress Reader::send_pieces() {
  const MediaLog &log = muxer_.media_log();
  Pieces pieces;
  uint64_t end = cursor_;
  gather(pieces, end);
  if (pieces.message_count == 0) {
    account(end, 0, 0);
    return Progress::More;
  }
  size_t sent = 0;
  if (Progress progress = write({pieces.parts.data(), pieces.part_count}, sent); progress != Progress::More)
    return progress;
  size_t left = sent;
  for (size_t i = 0; i < pieces.message_count; i++) {
    const MediaLog::Entry &entry = log.entry(pieces.sequences[i]);
    size_t before = i == 0 && pieces.sequences[i] == cursor_ ? sent_of_message_ : 0;
    size_t size = pieces.headers[i].size + entry.bytes - entry.header_bytes - before;
    if (left < size) {
      account(pieces.sequences[i], sent, i);
      sent_of_message_ = before + left;
      own_header_ = pieces.headers[i];
      return Progress::Blocked;
    }
    left -= size;
    note_sent(entry);
  }
  account(end, sent, pieces.message_count);
  return Progress::More;
}

} // namespace sluice::rtmp
