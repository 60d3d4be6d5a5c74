#include "common/http/server/connection.h"

#include "common/base/check.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::http {
namespace {

constexpr std::string_view kServerName = "sluice";
constexpr size_t kReceiveBytes = 16 * 1024;

} // namespace

Connection::Connection(loop::Loop &loop, Host &host, const ServerOptions &options, uint64_t id, Fd fd,
                       const loop::SocketAddress &peer)
    : loop_(loop), host_(host), options_(options), id_(id), fd_(std::move(fd)), peer_(peer),
      deadline_(loop.now() + options.idle_timeout), parser_(options.max_body_bytes) {
  poll_.emplace(loop, fd_.get(), static_cast<loop::Poll::Listener &>(*this));
  framing_.server = kServerName;
  update_watch();
}

bool Connection::may_follow(State next) const {
  switch (state_) {
  case State::Idle: // Writing: turned away
    return next != State::Idle && next != State::Lingering;
  case State::Reading:
    return next == State::Asking || next == State::Writing || next == State::Ended;
  case State::Asking:
    return next == State::Writing || next == State::Ended;
  case State::Writing:
    return next == State::Idle || next == State::Lingering || next == State::Ended;
  case State::Lingering:
    return next == State::Ended;
  case State::Ended:
    return false;
  }
  return false;
}

void Connection::set_state(State next) {
  CHECK(may_follow(next));
  state_ = next;
  Nanoseconds now = loop_.now();
  switch (next) {
  case State::Idle:
    deadline_ = now + options_.idle_timeout;
    return;
  case State::Reading:
    deadline_ = now + options_.read_timeout;
    return;
  case State::Asking:
    deadline_ = now + options_.answer_timeout;
    return;
  case State::Writing:
    deadline_ = now + options_.write_timeout;
    return;
  case State::Lingering:
    deadline_ = now + options_.linger_timeout;
    return;
  case State::Ended:
    return;
  }
}

void Connection::update_watch() {
  if (!poll_) return;
  bool reads = !input_ended_ && (state_ == State::Lingering || (!closing_ && input_.size() < kMaxUnreadBytes));
  bool writes = sent_ < output_head_.size() + output_body_.size();
  poll_->watch((reads ? loop::Poll::kReadable : 0) | (writes ? loop::Poll::kWritable : 0));
}

void Connection::on_poll(int, int events) {
  if ((events & loop::Poll::kWritable) != 0) {
    flush();
    process_input();
  }
  if ((events & loop::Poll::kReadable) != 0) receive();
  update_watch();
}

// --- input ---

void Connection::receive() {
  if (state_ == State::Lingering) return discard();
  if (state_ == State::Ended || closing_ || input_ended_ || input_.size() >= kMaxUnreadBytes) return;
  uint8_t bytes[kReceiveBytes];
  ssize_t count = ::recv(fd_.get(), bytes, std::min(sizeof bytes, kMaxUnreadBytes - input_.size()), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return end();
  input_ended_ = count == 0; // it may still wait for answers
  input_.insert(input_.end(), bytes, bytes + count);
  process_input();
}

void Connection::discard() {
  uint8_t scrap[kReceiveBytes];
  ssize_t count = ::recv(fd_.get(), scrap, sizeof scrap, MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) end();
}

// One request at a time: the next one is looked at when the answer to the last one was sent. An answer may come from
// within on_request(), so this is a loop and not a recursion.
void Connection::process_input() {
  if (processing_) return;
  processing_ = true;
  size_t done = 0;
  while ((state_ == State::Idle || state_ == State::Reading) && done < input_.size()) {
    RequestParser::Progress progress = parser_.feed(Bytes(input_).subspan(done));
    done += progress.consumed;
    handle(progress, done < input_.size());
  }
  processing_ = false;
  if (closing_ || state_ == State::Ended)
    input_ = {};
  else
    input_.erase(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(done));
  if (input_ended_ && (state_ == State::Idle || state_ == State::Reading)) end();
}

void Connection::handle(RequestParser::Progress &progress, bool more_input) {
  if (state_ == State::Idle && !parser_.between_requests()) set_state(State::Reading);
  if (auto *refusal = std::get_if<Refusal>(&progress.outcome)) return refuse(*refusal);
  if (std::holds_alternative<ExpectsContinue>(progress.outcome) && !more_input) {
    output_head_ += kContinue;
    return flush();
  }
  auto *request = std::get_if<Request>(&progress.outcome);
  if (request == nullptr) return;
  set_state(State::Asking);
  framing_.keep_alive = request->keep_alive;
  framing_.minor_version = request->minor_version;
  framing_.head_only = request->method == "HEAD";
  host_.on_request(*this, ++request_number_, std::move(*request));
}

// --- output ---

void Connection::turn_away(const Refusal &refusal) {
  refuse(refusal);
  update_watch();
}

void Connection::refuse(const Refusal &refusal) {
  framing_.keep_alive = false;
  framing_.head_only = false;
  std::string reason; // of our own making, but it may quote
  for (char c : refusal.reason)
    if (c >= ' ' && c != '"' && c != '\\') reason += c;
  send_answer(Response{.status = refusal.status,
                       .headers = {{"Content-Type", "application/json"}},
                       .body = "{\"error\":\"" + reason + "\"}",
                       .close = true});
  host_.on_refused(*this, refusal);
}

bool Connection::answer(uint64_t number, Response response) {
  if (state_ != State::Asking || number != request_number_) return false;
  send_answer(std::move(response));
  process_input();
  update_watch();
  return true;
}

void Connection::send_answer(Response response) {
  bool last_input = input_ended_ && input_.empty();
  framing_.keep_alive = framing_.keep_alive && !response.close && !last_request_ && !last_input;
  framing_.date = wall_now();
  closing_ = !framing_.keep_alive;
  Serialised serialised = serialise(std::move(response), framing_);
  output_head_ += serialised.head;
  output_body_ = std::move(serialised.body);
  set_state(State::Writing);
  flush();
}

void Connection::flush() {
  size_t total = output_head_.size() + output_body_.size();
  while (state_ != State::Ended && sent_ < total) {
    size_t of_head = std::min(sent_, output_head_.size()), of_body = sent_ - of_head;
    iovec parts[2] = {{output_head_.data() + of_head, output_head_.size() - of_head},
                      {output_body_.data() + of_body, output_body_.size() - of_body}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t count = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return end();
    sent_ += static_cast<size_t>(count);
    if (state_ == State::Writing) deadline_ = loop_.now() + options_.write_timeout;
  }
  if (state_ == State::Ended) return;
  sent_ = 0;
  output_head_.clear();
  output_body_ = {}; // may be large: not kept
  if (state_ == State::Writing) answered();
}

void Connection::answered() {
  closing_ = closing_ || last_request_;
  if (closing_) return linger();
  set_state(State::Idle);
}

// --- the end ---

// Ours is sent, with a FIN behind it. What the client still sends is read: closing now would make the kernel answer
// with a reset, which takes our last bytes away from the client.
void Connection::linger() {
  if (input_ended_) return end();
  loop::close_in_order(fd_.get());
  set_state(State::Lingering);
}

void Connection::finish() {
  if (state_ == State::Idle) return end();
  last_request_ = true;
}

void Connection::end() {
  if (state_ == State::Ended) return;
  bool orderly = state_ == State::Idle || state_ == State::Lingering || state_ == State::Writing;
  bool all_sent = sent_ == output_head_.size() + output_body_.size();
  if (orderly && all_sent) loop::close_in_order(fd_.get());
  set_state(State::Ended);
  poll_.reset();
  fd_.reset();
  host_.on_ended(*this);
}

void Connection::on_tick(Nanoseconds now) {
  if (now < deadline_) return;
  switch (state_) {
  case State::Reading:
    refuse({408, "request not complete in time"});
    return update_watch();
  case State::Asking:
    refuse({504, "no answer in time"});
    return update_watch();
  case State::Idle:
  case State::Writing:
  case State::Lingering:
    return end();
  case State::Ended:
    return;
  }
}

} // namespace sluice::http
