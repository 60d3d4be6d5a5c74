// HTTP/2 on one connection (RFC 9113), from the client's preface on: a Protocol around nghttp2, which does frames,
// header compression and flow control. A request's number is that of its stream. Bodies in shared memory become DATA
// frames without being copied.
//
// Bounded: kMaxStreams at once, kMaxHeadBytes and kMaxHeaders of a request, max_body_bytes, kMaxQueuedData of frames
// made ahead of the socket; as long as kMaxQueuedBytes are queued (answers to a flood, then), nothing is read. Clients
// that reset streams, or send SETTINGS or CONTINUATION, faster than is sensible are sent away.
#pragma once

#include "common/http/protocol.h"

#include <unordered_map>

struct nghttp2_session;

namespace sluice::http {

// What a client begins with that knows that HTTP/2 is spoken (RFC 9113 section 3.4).
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class Http2 final : public Protocol {
public:
  static constexpr uint32_t kMaxStreams = 100;
  static constexpr size_t kMaxQueuedData = 128 * 1024;
  static constexpr size_t kMaxQueuedBytes = 256 * 1024;

  Http2(Listener &listener, const ProtocolOptions &options, Now now);
  ~Http2() override;

  void feed(Bytes input, Now now) override;
  bool takes_input() const override;
  void end_input(Now now) override;
  bool respond(uint64_t number, Response response, Now now) override;
  void set_answer_timeout(uint64_t number, Nanoseconds timeout, Now now) override;
  std::vector<uint64_t> waiting() const override;
  void turn_away(const Refusal &refusal, Now now) override;
  void finish(Now now) override;
  void on_tick(Now now) override;
  void fill() override;
  void on_sent(Now now) override;
  void on_torn(uint64_t owner, Now now) override;
  bool multiplexes() const override { return true; }
  bool idle() const override { return streams_.empty(); }

private:
  enum class State : uint8_t {
    Head,      // of the request
    Body,      // likewise
    Asking,    // the request waits for its answer
    Answering, // some of the answer may still have to be made into frames
  };
  struct Stream {
    State state = State::Head;
    Request request; // until it was passed on
    size_t head_bytes = 0;
    std::optional<Refusal> refusal; // found while the head comes in
    bool head_only = false;
    Nanoseconds deadline = 0; // 0: none
    Body body;                // of the answer; shared memory
    size_t framed = 0;        // of it
  };
  struct Callbacks; // nghttp2's view
  struct FreeSession {
    void operator()(nghttp2_session *session) const;
  };

  void begin_stream(int32_t id);
  void on_header(Stream &stream, std::string_view name, std::string_view value);
  void end_head(int32_t id, Stream &stream, bool last);
  void complete(int32_t id, Stream &stream);
  void refuse(int32_t id, Stream &stream, const Refusal &refusal);
  void send(int32_t id, Stream &stream, Response response);
  void end_stream(int32_t id);
  void on_late(int32_t id, Stream &stream);
  Stream *find(int32_t id);
  void check_end();

  std::unique_ptr<nghttp2_session, FreeSession> session_;
  std::unordered_map<int32_t, Stream> streams_;
  Now now_; // of the call that runs
  Nanoseconds idle_since_;
  Nanoseconds sent_at_;       // or since when there is output
  bool last_request_ = false; // finish() was called
};

} // namespace sluice::http
