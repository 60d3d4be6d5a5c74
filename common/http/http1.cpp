#include "common/http/http1.h"

#include "common/base/check.h"

#include <utility>

namespace sluice::http {

Response refusal_response(const Refusal &refusal) {
  std::string reason; // of our own making, but it may quote
  for (char c : refusal.reason)
    if (c >= ' ' && c != '"' && c != '\\') reason += c;
  return {.status = refusal.status,
          .headers = {{"Content-Type", "application/json"}},
          .body = "{\"error\":\"" + reason + "\"}",
          .close = true};
}

Http1::Http1(Listener &listener, const ProtocolOptions &options, Now now)
    : Protocol(listener, options), deadline_(now.monotonic + options.idle_timeout), parser_(options.max_body_bytes) {
  framing_.server = kServerName;
}

bool Http1::may_follow(State next) const {
  switch (state_) {
  case State::Idle: // Ended: turned away
    return next == State::Reading || next == State::Ended;
  case State::Reading:
    return next == State::Asking || next == State::Ended;
  case State::Asking:
    return next == State::Writing || next == State::Ended;
  case State::Writing:
    return next == State::Idle || next == State::Ended;
  case State::Ended:
    return next == State::Ended;
  }
  return false;
}

void Http1::set_state(State next, Now now) {
  CHECK(may_follow(next));
  state_ = next;
  switch (next) {
  case State::Idle:
    deadline_ = now.monotonic + options_.idle_timeout;
    return;
  case State::Reading:
    deadline_ = now.monotonic + options_.read_timeout;
    return;
  case State::Asking:
    deadline_ = options_.answer_timeout > 0 ? now.monotonic + options_.answer_timeout : 0;
    return;
  case State::Writing:
  case State::Ended:
    deadline_ = now.monotonic + options_.write_timeout;
    return;
  }
}

// --- input ---

bool Http1::takes_input() const {
  return state_ != State::Ended && !input_ended_ && unread_.size() - unread_begin_ < kMaxUnreadBytes;
}

void Http1::feed(Bytes input, Now now) {
  if (state_ == State::Ended) return;
  if (unread_.empty() && takes_requests()) input = input.subspan(take(input, now));
  if (state_ == State::Ended || input.empty()) return;
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<ptrdiff_t>(std::exchange(unread_begin_, 0)));
  unread_.insert(unread_.end(), input.begin(), input.end());
  process_unread(now);
}

void Http1::process_unread(Now now) {
  if (!unread_.empty()) unread_begin_ += take(Bytes(unread_).subspan(unread_begin_), now);
  if (unread_begin_ == unread_.size() || state_ == State::Ended) {
    unread_ = {};
    unread_begin_ = 0;
  }
  if (input_ended_ && takes_requests()) {
    set_state(State::Ended, now);
    set_end(End::AtOnce, "closed by the client");
  }
}

size_t Http1::take(Bytes input, Now now) {
  size_t done = 0;
  while (takes_requests() && done < input.size()) {
    RequestParser::Progress progress = parser_.feed(input.subspan(done));
    done += progress.consumed;
    handle(progress, done < input.size(), now);
  }
  return done;
}

void Http1::handle(RequestParser::Progress &progress, bool more_input, Now now) {
  if (state_ == State::Idle && !parser_.between_requests()) set_state(State::Reading, now);
  if (auto *refusal = std::get_if<Refusal>(&progress.outcome)) return refuse(*refusal, now);
  if (std::holds_alternative<ExpectsContinue>(progress.outcome) && !more_input) {
    output_.append(kContinue);
    return;
  }
  auto *request = std::get_if<Request>(&progress.outcome);
  if (request == nullptr) return;
  if (state_ == State::Idle) set_state(State::Reading, now); // whole at once
  set_state(State::Asking, now);
  framing_.keep_alive = request->keep_alive;
  framing_.minor_version = request->minor_version;
  framing_.head_only = request->method == "HEAD";
  listener_.on_request(++number_, std::move(*request));
}

void Http1::end_input(Now now) {
  input_ended_ = true;
  process_unread(now);
}

// --- output ---

void Http1::turn_away(const Refusal &refusal, Now now) {
  refuse(refusal, now);
}

void Http1::refuse(const Refusal &refusal, Now now) {
  framing_.head_only = false;
  set_end(End::WhenSent, refusal.reason);
  send(refusal_response(refusal), now);
  listener_.on_refused(refusal);
}

bool Http1::respond(uint64_t number, Response response, Now now) {
  if (state_ != State::Asking || number != number_) return false;
  send(std::move(response), now);
  return true;
}

void Http1::send(Response response, Now now) {
  bool last_input = input_ended_ && unread_begin_ == unread_.size();
  framing_.keep_alive = framing_.keep_alive && !response.close && !last_request_ && !last_input;
  framing_.date = now.wall;
  bool whole = serialise(std::move(response), framing_, output_, number_);
  if (!whole) return on_torn(number_, now);
  if (framing_.keep_alive) return set_state(State::Writing, now);
  set_state(State::Ended, now);
  if (end() == End::No) set_end(End::WhenSent, input_ended_ ? "closed by the client" : "answered");
  unread_ = {};
  unread_begin_ = 0;
}

void Http1::set_answer_timeout(uint64_t number, Nanoseconds timeout, Now now) {
  if (state_ != State::Asking || number != number_) return;
  deadline_ = timeout > 0 ? now.monotonic + timeout : 0;
}

std::vector<uint64_t> Http1::waiting() const {
  if (state_ != State::Asking) return {};
  return {number_};
}

void Http1::on_sent(Now now) {
  if (state_ != State::Writing && state_ != State::Ended) return;
  deadline_ = now.monotonic + options_.write_timeout;
  if (!output_.empty() || state_ == State::Ended) return;
  if (last_request_) {
    set_state(State::Ended, now);
    return set_end(End::WhenSent, "the server closes");
  }
  set_state(State::Idle, now);
  process_unread(now);
}

void Http1::on_torn(uint64_t, Now now) {
  set_state(State::Ended, now);
  set_end(End::AtOnce, "what was sent has changed meanwhile");
}

// --- the end ---

void Http1::finish(Now now) {
  last_request_ = true;
  if (state_ != State::Idle) return;
  set_state(State::Ended, now);
  set_end(End::AtOnce, "the server closes");
}

void Http1::on_tick(Now now) {
  if (deadline_ == 0 || now.monotonic < deadline_) return;
  switch (state_) {
  case State::Reading:
    return refuse({408, "request not complete in time"}, now);
  case State::Asking:
    return refuse({504, "no answer in time"}, now);
  case State::Idle:
    set_state(State::Ended, now);
    return set_end(End::AtOnce, "idle");
  case State::Writing:
  case State::Ended:
    return set_end(End::AtOnce, "the client takes nothing");
  }
}

} // namespace sluice::http
