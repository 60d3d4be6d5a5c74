#include "workers/rtmp/connection.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/secret.h"
#include "workers/rtmp/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::rtmp {

Connection::Connection(Server &server, shm::ConnectionRecord &record, const loop::SocketAddress &peer,
                       loop::StreamSocket socket, std::string rejection)
    : server_(server), record_(record), peer_text_(peer.text()), socket_(std::move(socket)),
      poll_(server.event_loop(), record.fd, *this),
      machine_({.seed = secure_random(),
                .time_ms = static_cast<uint32_t>(server.event_loop().now() / kMillisecond),
                .rejection = std::move(rejection)}),
      opened_ns_(server.event_loop().now()), last_input_ns_(opened_ns_), silent_since_ns_(opened_ns_) {
  peer_text_.copy(record_.peer, sizeof record_.peer - 1);
  record_.tls = socket_.is_tls();
  log(LogLevel::Info, "[{}] [conn {}] opened", label(), peer_text_);
  update_watch();
}

Connection::~Connection() {
  session_.reset();
  if (reported_) server_.supervisor().send(control::Closed{.connection = id()});
  poll_.watch(0);
  record_.state.store(shm::RecordState::Closing, std::memory_order_release); // before the number can be reused
  ::close(record_.fd);
  server_.allocator().give_back(record_);
}

void Connection::report() {
  reported_ = true;
  server_.supervisor().send(control::Connected{.connection = id(), .token = 0, .client = peer_text_, .tls = tls()});
}

// --- input ---

bool Connection::takes_input() const {
  return phase_ == Phase::Open && !stalled_ && !awaits_buffer_ && !expected_ && (!session_ || session_->wants_input());
}

void Connection::update_watch() {
  if (phase_ == Phase::Retired) return;
  int events = asks() ? loop::Poll::kHungUp : 0;
  if (takes_input() || phase_ == Phase::Lingering || phase_ == Phase::Delaying) {
    events |= loop::Poll::kReadable;
    // Its bytes are here already, so its descriptor tells nothing.
    if (socket_.has_unread() && !std::exchange(unread_queued_, true)) server_.read_again(*this);
  }
  if (output_pending() || wants_writable_) events |= loop::Poll::kWritable;
  poll_.watch(events);
}

// Its input waits for the answer, so its end is not read. A publisher that was admitted has media in there.
bool Connection::asks() const {
  return phase_ == Phase::Open && expected_ && session_ && session_->asks();
}

void Connection::on_poll(int, int events) {
  if ((events & loop::Poll::kHungUp) != 0 && asks()) close("the client has left before it was answered");
  if ((events & loop::Poll::kReadable) != 0) {
    if (phase_ == Phase::Open)
      receive();
    else
      discard_input();
  }
  if (phase_ == Phase::Retired) return;
  if ((events & loop::Poll::kWritable) != 0) {
    flush_output();
    if (phase_ == Phase::Retired) return;
    if (!output_pending() && std::exchange(wants_writable_, false))
      if (Session *mine = session()) mine->on_writable();
  }
  update_watch();
}

void Connection::on_unread() {
  unread_queued_ = false;
  if (phase_ == Phase::Open) receive();
  update_watch();
}

void Connection::receive() {
  for (int i = 0; i < kReadsPerTurn; i++)
    if (!receive_once() || !socket_.has_unread()) return;
}

// A publisher's is large, for as long as something is received, so that a few serve all of them.
bool Connection::make_input_room() {
  shm::TableAllocator &allocator = server_.allocator();
  MutableBytes buffer = allocator.table().buffer(record_.input);
  bool publishes = session_ && session_->publishes();
  shm::BufferId larger = 0;
  if (publishes && buffer.size() < shm::kLargeBufferBytes)
    larger = allocator.take_buffer(shm::kLargeBufferBytes, shm::TableAllocator::Claim::Reserved);
  if (larger == 0 && buffer.empty()) larger = allocator.take_buffer(shm::kSmallBufferBytes);
  if (larger == 0) return record_.input_length < buffer.size();
  std::copy(buffer.begin(), buffer.begin() + record_.input_length, allocator.table().buffer(larger).begin());
  if (!buffer.empty()) wipe(buffer); // credentials may be in it
  allocator.give_back(record_.input);
  record_.input = larger;
  return true;
}

// False: nothing came, or the connection waits or closes.
bool Connection::receive_once() {
  if (!takes_input()) return false;
  bool shakes_hands = socket_.handshaking(); // which takes no room
  if (!shakes_hands && !make_input_room()) {
    awaits_buffer_ = true; // on_second() tries again
    return false;
  }
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  auto count = socket_.read(shakes_hands ? MutableBytes() : buffer.subspan(record_.input_length));
  if (!count || *count == std::optional<size_t>(0)) {
    close(count ? "EOF" : count.error().message);
    return false;
  }
  if (!*count) {
    keep(buffer.first(record_.input_length));
    return shakes_hands && !socket_.handshaking(); // a first message may have come along
  }
  last_input_ns_ = server_.event_loop().now();
  last_input_wall_ns_ = wall_now();
  record_.input_length += static_cast<uint32_t>(**count);
  record_.received_bytes.fetch_add(**count, std::memory_order_relaxed);
  process_input();
  return true;
}

void Connection::process_input() {
  if (processing_) return; // an answer came while a message is being taken; the loop there goes on
  processing_ = true;
  MutableBytes buffer = server_.allocator().table().buffer(record_.input);
  Bytes input = buffer.first(record_.input_length);
  size_t done = 0;
  ServerEffects effects;
  ByteVector out;
  while (takes_input() && done < input.size()) {
    if (!session() && server_.supervisor().congested()) { // there may be something to ask
      stalled_ = true;
      server_.wait_for_channel(*this);
      break;
    }
    server_.note_blame(session_ ? session_->id() : 0);
    auto taken = machine_.on_input(input.subspan(done), *this, effects, out);
    // Small answers leave together: a call to the kernel for each would be a lot of work for a few bytes.
    bool due = !taken || !effects.empty() || out.size() >= kAnswersBytes;
    if (due && !out.empty() && !send(std::exchange(out, {}))) break;
    if (!taken) {
      close(taken.error().message);
      break;
    }
    if (*taken == 0) break;
    done += *taken;
    if (!effects.empty()) perform(effects);
    effects.clear();
  }
  if (!out.empty()) (void)send(out);
  processing_ = false;
  if (!write_error_.empty()) close(std::exchange(write_error_, {}));
  if (phase_ != Phase::Open) return forget_input();
  keep(input.subspan(done));
  if (Session *mine = session())
    mine->on_input_end(record_.received_bytes.load(std::memory_order_relaxed) - record_.input_length, last_input_ns_);
}

// What is left of the input, mostly nothing or the front of a header.
void Connection::keep(Bytes rest) {
  shm::TableAllocator &allocator = server_.allocator();
  MutableBytes buffer = allocator.table().buffer(record_.input);
  bool secret = !session_ || !session_->publishes();
  shm::BufferId small = 0;
  if (!rest.empty() && rest.size() <= shm::kSmallBufferBytes && buffer.size() > shm::kSmallBufferBytes)
    small = allocator.take_buffer(shm::kSmallBufferBytes);
  size_t used = record_.input_length;
  record_.input_length = static_cast<uint32_t>(rest.size());
  std::copy(rest.begin(), rest.end(), small != 0 ? allocator.table().buffer(small).begin() : buffer.begin());
  if (secret) wipe(small != 0 ? buffer.first(used) : buffer.subspan(rest.size(), used - rest.size()));
  if (!rest.empty() && small == 0) return;
  allocator.give_back(record_.input);
  record_.input = small;
}

Result<void> Connection::on_media(const MediaMessage &message) {
  Session *mine = session();
  return mine != nullptr && mine->publishes() ? mine->on_media(message) : Result<void>{};
}

void Connection::go_on() {
  if (phase_ != Phase::Open) return;
  last_input_ns_ = server_.event_loop().now();
  process_input();
  update_watch();
}

void Connection::discard_input() {
  uint8_t scrap[16 * 1024];
  ssize_t count = ::recv(record_.fd, scrap, sizeof scrap, MSG_DONTWAIT);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) return;
  if (phase_ == Phase::Delaying) return close(delayed_reason_);
  retire();
}

// --- what the client wants ---

void Connection::perform(ServerEffects &effects) {
  for (ServerEffect &effect : effects) {
    if (phase_ != Phase::Open) return;
    std::visit([this](auto &which) { perform(which); }, effect);
  }
}

void Connection::perform(server::PublishRequested &effect) {
  wipe(effect.app_url);
  begin_session(Session::Role::Publish, std::move(effect.path), effect.query);
}

void Connection::perform(server::PlayRequested &effect) {
  wipe(effect.app_url);
  begin_session(Session::Role::Play, std::move(effect.path), effect.query);
}

void Connection::perform(const server::PauseChanged &effect) {
  if (Session *mine = session()) mine->set_paused(effect.paused);
}

void Connection::perform(const server::Finished &) {
  end_session();
  opened_ns_ = last_input_ns_; // what it wants next is to come as soon as after its begin
}

void Connection::begin_session(Session::Role role, std::string path, std::string &query) {
  end_session();
  if (phase_ != Phase::Open) return;
  shm::SessionRecord *record = server_.allocator().take_session();
  if (record == nullptr) {
    ByteVector out;
    machine_.refuse(role == Session::Role::Publish ? Refusal::PublishDenied : Refusal::PlayFailed, "the server is full",
                    out);
    if (send(out)) close("the session table is full");
    return;
  }
  uint32_t low = server_.identify(*record);
  server_.add_session(low, *this);
  session_ = std::make_unique<Session>(server_, *this, *record, role, std::move(path));
  record_.session = session_->id();
  session_->ask(query);
}

void Connection::forget_question() {
  if (expected_) server_.forget(*expected_);
  expected_.reset();
}

void Connection::end_session() {
  forget_question();
  if (!session_) return;
  if (Session *mine = session()) (void)mine->complete_message(); // what comes next is not torn; may close
  session_->close();
  record_.session = 0;
  server_.retire(std::move(session_)); // it may be in the middle of a call
}

void Connection::on_answer(control::RequestId request, control::Received &received) {
  if (expected_ != request) return; // of a session that is over
  expected_.reset();
  if (Session *mine = session(); mine != nullptr && phase_ == Phase::Open) mine->on_answer(received);
  update_watch();
}

void Connection::on_kick(const std::string &reason) {
  if (Session *mine = session()) return on_kick(mine->id(), reason);
  if (phase_ == Phase::Open) close(reason);
}

void Connection::on_kick(control::SessionId id, const std::string &reason) {
  Session *mine = session();
  if (mine == nullptr || mine->id() != id || phase_ != Phase::Open) return;
  ByteVector out;
  if (mine->role() == Session::Role::Publish) {
    machine_.end_publish(out);
  } else {
    mine->deliver_rest();
    if (phase_ != Phase::Open) return;
    machine_.end_play(out);
  }
  if (send(out)) close(reason);
}

void Connection::on_channel_room() {
  if (!std::exchange(stalled_, false)) return;
  go_on();
}

// --- the end ---

void Connection::on_second(Nanoseconds now) {
  const control::WorkerSettings &settings = server_.settings();
  if (phase_ == Phase::Retired) return;
  if (phase_ == Phase::Lingering) {
    if (now >= until_ns_) retire();
    return;
  }
  if (phase_ == Phase::Delaying) {
    if (now >= until_ns_) close(delayed_reason_);
    return;
  }
  if (blocked_since_ns_ != 0) { // the kernel says that there is room only once there is much: ask what the peer took
    size_t before = std::exchange(blocked_bytes_, loop::unacknowledged_bytes(record_.fd));
    if (blocked_bytes_ < before) blocked_since_ns_ = now;
  }
  if (blocked_since_ns_ != 0 && now - blocked_since_ns_ > settings.write_timeout_ns)
    return close("write timeout: the client does not read");
  if (std::exchange(awaits_buffer_, false)) go_on();
  if (phase_ != Phase::Open) return;
  Session *mine = session();
  if (mine != nullptr) mine->on_second(now);
  if (phase_ == Phase::Open && machine_.playing()) ask_whether_it_is_there(now);
  if (phase_ != Phase::Open || !takes_input()) return;
  bool publishes = mine != nullptr && mine->role() == Session::Role::Publish;
  if (publishes && now - last_input_ns_ > settings.read_timeout_ns) return close("read timeout");
  if (mine == nullptr && now - opened_ns_ > settings.read_timeout_ns)
    return close("read timeout: neither published nor played");
}

// A player of a stream that rests, or that has paused. What keeps the ping from being acknowledged for writeTimeout is
// that its host has gone.
void Connection::ask_whether_it_is_there(Nanoseconds now) {
  auto traffic = [this] {
    uint64_t media = session_ ? session_->record().bytes_out.load(std::memory_order_relaxed) : 0;
    return media + record_.sent_bytes.load(std::memory_order_relaxed) +
           record_.received_bytes.load(std::memory_order_relaxed);
  };
  if (uint64_t bytes = traffic(); std::exchange(traffic_bytes_, bytes) != bytes) {
    silent_since_ns_ = now;
    pinged_ns_ = 0;
    return;
  }
  if (pinged_ns_ != 0 && now - pinged_ns_ > server_.settings().write_timeout_ns &&
      loop::unacknowledged_bytes(record_.fd) > 0)
    return close("the client is gone");
  if (now - silent_since_ns_ < kSilence) return;
  ByteVector out;
  machine_.ping(static_cast<uint32_t>(now / kMillisecond), out);
  if (!send(out)) return;
  silent_since_ns_ = pinged_ns_ = now;
  traffic_bytes_ = traffic();
}

void Connection::retire() {
  phase_ = Phase::Retired;
  server_.retire(*this);
}

void Connection::end(const std::string &reason) {
  close(reason);
  if (phase_ != Phase::Lingering || output_pending()) return;
  loop::close_in_order(record_.fd);
  retire();
}

void Connection::close_later(const std::string &reason) {
  if (phase_ != Phase::Open) return;
  phase_ = Phase::Delaying;
  delayed_reason_ = reason;
  until_ns_ = server_.event_loop().now() + kRefusalPause;
  if (session_) session_->close();
  update_watch();
}

void Connection::forget_input() {
  MutableBytes input = server_.allocator().table().buffer(record_.input);
  if (!input.empty()) wipe(input.first(record_.input_length)); // credentials may be in it
  server_.allocator().give_back(record_.input);
  record_.input_length = 0;
}

void Connection::close(const std::string &reason) {
  if (phase_ == Phase::Lingering || phase_ == Phase::Retired) return;
  if (Session *mine = session()) (void)mine->complete_message(); // what follows it, if anything, is not torn
  if (phase_ == Phase::Lingering || phase_ == Phase::Retired) return;
  phase_ = Phase::Lingering;
  log(LogLevel::Info, "[{}] [conn {}] closed ({})", label(), peer_text_, reason);
  forget_question();
  if (session_) session_->close();
  if (!processing_) forget_input();
  wants_writable_ = stalled_ = awaits_buffer_ = false;
  if (output_begin_ == output_.size()) say_goodbye();
  until_ns_ = server_.event_loop().now() + (output_pending() ? server_.settings().write_timeout_ns : kLinger);
  update_watch();
}

} // namespace sluice::rtmp
