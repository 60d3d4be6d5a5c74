#include "common/http/http2.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/http/uri.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace sluice::http {
namespace {

constexpr uint64_t kResetBurst = 200, kResetsPerSecond = 20; // that a client may take back
constexpr size_t kMaxSettings = 32;                          // of a frame
constexpr size_t kMaxUnsentAnswers = 500;                    // to PING and SETTINGS
// Of a head. nghttp2 counts the pieces that their frames' headers come in, and keeps none of them: what is in them is
// bounded by kMaxDecodedBytes, and their time by read_timeout.
constexpr uint64_t kMaxContinuations = 8192;
constexpr size_t kMaxDecodedBytes = 8 * kMaxHeadBytes; // of a head with its trailers; until then a 431 can be said
constexpr size_t kFieldOverhead = 32; // as the size of a list of headers is counted (RFC 9113 section 10.5.1)
constexpr size_t kFrameHeaderBytes = 9;

// Whose a part of the output is: the stream's, and whether it is its last.
uint64_t owner_of(int32_t stream, bool last) {
  return static_cast<uint64_t>(stream) << 1 | (last ? 1 : 0);
}

std::string_view text_of(const uint8_t *at, size_t length) {
  return {reinterpret_cast<const char *>(at), length};
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {.name = reinterpret_cast<uint8_t *>(const_cast<char *>(name.data())),
          .value = reinterpret_cast<uint8_t *>(const_cast<char *>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = NGHTTP2_NV_FLAG_NONE};
}

// Headers about a connection are no headers of HTTP/2 (RFC 9113 section 8.2.2), and some we write ourselves.
bool is_left_out(std::string_view name) {
  constexpr std::string_view kNames[] = {"Date", "Server", "Keep-Alive", "Proxy-Connection", "Upgrade"};
  return is_framing(name) || std::any_of(std::begin(kNames), std::end(kNames),
                                         [&](std::string_view own) { return equal_ignoring_case(name, own); });
}

const nghttp2_option *session_options() {
  static const nghttp2_option *const kOptions = [] {
    nghttp2_option *made = nullptr;
    CHECK(nghttp2_option_new(&made) == 0);
    nghttp2_option_set_no_closed_streams(made, 1);
    nghttp2_option_set_max_settings(made, kMaxSettings);
    nghttp2_option_set_max_outbound_ack(made, kMaxUnsentAnswers);
    nghttp2_option_set_stream_reset_rate_limit(made, kResetBurst, kResetsPerSecond);
    nghttp2_option_set_max_continuations(made, kMaxContinuations);
    return made;
  }();
  return kOptions;
}

} // namespace

struct Http2::Callbacks {
  static Http2 &self(void *user) { return *static_cast<Http2 *>(user); }

  static int on_begin_headers(nghttp2_session *, const nghttp2_frame *frame, void *user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      self(user).begin_stream(frame->hd.stream_id);
    return 0;
  }
  static int on_header(nghttp2_session *, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                       const uint8_t *value, size_t value_length, uint8_t, void *user) {
    Stream *stream = self(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->head_bytes += name_length + value_length + kFieldOverhead;
    if (stream->head_bytes > kMaxDecodedBytes) return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (stream->state == State::Head) // else trailers, which are dropped
      self(user).on_header(*stream, text_of(name, name_length), text_of(value, value_length));
    return 0;
  }
  static int on_data(nghttp2_session *, uint8_t, int32_t id, const uint8_t *data, size_t length, void *user) {
    Stream *stream = self(user).find(id);
    if (stream == nullptr || stream->state != State::Body) return 0; // answered before it was complete
    if (length > self(user).options_.max_body_bytes - stream->request.body.size())
      self(user).refuse(id, *stream, {413, "body too large"});
    else
      stream->request.body += text_of(data, length);
    return 0;
  }
  static int on_frame(nghttp2_session *, const nghttp2_frame *frame, void *user) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream *stream = self(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (stream->state == State::Head)
      self(user).end_head(frame->hd.stream_id, *stream, last);
    else if (stream->state == State::Body && last)
      self(user).complete(frame->hd.stream_id, *stream);
    return 0;
  }
  static int on_close(nghttp2_session *, int32_t id, uint32_t, void *user) {
    self(user).end_stream(id);
    return 0;
  }
  // The answer to a request that was not complete has left: the rest of the request is not wanted.
  static int on_sent_frame(nghttp2_session *session, const nghttp2_frame *frame, void *) {
    bool answers = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (answers && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
  }

  static ssize_t on_read(nghttp2_session *, int32_t id, uint8_t *, size_t most, uint32_t *flags, nghttp2_data_source *,
                         void *user) {
    Stream *stream = self(user).find(id);
    CHECK(stream != nullptr);
    if (!stream->body.memory()->intact()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // resets the stream
    size_t left = stream->body.size() - stream->framed, now = std::min(left, most);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (now == left) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(now);
  }
  static int on_send_data(nghttp2_session *, nghttp2_frame *frame, const uint8_t *header, size_t length,
                          nghttp2_data_source *, void *user) {
    Http2 &http = self(user);
    Stream *stream = http.find(frame->hd.stream_id);
    CHECK(stream != nullptr);
    if (http.output_.size() >= kMaxQueuedData) return NGHTTP2_ERR_WOULDBLOCK;
    Bytes bytes = stream->body.bytes().subspan(stream->framed, length);
    std::string &text = http.output_.text();
    size_t before = text.size();
    text += text_of(header, kFrameHeaderBytes);
    if (stream->body.size() > OutputQueue::kLargestCopy) {
      bool last = stream->framed + length == stream->body.size();
      http.output_.append_span(stream->body.memory(), bytes, owner_of(frame->hd.stream_id, last));
    } else {
      text += as_text(bytes);
      if (!stream->body.memory()->intact()) {
        text.resize(before);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
    }
    stream->framed += length;
    stream->deadline = http.now_.monotonic + http.options_.write_timeout;
    return 0;
  }

  static const nghttp2_session_callbacks *all() {
    static const nghttp2_session_callbacks *const kCallbacks = [] {
      nghttp2_session_callbacks *made = nullptr;
      CHECK(nghttp2_session_callbacks_new(&made) == 0);
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(made, on_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent_frame);
      nghttp2_session_callbacks_set_send_data_callback(made, on_send_data);
      return made;
    }();
    return kCallbacks;
  }
};

void Http2::FreeSession::operator()(nghttp2_session *session) const {
  nghttp2_session_del(session);
}

Http2::Http2(Listener &listener, const ProtocolOptions &options, Now now)
    : Protocol(listener, options), now_(now), idle_since_(now.monotonic), sent_at_(now.monotonic) {
  nghttp2_session *made = nullptr;
  CHECK(nghttp2_session_server_new2(&made, Callbacks::all(), this, session_options()) == 0);
  session_.reset(made);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeadBytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  CHECK(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
}

Http2::~Http2() = default;

Http2::Stream *Http2::find(int32_t id) {
  auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

// --- input ---

bool Http2::takes_input() const {
  return output_.size() < kMaxQueuedBytes && nghttp2_session_want_read(session_.get()) != 0;
}

void Http2::feed(Bytes input, Now now) {
  if (end() != End::No) return;
  now_ = now;
  ssize_t taken = nghttp2_session_mem_recv(session_.get(), input.data(), input.size());
  if (taken < 0) return set_end(End::AtOnce, nghttp2_strerror(static_cast<int>(taken)));
  check_end();
}

// Nobody speaks HTTP/2 through a connection that is closed in one direction.
void Http2::end_input(Now) {
  set_end(End::AtOnce, "closed by the client");
}

void Http2::begin_stream(int32_t id) {
  Stream &stream = streams_[id];
  stream.request.major_version = 2;
  stream.request.minor_version = 0;
  stream.deadline = now_.monotonic + options_.read_timeout;
}

// nghttp2 has seen to it that names and values are valid and that those with a colon come once and first.
void Http2::on_header(Stream &stream, std::string_view name, std::string_view value) {
  Request &request = stream.request;
  if (stream.head_bytes > kMaxHeadBytes || request.headers.all().size() == kMaxHeaders)
    stream.refusal = Refusal{431, "head too large"};
  if (stream.refusal) return;
  if (name == ":method")
    request.method = value;
  else if (name == ":path")
    request.target = value;
  else if (name == ":authority")
    request.headers.add("host", std::string(value));
  else if (name == "host" && request.headers.find("host") != nullptr)
    return; // says the same (RFC 9113 section 8.3.1)
  else if (!name.starts_with(':'))
    request.headers.add(std::string(name), std::string(value));
}

void Http2::end_head(int32_t id, Stream &stream, bool last) {
  Request &request = stream.request;
  stream.state = State::Body;
  if (stream.refusal) return refuse(id, stream, *stream.refusal);
  stream.head_only = request.method == "HEAD";
  if (!is_token(request.method) || request.method.size() > kMaxMethodBytes || request.method == "CONNECT")
    return refuse(id, stream, {501, "unknown method"});
  if (request.target.size() > kMaxTargetBytes) return refuse(id, stream, {414, "target too long"});
  auto target = parse_target(request.method, request.target);
  if (!target) return refuse(id, stream, {400, target.error().message});
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  if (last) return complete(id, stream);
  const std::string *expect = request.headers.find("expect");
  if (expect == nullptr) return;
  if (!equal_ignoring_case(*expect, "100-continue")) return refuse(id, stream, {417, "unknown expectation"});
  nghttp2_nv status = field(":status", "100");
  nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, id, nullptr, &status, 1, nullptr);
}

void Http2::complete(int32_t id, Stream &stream) {
  stream.state = State::Asking;
  stream.deadline = options_.answer_timeout > 0 ? now_.monotonic + options_.answer_timeout : 0;
  Request request = std::move(stream.request);
  stream.request = {};
  listener_.on_request(static_cast<uint64_t>(id), std::move(request));
}

void Http2::end_stream(int32_t id) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return;
  bool asking = found->second.state == State::Asking;
  streams_.erase(found);
  if (streams_.empty()) idle_since_ = now_.monotonic;
  if (asking) listener_.on_withdrawn(static_cast<uint64_t>(id));
}

// --- output ---

void Http2::refuse(int32_t id, Stream &stream, const Refusal &refusal) {
  Response response = refusal_response(refusal);
  response.close = false; // other streams go on
  send(id, stream, std::move(response));
  listener_.on_refused(refusal);
}

bool Http2::respond(uint64_t number, Response response, Now now) {
  if (number > INT32_MAX) return false;
  auto id = static_cast<int32_t>(number);
  Stream *stream = find(id);
  if (stream == nullptr || stream->state != State::Asking) return false;
  now_ = now;
  bool close = response.close;
  send(id, *stream, std::move(response));
  if (close) finish(now);
  return true;
}

void Http2::send(int32_t id, Stream &stream, Response response) {
  stream.state = State::Answering;
  stream.request = {};
  stream.deadline = now_.monotonic + options_.write_timeout;
  if (!can_be_sent(response)) response = Response{.status = 500};
  fmt::format_int status(response.status), length(response.body.size());
  std::vector<nghttp2_nv> fields;
  fields.reserve(response.headers.all().size() + 4);
  fields.push_back(field(":status", {status.data(), status.size()}));
  fields.push_back(field("date", cached_date(now_.wall)));
  fields.push_back(field("server", kServerName));
  for (const Header &header : response.headers.all())
    if (!is_left_out(header.name)) fields.push_back(field(header.name, trim(header.value)));
  bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) fields.push_back(field("content-length", {length.data(), length.size()}));
  bool sends_body = !bodiless && !stream.head_only && !response.body.empty();
  if (sends_body) stream.body = std::move(response.body).into_shared();
  nghttp2_data_provider provider{.source = {.ptr = nullptr}, .read_callback = Callbacks::on_read};
  int error =
      nghttp2_submit_response(session_.get(), id, fields.data(), fields.size(), sends_body ? &provider : nullptr);
  if (error != 0) set_end(End::AtOnce, nghttp2_strerror(error));
}

void Http2::fill() {
  if (output_.empty()) sent_at_ = now_.monotonic; // nothing had to be taken until now
  while (end() != End::AtOnce && output_.size() < kMaxQueuedBytes) {
    const uint8_t *bytes = nullptr;
    ssize_t count = nghttp2_session_mem_send(session_.get(), &bytes);
    if (count < 0) return set_end(End::AtOnce, nghttp2_strerror(static_cast<int>(count)));
    if (count == 0) break;
    output_.append(text_of(bytes, static_cast<size_t>(count)));
  }
  check_end();
}

void Http2::check_end() {
  if (last_request_ && streams_.empty()) set_end(End::WhenSent, "the server closes");
  if (nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0)
    set_end(End::WhenSent, "the client breaks the rules of HTTP/2, or closes");
}

void Http2::on_sent(Now now) {
  now_ = now;
  sent_at_ = now.monotonic;
}

// Once the last of a stream is sent, the client takes it for complete.
void Http2::on_torn(uint64_t owner, Now now) {
  now_ = now;
  if ((owner & 1) != 0) return set_end(End::AtOnce, "what was sent has changed meanwhile");
  auto id = static_cast<int32_t>(owner >> 1);
  Stream *stream = find(id); // not there: it was reset, or its last frame is behind this one
  if (stream != nullptr && stream->framed < stream->body.size())
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
}

void Http2::set_answer_timeout(uint64_t number, Nanoseconds timeout, Now now) {
  Stream *stream = number > INT32_MAX ? nullptr : find(static_cast<int32_t>(number));
  if (stream == nullptr || stream->state != State::Asking) return;
  stream->deadline = timeout > 0 ? now.monotonic + timeout : 0;
}

std::vector<uint64_t> Http2::waiting() const {
  std::vector<uint64_t> numbers;
  for (const auto &[id, stream] : streams_)
    if (stream.state == State::Asking) numbers.push_back(static_cast<uint64_t>(id));
  return numbers;
}

// --- the end ---

void Http2::turn_away(const Refusal &refusal, Now now) {
  now_ = now;
  nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
  listener_.on_refused(refusal);
}

void Http2::finish(Now now) {
  now_ = now;
  if (std::exchange(last_request_, true)) return;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_.get()),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2::on_tick(Now now) {
  now_ = now;
  if (!output_.empty() && now.monotonic - sent_at_ >= options_.write_timeout)
    return set_end(End::AtOnce, "the client takes nothing");
  if (streams_.empty() && output_.empty() && now.monotonic - idle_since_ >= options_.idle_timeout) {
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_NO_ERROR);
    return set_end(End::WhenSent, "idle");
  }
  std::vector<int32_t> late;
  for (const auto &[id, stream] : streams_)
    if (stream.deadline != 0 && now.monotonic >= stream.deadline) late.push_back(id);
  for (int32_t id : late)
    if (Stream *stream = find(id)) on_late(id, *stream);
}

void Http2::on_late(int32_t id, Stream &stream) {
  switch (stream.state) {
  case State::Head: // nothing else can be said before it is complete
    return set_end(End::AtOnce, "request not complete in time");
  case State::Body:
    return refuse(id, stream, {408, "request not complete in time"});
  case State::Asking:
    return refuse(id, stream, {504, "no answer in time"});
  case State::Answering: // others may have been preferred to it
    bool stuck = nghttp2_session_get_stream_remote_window_size(session_.get(), id) <= 0 ||
                 nghttp2_session_get_remote_window_size(session_.get()) <= 0;
    if (stuck) nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    return;
  }
}

} // namespace sluice::http
