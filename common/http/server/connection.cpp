#include "common/http/server/connection.h"

#include "common/http/http1.h"
#include "common/http/http2.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace sluice::http {
namespace {

constexpr size_t kReceiveBytes = 16 * 1024;
constexpr int kReadsPerTurn = 8;
constexpr size_t kSentPerTurn = 2 * 1024 * 1024;
constexpr size_t kParts = 64; // of a send

} // namespace

Connection::Connection(loop::Loop &loop, Host &host, const ServerOptions &options, uint64_t id, Fd fd,
                       loop::StreamSocket socket, const loop::SocketAddress &peer, const Counters &counters)
    : loop_(loop), host_(host), options_(options), id_(id), fd_(std::move(fd)), socket_(std::move(socket)), peer_(peer),
      counters_(counters), state_(socket_.is_tls() ? State::Shaking : State::Silent),
      deadline_(loop.now() + (socket_.is_tls() ? options.read_timeout : options.idle_timeout)) {
  poll_.emplace(loop, fd_.get(), static_cast<loop::Poll::Listener &>(*this));
  update_watch();
}

void Connection::look_at_clocks() {
  now_ = {.monotonic = loop_.now(), .wall = wall_now()};
}

void Connection::update_watch() {
  if (!poll_) return;
  bool reads = !input_ended_;
  if (state_ == State::Open) reads = reads && protocol_->takes_input() && protocol_->end() == Protocol::End::No;
  bool writes = socket_.wants_write() || (state_ == State::Open && !protocol_->output().empty());
  poll_->watch((reads ? loop::Poll::kReadable : 0) | (writes ? loop::Poll::kWritable : 0));
  if (reads && state_ != State::Lingering && socket_.has_unread() && !std::exchange(resume_asked_, true))
    host_.resume_later(*this);
}

void Connection::on_poll(int, int events) {
  look_at_clocks();
  if ((events & loop::Poll::kWritable) != 0) {
    blocked_ = false;
    pump();
  }
  if ((events & loop::Poll::kReadable) != 0) receive();
  update_watch();
}

void Connection::resume() {
  resume_asked_ = false;
  if (state_ == State::Ended) return;
  look_at_clocks();
  receive();
  update_watch();
}

// --- input ---

void Connection::receive() {
  if (state_ == State::Lingering) return discard();
  for (int i = 0; i < kReadsPerTurn; i++)
    if (!receive_once() || !socket_.has_unread()) break;
  pump();
}

// True: it may go on.
bool Connection::receive_once() {
  if (state_ == State::Ended || state_ == State::Lingering || input_ended_) return false;
  if (state_ == State::Open && (!protocol_->takes_input() || protocol_->end() != Protocol::End::No)) return false;
  uint8_t bytes[kReceiveBytes];
  auto count = socket_.read(bytes);
  if (!count) {
    end(count.error().message);
    return false;
  }
  if (state_ == State::Shaking && !socket_.handshaking()) on_shaken();
  if (state_ == State::Ended) return false;
  if (!*count) return true;
  if (**count == 0) {
    on_input_end();
    return false;
  }
  received_bytes_ += **count;
  if (counters_.received != nullptr) counters_.received->fetch_add(**count, std::memory_order_relaxed);
  on_input(Bytes(bytes, **count));
  return true;
}

void Connection::on_shaken() {
  state_ = State::Silent;
  deadline_ = loop_.now() + options_.idle_timeout;
  if (socket_.protocol() == "h2")
    speak_http2();
  else if (socket_.protocol() == "http/1.1" || turned_away_)
    speak_http1();
  if (turned_away_) protocol_->turn_away(*turned_away_, now_);
}

// One that knows beforehand that HTTP/2 is spoken begins with the preface; what begins otherwise is HTTP/1.
void Connection::choose_protocol(Bytes input) {
  size_t count = std::min(input.size(), kHttp2Preface.size() - first_input_.size());
  std::string_view more = as_text(input.first(count));
  if (kHttp2Preface.substr(first_input_.size(), count) != more) return speak_http1();
  if (first_input_.size() + count == kHttp2Preface.size()) return speak_http2();
  if (first_input_.empty()) deadline_ = loop_.now() + options_.read_timeout;
  first_input_ += more;
}

void Connection::speak_http1() {
  protocol_ = std::make_unique<Http1>(static_cast<Protocol::Listener &>(*this), options_, now_);
  state_ = State::Open;
}

void Connection::speak_http2() {
  protocol_ = std::make_unique<Http2>(static_cast<Protocol::Listener &>(*this), options_, now_);
  state_ = State::Open;
}

void Connection::on_input(Bytes input) {
  if (state_ == State::Silent) choose_protocol(input);
  if (state_ == State::Silent) return;
  busy_ = true;
  if (!first_input_.empty()) protocol_->feed(as_bytes(std::exchange(first_input_, {})), now_);
  protocol_->feed(input, now_);
  busy_ = false;
}

// Whoever waits for answers may still read them, but most often it is gone.
void Connection::on_input_end() {
  input_ended_ = true;
  if (state_ != State::Open) return end("closed by the client");
  bool gone = false;
  for (uint64_t number : protocol_->waiting()) gone = host_.on_half_closed(*this, number) || gone;
  if (state_ != State::Open) return;
  if (gone) return end("closed by the client");
  busy_ = true;
  protocol_->end_input(now_);
  busy_ = false;
}

void Connection::discard() {
  uint8_t scrap[kReceiveBytes];
  ssize_t count = ::recv(fd_.get(), scrap, sizeof scrap, MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) end(std::move(end_reason_));
}

void Connection::on_request(uint64_t number, Request request) {
  if (state_ == State::Open) host_.on_request(*this, number, std::move(request));
}

void Connection::on_refused(const Refusal &refusal) {
  host_.on_refused(*this, refusal);
}

void Connection::on_withdrawn(uint64_t number) {
  host_.on_gone(*this, number);
}

// --- output ---

void Connection::turn_away(const Refusal &refusal) {
  if (state_ == State::Shaking) {
    turned_away_ = refusal;
    return;
  }
  look_at_clocks();
  speak_http1();
  protocol_->turn_away(refusal, now_);
  pump();
  update_watch();
}

bool Connection::answer(uint64_t number, Response response) {
  if (state_ != State::Open) return false;
  if (!busy_) look_at_clocks();
  if (!protocol_->respond(number, std::move(response), now_)) return false;
  if (busy_) return true;
  if (!protocol_->multiplexes()) {
    pump();
    update_watch();
  } else if (!std::exchange(flush_asked_, true)) {
    host_.flush_later(*this);
  }
  return true;
}

void Connection::flush() {
  flush_asked_ = false;
  if (state_ == State::Ended) return;
  look_at_clocks();
  pump();
  update_watch();
}

void Connection::set_answer_timeout(uint64_t number, Nanoseconds timeout) {
  if (!busy_) look_at_clocks();
  if (state_ == State::Open) protocol_->set_answer_timeout(number, timeout, now_);
}

// Sends until there is nothing more, the socket takes nothing more, or it was enough for this turn. An answer that
// left may let the next request in, which may be answered from within.
void Connection::pump() {
  if (busy_) return;
  if (state_ != State::Open) return after_pump();
  busy_ = true;
  size_t budget = kSentPerTurn;
  while (state_ == State::Open && !blocked_ && protocol_->end() != Protocol::End::AtOnce) {
    protocol_->fill();
    if (protocol_->output().empty() || !send_some(budget)) break;
  }
  busy_ = false;
  after_pump();
}

bool Connection::send_some(size_t &budget) {
  OutputQueue &output = protocol_->output();
  std::array<Bytes, kParts> bytes;
  std::array<iovec, kParts> parts;
  size_t count = output.gather(bytes, std::min(budget, socket_.largest_write()));
  for (size_t i = 0; i < count; i++) parts[i] = {const_cast<uint8_t *>(bytes[i].data()), bytes[i].size()};
  auto taken = socket_.write(std::span<const iovec>(parts).first(count));
  if (!taken) {
    end(taken.error().message);
    return false;
  }
  if (!*taken) {
    blocked_ = true;
    return false;
  }
  sent_bytes_ += **taken;
  if (counters_.sent != nullptr) counters_.sent->fetch_add(**taken, std::memory_order_relaxed);
  auto torn = output.consume(**taken);
  if (torn) protocol_->on_torn(*torn, now_);
  torn_ = torn && protocol_->end() == Protocol::End::AtOnce;
  protocol_->on_sent(now_);
  budget -= std::min(budget, **taken);
  return budget > 0;
}

void Connection::after_pump() {
  if (state_ == State::Ended) return;
  if (socket_.wants_write()) {
    auto left = socket_.flush();
    if (!left) return end(left.error().message);
    if (socket_.wants_write()) blocked_ = true;
  }
  if (state_ != State::Open) return;
  if (protocol_->end() == Protocol::End::AtOnce) return end(protocol_->end_reason());
  if (protocol_->end() == Protocol::End::WhenSent && protocol_->output().empty()) linger();
}

// --- the end ---

bool Connection::leaving() const {
  return state_ == State::Lingering || turned_away_.has_value() ||
         (state_ == State::Open && protocol_->end() != Protocol::End::No);
}

// Ours is sent, with a FIN behind it. What the client still sends is read: closing now would make the kernel answer
// with a reset, which takes our last bytes away from the client.
void Connection::linger() {
  if (!std::exchange(said_goodbye_, true)) socket_.shutdown();
  if (socket_.wants_write()) return; // after_pump() comes back
  end_reason_ = protocol_->end_reason();
  if (input_ended_) return end(std::move(end_reason_));
  loop::close_in_order(fd_.get());
  state_ = State::Lingering;
  deadline_ = loop_.now() + options_.linger_timeout;
}

void Connection::finish() {
  if (state_ == State::Shaking || state_ == State::Silent) return end("the server closes");
  if (state_ != State::Open) return;
  look_at_clocks();
  protocol_->finish(now_);
  pump();
  update_watch();
}

void Connection::end(std::string reason) {
  if (state_ == State::Ended) return;
  end_reason_ = std::move(reason);
  std::vector<uint64_t> unanswered;
  if (state_ == State::Open) unanswered = protocol_->waiting();
  bool all_said = unanswered.empty() && (protocol_ == nullptr || protocol_->output().empty());
  bool cut = protocol_ != nullptr && !protocol_->output().empty();
  if (torn_ || cut) {
    // What the kernel holds is not to arrive; for a client that takes nothing it would hold it for minutes.
    ::linger none{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  } else if (all_said) {
    if (!std::exchange(said_goodbye_, true)) socket_.shutdown();
    loop::close_in_order(fd_.get());
  }
  state_ = State::Ended;
  poll_.reset();
  for (uint64_t number : unanswered) host_.on_gone(*this, number);
  host_.on_ended(*this);
}

void Connection::on_tick(Nanoseconds tick) {
  switch (state_) {
  case State::Shaking:
  case State::Silent:
    if (tick >= deadline_)
      end(state_ == State::Shaking ? "handshake not complete in time"
          : first_input_.empty()   ? "idle"
                                   : "request not complete in time");
    return;
  case State::Lingering:
    if (tick >= deadline_) end(std::move(end_reason_));
    return;
  case State::Open:
    look_at_clocks();
    protocol_->on_tick({.monotonic = tick, .wall = now_.wall});
    pump();
    return update_watch();
  case State::Ended:
    return;
  }
}

} // namespace sluice::http
