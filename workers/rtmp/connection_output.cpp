// What a connection sends of its own: answers and the like, through a small queue.

#include "workers/rtmp/connection.h"
#include "workers/rtmp/server.h"

#include <sys/socket.h>

#include <utility>

namespace sluice::rtmp {

bool Connection::send(Bytes bytes) {
  if (phase_ == Phase::Retired) return false;
  if (Session *mine = session(); mine != nullptr && !mine->complete_message()) return false;
  if (bytes.empty()) return phase_ == Phase::Open;
  bool idle = !output_pending();
  if (output_begin_ > 0 && output_begin_ == output_.size()) output_.clear(), output_begin_ = 0;
  bool plays = session_ && session_->role() == Session::Role::Play;
  size_t limit = kMaxOutputBytes + (plays ? body_bytes({.length = kMaxMessageBytes}) + kMaxChunkHeaderBytes : 0);
  if (output_.size() - output_begin_ + bytes.size() > limit) {
    close("the client does not read");
    return false;
  }
  output_.insert(output_.end(), bytes.begin(), bytes.end());
  if (idle) flush_output();
  return phase_ == Phase::Open || phase_ == Phase::Delaying;
}

void Connection::flush_output() {
  auto flushed = socket_.flush();
  if (!flushed) return on_write_error(flushed.error().message);
  if (*flushed) blocked_since_ns_ = 0;
  while (output_begin_ < output_.size()) {
    auto count = socket_.write(Bytes(output_).subspan(output_begin_));
    if (!count) return on_write_error(count.error().message);
    if (!*count) break;
    blocked_since_ns_ = 0;
    output_begin_ += **count;
    record_.sent_bytes.fetch_add(**count, std::memory_order_relaxed);
  }
  if (output_begin_ == output_.size()) {
    output_ = ByteVector(); // it is needed seldom
    output_begin_ = 0;
    if (phase_ == Phase::Lingering) say_goodbye();
  }
  if (output_pending() && blocked_since_ns_ == 0) blocked_since_ns_ = server_.event_loop().now();
  update_watch();
}

void Connection::on_write_error(const std::string &reason) {
  output_ = ByteVector(); // nobody will read it
  output_begin_ = 0;
  if (processing_ && session_ && session_->publishes())
    write_error_ = reason; // what it sent before it went is still published
  else
    close(reason);
}

void Connection::say_goodbye() {
  if (!std::exchange(said_goodbye_, true)) socket_.shutdown();
  if (!output_pending()) ::shutdown(record_.fd, SHUT_WR);
}

void Connection::want_writable() {
  wants_writable_ = true;
  if (blocked_since_ns_ == 0) blocked_since_ns_ = server_.event_loop().now();
  update_watch();
}

void Connection::note_progress() {
  blocked_since_ns_ = 0;
  if (!socket_.wants_write()) return;
  blocked_since_ns_ = server_.event_loop().now();
  update_watch();
}

} // namespace sluice::rtmp
