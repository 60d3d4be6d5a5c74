#include "workers/base/source_connection.h"

#include "common/base/check.h"
#include "common/base/secret.h"
#include "workers/base/server.h"

#include <algorithm>
#include <cerrno>

namespace sluice::worker {

SourceConnection::SourceConnection(Server &server, Listener &listener, shm::ConnectionRecord &record, Target target)
    : server_(server), listener_(listener), record_(record), target_(std::move(target)),
      timer_(server.event_loop(), *this), next_turn_(server.event_loop(), *this) {
  record_.fd = -1;
}

SourceConnection::~SourceConnection() {
  close();
  record_.state.store(shm::RecordState::Closing, std::memory_order_release);
  server_.allocator().give_back(record_);
}

// --- connecting ---

void SourceConnection::connect() {
  CHECK(state_ == State::Closed);
  next_address_ = 0;
  try_next("no address to connect to");
}

void SourceConnection::try_next(std::string failure) {
  while (next_address_ < target_.addresses.size()) {
    close();
    const loop::SocketAddress &address = target_.addresses[next_address_++];
    auto begun = begin(address);
    if (begun) return;
    failure = begun.error().message;
  }
  disconnect(failure);
}

Result<void> SourceConnection::begin(const loop::SocketAddress &address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return os_error("socket");
  loop::prepare_stream_socket(fd.get());
  if (::connect(fd.get(), address.raw(), address.length()) != 0 && errno != EINPROGRESS)
    return os_error("connect " + address.text());
  record_.cookie = loop::socket_cookie(fd.get());
  record_.fd = fd.release();
  server_.count_descriptors(1);
  peer_ = address;
  poll_ = std::make_unique<loop::Poll>(server_.event_loop(), record_.fd, *this);
  poll_->watch(loop::Poll::kWritable);
  auto share = server_.settings().read_timeout_ns / static_cast<int64_t>(target_.addresses.size());
  timer_.start(std::max<Nanoseconds>(share, kShortestAttempt));
  state_ = State::Connecting;
  return {};
}

Result<void> SourceConnection::open_stream() {
  if (target_.tls)
    socket_ = TRY(loop::StreamSocket::connect_tls(record_.fd, *target_.tls, target_.host));
  else
    socket_.emplace(record_.fd);
  return {};
}

void SourceConnection::finish_connecting() {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(record_.fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    errno = error;
    return try_next(os_error("connect " + peer_.text()).message);
  }
  if (auto opened = open_stream(); !opened) return try_next(opened.error().message);
  timer_.stop();
  if (auto local = loop::SocketAddress::local_of(record_.fd)) local_ = *local;
  std::string text = peer_.text();
  std::fill(std::begin(record_.peer), std::end(record_.peer), '\0');
  text.copy(record_.peer, sizeof record_.peer - 1);
  state_ = State::Connected;
  update_watch();
  listener_.on_connected();
}

void SourceConnection::on_timer(loop::Timer &) {
  if (state_ == State::Connecting) return try_next("connect " + peer_.text() + ": no answer");
  awaits_buffer_ = false; // perhaps there is one by now
  update_watch();
}

void SourceConnection::on_next_turn() {
  if ((state_ != State::Connected && state_ != State::Finishing) || paused_ || awaits_buffer_ || !socket_->has_unread())
    return;
  uint64_t generation = generation_;
  receive();
  if (generation == generation_) update_watch();
}

void SourceConnection::disconnect(const std::string &reason) {
  close();
  listener_.on_disconnected(reason);
}

void SourceConnection::close() {
  generation_++;
  state_ = State::Closed;
  timer_.stop();
  poll_.reset();
  socket_.reset(); // before its descriptor's number can be another's
  if (record_.fd >= 0) {
    int fd = std::exchange(record_.fd, -1);
    record_.cookie = 0;
    loop::close_in_order(fd);
    ::close(fd);
    server_.count_descriptors(-1);
  }
  server_.allocator().give_back(record_.input);
  record_.input_length = 0;
  paused_ = expects_media_ = awaits_buffer_ = false;
  forget_output();
}

// --- input ---

void SourceConnection::on_poll(int, int events) {
  if (state_ == State::Connecting) return finish_connecting();
  uint64_t generation = generation_;
  if ((events & loop::Poll::kWritable) != 0) flush();
  if (generation == generation_ && (events & loop::Poll::kReadable) != 0 && !paused_ && !awaits_buffer_) receive();
  if (generation == generation_) update_watch();
}

void SourceConnection::update_watch() {
  if (!socket_) return;
  bool writes = socket_->wants_write() || (output_pending() && !socket_->handshaking());
  bool reads = !paused_ && !awaits_buffer_;
  poll_->watch((reads ? loop::Poll::kReadable : 0) | (writes ? loop::Poll::kWritable : 0));
  if (reads && socket_->has_unread()) next_turn_.request();
}

// Media needs a large buffer, and so does a long description.
bool SourceConnection::make_input_room() {
  shm::TableAllocator &allocator = server_.allocator();
  MutableBytes buffer = allocator.table().buffer(record_.input);
  bool full = record_.input_length == buffer.size(); // also that which is not there
  if (buffer.size() == shm::kLargeBufferBytes) return !full;
  shm::BufferId larger = 0;
  if (expects_media_ || (full && !buffer.empty()))
    larger = allocator.take_buffer(shm::kLargeBufferBytes, shm::TableAllocator::Claim::Reserved);
  if (larger == 0 && buffer.empty()) larger = allocator.take_buffer(shm::kSmallBufferBytes);
  if (larger == 0) return !full;
  move_input(larger, buffer.first(record_.input_length));
  return true;
}

// To the begin of a buffer, the same or another, of what stands in the buffer there is.
void SourceConnection::move_input(shm::BufferId target, Bytes bytes) {
  shm::TableAllocator &allocator = server_.allocator();
  std::copy(bytes.begin(), bytes.end(), allocator.table().buffer(target).begin());
  record_.input_length = static_cast<uint32_t>(bytes.size());
  if (target == record_.input) return;
  allocator.give_back(record_.input);
  record_.input = target;
}

// A large buffer is for the time of a receive, so that a few serve all sources, and stay in the processor's caches.
void SourceConnection::keep(Bytes rest) {
  shm::TableAllocator &allocator = server_.allocator();
  if (rest.empty()) {
    record_.input_length = 0;
    return allocator.give_back(record_.input);
  }
  shm::BufferId small = 0;
  bool in_large = allocator.table().buffer(record_.input).size() == shm::kLargeBufferBytes;
  if (in_large && rest.size() <= shm::kSmallBufferBytes) small = allocator.take_buffer(shm::kSmallBufferBytes);
  move_input(small != 0 ? small : record_.input, rest);
}

void SourceConnection::receive() {
  if (!make_input_room()) {
    if (server_.allocator().table().buffer(record_.input).size() == shm::kLargeBufferBytes)
      return disconnect("message too large");
    constexpr Nanoseconds kRetry = 50 * kMillisecond;
    awaits_buffer_ = true;
    return timer_.start(kRetry);
  }
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  auto count = socket_->read(buffer.subspan(record_.input_length));
  if (!count) return disconnect(count.error().message);
  if (!*count) return keep(buffer.first(record_.input_length));
  if (**count == 0) return disconnect("the server closed the connection");
  record_.input_length += static_cast<uint32_t>(**count);
  record_.received_bytes.fetch_add(**count, std::memory_order_relaxed);
  if (state_ == State::Finishing)
    record_.input_length = 0;
  else
    offer();
}

void SourceConnection::offer() {
  uint64_t generation = generation_;
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  size_t taken = listener_.on_received(buffer.first(record_.input_length));
  if (generation != generation_ || state_ != State::Connected) return;
  CHECK(taken <= record_.input_length);
  keep(buffer.subspan(taken, record_.input_length - taken));
}

void SourceConnection::pause() {
  paused_ = true;
  update_watch();
}

void SourceConnection::resume() {
  if (!std::exchange(paused_, false)) return;
  uint64_t generation = generation_;
  if (record_.input_length > 0) offer();
  if (generation == generation_) update_watch();
}

// --- output ---

bool SourceConnection::send(std::string &bytes) {
  bool fits = state_ == State::Connected && output_.size() + bytes.size() <= kMaxOutputBytes;
  bool was_idle = !output_pending();
  if (fits) output_.reserve(kMaxOutputBytes); // it may hold credentials: no copies are left behind
  if (fits) output_.insert(output_.end(), bytes.begin(), bytes.end());
  wipe(bytes);
  if (fits && was_idle) flush();
  if (fits) update_watch();
  return fits;
}

// A connection that is broken is noticed when it is read.
void SourceConnection::flush() {
  bool had_output = output_pending();
  (void)socket_->flush();
  while (output_begin_ < output_.size()) {
    auto count = socket_->write(Bytes(output_).subspan(output_begin_));
    if (count && !*count) return;
    output_begin_ = count ? output_begin_ + **count : output_.size();
  }
  forget_output();
  if (had_output && !output_pending()) listener_.on_all_sent();
}

// Requests are rare, and sources may be many: no memory is kept for the next.
void SourceConnection::forget_output() {
  wipe(output_);
  output_ = ByteVector();
  output_begin_ = 0;
}

void SourceConnection::finish() {
  if (state_ != State::Connected) return close();
  state_ = State::Finishing;
  paused_ = false;
  record_.input_length = 0;
  socket_->shutdown();
  ::shutdown(record_.fd, SHUT_WR);
  update_watch();
}

} // namespace sluice::worker
