#include "workers/rtsp/connection.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "workers/rtsp/protocol/interleaved.h"
#include "workers/rtsp/protocol/sdp.h"
#include "workers/rtsp/publisher.h"
#include "workers/rtsp/reader.h"
#include "workers/rtsp/server.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::rtsp {
namespace {

constexpr Nanoseconds kIdleTimeout = 60 * kSecond; // of a connection that plays and records nothing

static_assert(shm::kLargeBufferBytes + 1024 <= control::kMaxMessageBytes); // hand_over()
static_assert(sizeof(ConnectionRecordState) <= sizeof(shm::ConnectionRecord::protocol_state));
static_assert(sizeof(SessionState) <= sizeof(shm::SessionRecord::protocol_state));

PeerAddress to_peer_address(const loop::SocketAddress &address) {
  PeerAddress peer;
  loop::SocketAddress v6 = address.in_family(AF_INET6);
  const auto &raw = *reinterpret_cast<const sockaddr_in6 *>(v6.raw());
  std::memcpy(peer.ip, raw.sin6_addr.s6_addr, sizeof peer.ip);
  peer.zone = raw.sin6_scope_id;
  peer.port = v6.port();
  return peer;
}

} // namespace

Connection::Connection(Server &server, shm::ConnectionRecord &record, const loop::SocketAddress &peer,
                       loop::StreamSocket socket)
    : server_(server), record_(record), peer_(peer), peer_text_(peer.text()), socket_(std::move(socket)),
      poll_(server.event_loop(), record.fd, *this), last_input_ns_(server.event_loop().now()) {
  peer_text_.copy(record_.peer, sizeof record_.peer - 1);
  new (record_.protocol_state) ConnectionRecordState{};
  state().id = record_.id;
  state().peer = to_peer_address(peer);
  log(LogLevel::Info, "[{}] [conn {}] opened", label(), peer_text_);
  update_watch();
}

Connection::~Connection() {
  if (reported_) server_.supervisor().send(control::Closed{.connection = id()});
  poll_.watch(0);
  record_.state.store(shm::RecordState::Closing, std::memory_order_release); // before the number can be reused
  ::close(record_.fd);
  server_.allocator().give_back(record_);
}

void Connection::report(uint64_t token) {
  reported_ = true;
  server_.supervisor().send(control::Connected{.connection = id(), .token = token, .client = peer_text_, .tls = tls()});
}

Session *Connection::session() {
  return server_.find_session(state().session);
}

// --- input ---

void Connection::on_poll(int, int events) {
  if ((events & loop::Poll::kReadable) != 0) {
    if (phase_ == Phase::Lingering)
      discard_input();
    else
      receive();
  }
  if (phase_ == Phase::Retired) return;
  if ((events & loop::Poll::kWritable) != 0) {
    flush_output();
    if (phase_ == Phase::Retired) return;
    if (!output_pending() && wants_writable_) {
      wants_writable_ = false;
      if (Session *mine = session(); mine != nullptr && mine->reader() != nullptr) mine->reader()->on_writable();
    }
  }
  if (phase_ != Phase::Retired) update_watch();
}

void Connection::update_watch() {
  int events = 0;
  bool reads = phase_ == Phase::Open || phase_ == Phase::Lingering;
  if (reads && !input_paused_ && !stalled_) {
    events |= loop::Poll::kReadable;
    // Its bytes are here already, so its descriptor tells nothing.
    if (socket_.has_unread() && !std::exchange(unread_queued_, true)) server_.read_again(*this);
  }
  if (output_pending() || wants_writable_) events |= loop::Poll::kWritable;
  poll_.watch(events);
}

// Room for at least one byte more.
bool Connection::make_input_room() {
  shm::TableAllocator &allocator = server_.allocator();
  MutableBytes buffer = allocator.table().buffer(record_.input);
  if (record_.input_length < buffer.size()) return true;
  Session *mine = session();
  bool publishes = mine != nullptr && mine->publisher() != nullptr;
  size_t wanted = buffer.empty() && !publishes ? shm::kSmallBufferBytes : shm::kLargeBufferBytes;
  if (buffer.size() >= wanted) return false; // the largest there is
  using Claim = shm::TableAllocator::Claim;
  shm::BufferId larger = allocator.take_buffer(wanted, publishes ? Claim::Reserved : Claim::Ordinary);
  if (larger == 0 && publishes && buffer.empty()) larger = allocator.take_buffer(shm::kSmallBufferBytes);
  if (larger == 0) return false;
  MutableBytes target = allocator.table().buffer(larger);
  std::copy(buffer.begin(), buffer.end(), target.begin());
  wipe(buffer); // credentials may be in it
  allocator.give_back(record_.input);
  record_.input = larger;
  return true;
}

// A larger buffer would help, if there were one.
bool Connection::could_be_larger() {
  return server_.allocator().table().buffer(record_.input).size() < shm::kLargeBufferBytes;
}

void Connection::receive() {
  for (int i = 0; i < kReadsPerTurn; i++)
    if (!receive_once() || !socket_.has_unread()) return;
}

// False: nothing came, or the connection waits or closes.
bool Connection::receive_once() {
  if (phase_ != Phase::Open || input_paused_ || stalled_) return false;
  bool shakes_hands = socket_.handshaking(); // which takes no room
  if (!shakes_hands && !make_input_room()) {
    Session *mine = session();
    if (mine == nullptr || mine->publisher() == nullptr || !could_be_larger()) {
      close("request too large, or no input buffer left");
      return false;
    }
    input_paused_ = awaits_buffer_ = true; // on_second() tries again
    update_watch();
    return false;
  }
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  auto count = socket_.read(shakes_hands ? MutableBytes() : buffer.subspan(record_.input_length));
  if (!count || *count == std::optional<size_t>(0)) {
    close(count ? "EOF" : count.error().message);
    return false;
  }
  if (!*count) {
    if (record_.input_length == 0) server_.allocator().give_back(record_.input);
    return shakes_hands && !socket_.handshaking(); // a request may have come along
  }
  last_input_ns_ = server_.event_loop().now();
  last_input_wall_ns_ = wall_now();
  record_.input_length += static_cast<uint32_t>(**count);
  record_.received_bytes.fetch_add(**count, std::memory_order_relaxed);
  process_input();
  return true;
}

void Connection::on_unread() {
  unread_queued_ = false;
  receive();
  if (phase_ != Phase::Retired) update_watch();
}

void Connection::take_over_input(Bytes unread, uint64_t received_bytes) {
  record_.received_bytes.store(received_bytes, std::memory_order_relaxed);
  while (server_.allocator().table().buffer(record_.input).size() < unread.size()) {
    record_.input_length = static_cast<uint32_t>(server_.allocator().table().buffer(record_.input).size());
    if (!make_input_room()) return close("no input buffer left");
  }
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  std::copy(unread.begin(), unread.end(), buffer.begin());
  record_.input_length = static_cast<uint32_t>(unread.size());
  process_input();
}

void Connection::process_input() {
  Bytes input = server_.allocator().table().buffer(record_.input).first(record_.input_length);
  size_t done = 0;
  while (phase_ == Phase::Open && !input_paused_ && !stalled_ && done < input.size()) {
    consumed_this_turn_ = done;
    auto consumed = process_item(input.subspan(done));
    if (!consumed) break;
    done += *consumed;
  }
  if (phase_ != Phase::Open && phase_ != Phase::Asking) return; // its input is gone
  consume(done);
  if (done > 0 || record_.input_length == 0) incomplete_since_ns_ = 0;
  if (record_.input_length > 0 && incomplete_since_ns_ == 0) incomplete_since_ns_ = last_input_ns_;
  if (Session *mine = session(); mine != nullptr && done > 0)
    mine->on_input_end(record_.received_bytes.load(std::memory_order_relaxed) - record_.input_length, last_input_ns_);
  if (phase_ != Phase::Retired) update_watch();
}

void Connection::consume(size_t bytes) {
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  CHECK(bytes <= record_.input_length);
  auto kept = buffer.subspan(bytes, record_.input_length - bytes);
  std::copy(kept.begin(), kept.end(), buffer.begin());
  if (std::exchange(wipe_input_, false)) wipe(buffer.subspan(kept.size(), bytes));
  record_.input_length -= static_cast<uint32_t>(bytes);
  if (record_.input_length == 0) server_.allocator().give_back(record_.input);
}

std::optional<size_t> Connection::process_item(Bytes input) {
  auto item = next_item(input);
  if (!item) {
    close(item.error().message);
    return std::nullopt;
  }
  if (!*item) return std::nullopt;
  switch ((*item)->kind) {
  case ItemKind::Frame:
    return process_frame(input, (*item)->skip);
  case ItemKind::Request:
    return process_request(input);
  case ItemKind::Response: {
    auto response = parse_response(input);
    if (!response) {
      close(response.error().message);
      return std::nullopt;
    }
    return *response ? std::optional((*response)->consumed) : std::nullopt;
  }
  }
  return std::nullopt;
}

std::optional<size_t> Connection::process_frame(Bytes input, size_t skip) {
  auto frame = parse_frame(input.subspan(skip));
  if (!frame) return std::nullopt;
  Session *mine = session();
  if (mine != nullptr && mine->state().tcp_connection == id()) {
    server_.note_blame(mine != nullptr ? mine->id() : 0);
    auto result = mine->on_frame(frame->channel, frame->payload, last_input_ns_, last_input_wall_ns_);
    if (!result) {
      close(result.error().message);
      return std::nullopt;
    }
  }
  return skip + frame->consumed; // frames of nobody's are ignored
}

std::optional<size_t> Connection::process_request(Bytes input) {
  ConnectionRecordState &shared = shared_state();
  auto parsed = parse_request(input, shared.hint);
  if (!parsed) {
    close(parsed.error().message);
    return std::nullopt;
  }
  if (!*parsed) return std::nullopt;
  if (server_.supervisor().congested()) {
    stalled_ = true;
    server_.wait_for_channel(*this);
    return std::nullopt; // to be parsed again
  }
  shared.hint = {};
  had_request_ = true;
  request_bytes_ = (*parsed)->consumed;
  handle(**parsed);
  if (phase_ == Phase::Asking || phase_ == Phase::Retired) return std::nullopt;
  return request_bytes_;
}

void Connection::discard_input() {
  uint8_t scrap[16 * 1024];
  ssize_t count = ::recv(record_.fd, scrap, sizeof scrap, MSG_DONTWAIT);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) return;
  phase_ = Phase::Retired;
  server_.retire(*this);
}

void Connection::on_channel_room() {
  if (!std::exchange(stalled_, false)) return;
  last_input_ns_ = server_.event_loop().now();
  if (phase_ == Phase::Open) process_input();
  if (phase_ != Phase::Retired) update_watch();
}

void Connection::pause_input() {
  input_paused_ = true;
  update_watch();
}

void Connection::resume_input() {
  if (!input_paused_) return;
  input_paused_ = false;
  last_input_ns_ = server_.event_loop().now();
  if (phase_ == Phase::Open) process_input();
  if (phase_ != Phase::Retired) update_watch();
}

// --- the end ---

void Connection::on_second(Nanoseconds now) {
  const control::WorkerSettings &settings = server_.settings();
  if (phase_ == Phase::Lingering) {
    if (now < linger_until_ns_) return;
    phase_ = Phase::Retired;
    return server_.retire(*this);
  }
  if (phase_ == Phase::Retired) return;
  if (phase_ == Phase::Delaying) {
    if (now < delayed_until_ns_) return;
    phase_ = Phase::Open;
    return finish(std::move(*std::exchange(delayed_reply_, nullptr)));
  }
  if (blocked_since_ns_ != 0) { // the kernel says that there is room only once there is much: ask what the peer took
    size_t before = std::exchange(blocked_bytes_, loop::unacknowledged_bytes(record_.fd));
    if (blocked_bytes_ < before) blocked_since_ns_ = now;
  }
  if (blocked_since_ns_ != 0 && now - blocked_since_ns_ > settings.write_timeout_ns)
    return close("write timeout: the client does not read");
  if (std::exchange(awaits_buffer_, false)) resume_input();
  if (phase_ == Phase::Asking || phase_ == Phase::Retired || input_paused_ || stalled_) return;
  Session *mine = session();
  Nanoseconds silent = now - last_input_ns_;
  bool records = mine != nullptr && mine->state().state == State::Record && mine->state().tcp_connection == id();
  bool overdue = incomplete_since_ns_ != 0 && now - incomplete_since_ns_ > settings.read_timeout_ns;
  if (overdue || ((records || !had_request_) && silent > settings.read_timeout_ns)) return close("read timeout");
  bool busy = mine != nullptr && (mine->state().state == State::Play || mine->state().state == State::Record);
  if (!busy && silent > kIdleTimeout) close("idle for too long");
}

void Connection::end(const std::string &reason) {
  close(reason);
  if (phase_ != Phase::Lingering || output_pending()) return;
  loop::close_in_order(record_.fd);
  phase_ = Phase::Retired;
  server_.retire(*this);
}

void Connection::close(const std::string &reason) {
  if (phase_ == Phase::Lingering || phase_ == Phase::Retired) return;
  phase_ = Phase::Lingering;
  log(LogLevel::Info, "[{}] [conn {}] closed ({})", label(), peer_text_, reason);
  forget_request();
  delayed_reply_.reset();
  wipe(server_.allocator().table().buffer(record_.input).first(record_.input_length));
  server_.allocator().give_back(record_.input);
  record_.input_length = 0;
  wants_writable_ = input_paused_ = stalled_ = awaits_buffer_ = false;
  if (Session *mine = session(); mine != nullptr && unlink(state(), mine->state())) mine->close("not in use", this);
  if (!output_queued()) say_goodbye();
  Nanoseconds wait = output_pending() ? server_.settings().write_timeout_ns : kLinger;
  linger_until_ns_ = server_.event_loop().now() + wait;
  update_watch();
}

} // namespace sluice::rtsp
