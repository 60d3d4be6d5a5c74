// HTTP/1.1 and 1.0 on one connection (RFC 9112): a Protocol. One request at a time: the next one is looked at when the
// answer to the last one was sent. Holds the parser's share, kMaxUnreadBytes of pipelined input, and one answer.
#pragma once

#include "common/http/protocol.h"

namespace sluice::http {

class Http1 final : public Protocol {
public:
  static constexpr size_t kMaxUnreadBytes = 16 * 1024;

  Http1(Listener &listener, const ProtocolOptions &options, Now now);

  void feed(Bytes input, Now now) override;
  bool takes_input() const override;
  void end_input(Now now) override;
  bool respond(uint64_t number, Response response, Now now) override;
  void set_answer_timeout(uint64_t number, Nanoseconds timeout, Now now) override;
  std::vector<uint64_t> waiting() const override;
  void turn_away(const Refusal &refusal, Now now) override;
  void finish(Now now) override;
  void on_tick(Now now) override;
  void fill() override {}
  void on_sent(Now now) override;
  void on_torn(uint64_t owner, Now now) override;
  bool multiplexes() const override { return false; }
  bool idle() const override { return state_ == State::Idle; }

private:
  enum class State : uint8_t {
    Idle,    // between requests
    Reading, // part of a request is there
    Asking,  // a request waits for its answer
    Writing, // an answer is being sent
    Ended,   // or the last one
  };

  void set_state(State next, Now now);
  bool may_follow(State next) const;
  void process_unread(Now now);
  size_t take(Bytes input, Now now);
  void handle(RequestParser::Progress &progress, bool more_input, Now now);
  void refuse(const Refusal &refusal, Now now);
  void send(Response response, Now now);
  bool takes_requests() const { return state_ == State::Idle || state_ == State::Reading; }

  State state_ = State::Idle;
  Nanoseconds deadline_; // 0: none
  RequestParser parser_;
  ByteVector unread_; // received, not yet given to the parser
  size_t unread_begin_ = 0;
  bool input_ended_ = false;
  bool last_request_ = false; // finish() was called
  uint64_t number_ = 0;
  Framing framing_; // for the answer to that request
};

} // namespace sluice::http
