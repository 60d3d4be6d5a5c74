// One connection's HTTP, whichever version: bytes in, requests out; responses in, bytes out. A machine without socket
// and clock; its owner is called back from within its functions, and may respond() from there. Options and listener
// outlive it. Http1 and Http2 are the implementations.
#pragma once

#include "common/base/time.h"
#include "common/http/output_queue.h"
#include "common/http/request_parser.h"
#include "common/http/response.h"

#include <memory>
#include <vector>

namespace sluice::http {

// The same instant of both clocks.
struct Now {
  Nanoseconds monotonic = 0;
  Nanoseconds wall = 0; // since 1970
};

constexpr std::string_view kServerName = "sluice"; // the header "Server" of all responses

struct ProtocolOptions {
  size_t max_body_bytes = kDefaultMaxBodyBytes;
  Nanoseconds idle_timeout = 60 * kSecond;   // of a connection without a request
  Nanoseconds read_timeout = 10 * kSecond;   // from a request's first byte to its last: 408
  Nanoseconds answer_timeout = 60 * kSecond; // of the one who answers: 504; 0: never
  Nanoseconds write_timeout = 10 * kSecond;  // of a client that takes none of its answer
};

class Protocol {
public:
  struct Listener {
    // `number` names it within the connection and is never used again.
    virtual void on_request(uint64_t number, Request request) = 0;
    // What was no request, or none in time; it is answered already.
    virtual void on_refused(const Refusal &refusal) = 0;
    // The client does not want that answer any more. Connections that end are their owner's affair.
    virtual void on_withdrawn(uint64_t number) = 0;

  protected:
    ~Listener() = default;
  };

  enum class End : uint8_t {
    No,
    WhenSent, // nothing more is read; what is in output() is to be sent, in order
    AtOnce,
  };

  Protocol(Listener &listener, const ProtocolOptions &options) : listener_(listener), options_(options) {}
  Protocol(const Protocol &) = delete;
  Protocol &operator=(const Protocol &) = delete;
  virtual ~Protocol() = default;

  // Takes it all; what can't be looked at yet is kept.
  virtual void feed(Bytes input, Now now) = 0;
  // No more than a bound is kept.
  virtual bool takes_input() const = 0;
  // The client says nothing more. It may still wait for answers.
  virtual void end_input(Now now) = 0;

  // False, and ignored, unless that request waits for its answer.
  virtual bool respond(uint64_t number, Response response, Now now) = 0;
  // How long that request may wait from now on, instead of answer_timeout; 0: for ever.
  virtual void set_answer_timeout(uint64_t number, Nanoseconds timeout, Now now) = 0;
  virtual std::vector<uint64_t> waiting() const = 0;

  // Instead of any request.
  virtual void turn_away(const Refusal &refusal, Now now) = 0;
  // Takes no further requests, and ends when those under way are answered.
  virtual void finish(Now now) = 0;
  virtual void on_tick(Now now) = 0;

  // Brings some of what is to be sent into output().
  virtual void fill() = 0;
  OutputQueue &output() { return output_; }
  const OutputQueue &output() const { return output_; }
  // Some of output() left.
  virtual void on_sent(Now now) = 0;
  // output() named this owner of something torn.
  virtual void on_torn(uint64_t owner, Now now) = 0;

  // Whether several answers are worth being sent together.
  virtual bool multiplexes() const = 0;
  // Nothing is lost if it ends here.
  virtual bool idle() const = 0;
  End end() const { return end_; }
  const std::string &end_reason() const { return end_reason_; }

protected:
  void set_end(End end, std::string reason) {
    if (end > end_) end_ = end, end_reason_ = std::move(reason);
  }

  Listener &listener_;
  const ProtocolOptions &options_;
  OutputQueue output_;

private:
  End end_ = End::No;
  std::string end_reason_;
};

// The answer to what was refused.
Response refusal_response(const Refusal &refusal);

} // namespace sluice::http
