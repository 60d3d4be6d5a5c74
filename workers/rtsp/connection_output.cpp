#include "workers/rtsp/connection.h"
#include "workers/rtsp/server.h"

#include <sys/socket.h>

#include <algorithm>

namespace sluice::rtsp {

bool Connection::send(Bytes bytes, const char *reason) {
  shm::TableAllocator &allocator = server_.allocator();
  MutableBytes buffer = allocator.table().buffer(record_.output);
  size_t queued = record_.output_end - record_.output_begin;
  if (buffer.size() - record_.output_end < bytes.size()) {
    shm::BufferId larger = record_.output;
    if (buffer.size() < queued + bytes.size()) larger = allocator.take_buffer(queued + bytes.size());
    MutableBytes target = allocator.table().buffer(larger);
    if (target.size() < queued + bytes.size()) {
      close(reason);
      return false;
    }
    auto kept = buffer.subspan(record_.output_begin, queued);
    std::copy(kept.begin(), kept.end(), target.begin()); // to the front of the same buffer, perhaps
    if (larger != record_.output) {
      allocator.give_back(record_.output);
      record_.output = larger;
    }
    record_.output_begin = 0;
    record_.output_end = static_cast<uint32_t>(queued);
    buffer = target;
  }
  std::copy(bytes.begin(), bytes.end(), buffer.begin() + record_.output_end);
  record_.output_end += static_cast<uint32_t>(bytes.size());
  if (queued == 0) flush_output();
  return phase_ == Phase::Open || phase_ == Phase::Asking;
}

void Connection::flush_output() {
  auto flushed = socket_.flush();
  if (!flushed) return on_write_error(flushed.error().message);
  if (*flushed) blocked_since_ns_ = 0;
  MutableBytes buffer = server_.allocator().table().buffer(record_.output);
  while (output_queued()) {
    auto count = socket_.write(buffer.subspan(record_.output_begin, record_.output_end - record_.output_begin));
    if (!count) return on_write_error(count.error().message);
    if (!*count) break;
    blocked_since_ns_ = 0;
    record_.output_begin += static_cast<uint32_t>(**count);
    record_.sent_bytes.fetch_add(**count, std::memory_order_relaxed);
  }
  if (!output_queued()) {
    record_.output_begin = record_.output_end = 0;
    server_.allocator().give_back(record_.output);
    if (phase_ == Phase::Lingering) say_goodbye();
  }
  if (output_pending() && blocked_since_ns_ == 0) blocked_since_ns_ = server_.event_loop().now();
  if (phase_ != Phase::Retired) update_watch();
}

void Connection::on_write_error(const std::string &reason) {
  record_.output_begin = record_.output_end = 0; // nobody will read it
  server_.allocator().give_back(record_.output);
  close(reason);
}

// Once all that was queued has left, or is about to.
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

} // namespace sluice::rtsp
