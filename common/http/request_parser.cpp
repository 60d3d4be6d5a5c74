#include "common/http/request_parser.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/http/uri.h"

#include <algorithm>

namespace sluice::http {
namespace {

// A chunked body may be this many times its bound on the wire: one byte a chunk takes six.
constexpr size_t kChunkedExpansion = 8;
constexpr size_t kChunkedOverheadBytes = 16 * 1024; // trailers, extensions

std::string_view text_of(const char *at, size_t length) {
  return {at, length};
}

} // namespace

struct RequestParser::Callbacks {
  static RequestParser &self(llhttp_t *llhttp) { return *static_cast<RequestParser *>(llhttp->data); }

  static int on_header_field(llhttp_t *llhttp, const char *at, size_t length) {
    if (!self(llhttp).head_done_) self(llhttp).header_name_ += text_of(at, length);
    return 0;
  }
  static int on_header_value(llhttp_t *llhttp, const char *at, size_t length) {
    if (!self(llhttp).head_done_) self(llhttp).header_value_ += text_of(at, length);
    return 0;
  }
  static int on_header_value_complete(llhttp_t *llhttp) {
    RequestParser &parser = self(llhttp);
    if (parser.head_done_) return 0;
    if (parser.request_.headers.all().size() == kMaxHeaders) return parser.deny(431, "too many headers") ? 0 : -1;
    parser.request_.headers.add(std::move(parser.header_name_), std::string(trim(parser.header_value_)));
    parser.header_name_.clear();
    parser.header_value_.clear();
    return 0;
  }
  static int on_headers_complete(llhttp_t *llhttp) {
    RequestParser &parser = self(llhttp);
    parser.head_done_ = true;
    llhttp->upgrade = 0;
    return parser.check_head() && parser.check_framing() ? 0 : -1;
  }
  static int on_chunk_header(llhttp_t *llhttp) {
    RequestParser &parser = self(llhttp);
    bool fits = llhttp->content_length <= parser.max_body_bytes_ - parser.request_.body.size();
    return fits || parser.deny(413, "body too large") ? 0 : -1;
  }
  static int on_body(llhttp_t *llhttp, const char *at, size_t length) {
    self(llhttp).request_.body += text_of(at, length);
    return 0;
  }
  static int on_message_complete(llhttp_t *llhttp) {
    self(llhttp).complete_ = true;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t *settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t made;
      llhttp_settings_init(&made);
      made.on_header_field = on_header_field;
      made.on_header_value = on_header_value;
      made.on_header_value_complete = on_header_value_complete;
      made.on_headers_complete = on_headers_complete;
      made.on_chunk_header = on_chunk_header;
      made.on_body = on_body;
      made.on_message_complete = on_message_complete;
      return made;
    }();
    return &kSettings;
  }
};

RequestParser::RequestParser(size_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

RequestParser::Progress RequestParser::feed(Bytes input) {
  switch (state_) {
  case State::Head: {
    size_t consumed = head_.scan(input);
    if (head_.refusal()) return refuse(consumed, *head_.refusal());
    if (!head_.complete()) return {consumed, {}};
    Progress begun = begin_message(consumed);
    if (state_ != State::Body || begun.outcome.index() != 0) return begun;
    return feed_body(input.subspan(consumed), consumed);
  }
  case State::Body:
    return feed_body(input, 0);
  case State::Refused:
    break;
  }
  return {0, *refusal_};
}

RequestParser::Progress RequestParser::begin_message(size_t consumed) {
  request_ = {};
  header_name_.clear();
  header_value_.clear();
  head_done_ = complete_ = expects_continue_ = false;
  if (!parse_request_line()) return refuse(consumed, *refusal_);
  llhttp_init(&llhttp_, HTTP_REQUEST, Callbacks::settings());
  llhttp_.data = this;
  std::string_view head = head_.text();
  llhttp_errno_t error = llhttp_execute(&llhttp_, head.data(), head.size());
  if (complete_) return finish_message(consumed);
  if (error == HPE_INVALID_METHOD || error == HPE_INVALID_CONSTANT) deny(501, "unknown method");
  if (error != HPE_OK && !refusal_) deny(400, llhttp_get_error_reason(&llhttp_));
  if (error == HPE_OK && !head_done_) deny(400, "invalid head");
  if (refusal_) return refuse(consumed, *refusal_);
  state_ = State::Body;
  if (expects_continue_) return {consumed, ExpectsContinue{}};
  return {consumed, {}};
}

RequestParser::Progress RequestParser::feed_body(Bytes input, size_t consumed) {
  if (input.empty()) return {consumed, {}};
  bool chunked = (llhttp_.flags & F_CHUNKED) != 0;
  std::string_view part = as_text(chunked ? input.first(std::min(input.size(), raw_body_left_)) : input);
  llhttp_errno_t error = llhttp_execute(&llhttp_, part.data(), part.size());
  if (complete_) {
    auto used = static_cast<size_t>(llhttp_get_error_pos(&llhttp_) - part.data());
    CHECK(used <= part.size());
    return finish_message(consumed + used);
  }
  if (error != HPE_OK && !refusal_) deny(400, llhttp_get_error_reason(&llhttp_));
  if (chunked) raw_body_left_ -= part.size();
  if (chunked && raw_body_left_ == 0 && !refusal_) deny(400, "too much framing around the body");
  if (refusal_) return refuse(consumed + part.size(), *refusal_);
  return {consumed + part.size(), {}};
}

RequestParser::Progress RequestParser::finish_message(size_t consumed) {
  state_ = State::Head;
  head_ = {};
  return {consumed, std::move(request_)};
}

RequestParser::Progress RequestParser::refuse(size_t consumed, Refusal refusal) {
  state_ = State::Refused;
  refusal_ = std::move(refusal);
  head_ = {};
  request_ = {};
  return {consumed, *refusal_};
}

bool RequestParser::deny(uint16_t status, const char *reason) {
  refusal_ = Refusal{status, reason != nullptr ? reason : "invalid request"};
  return false;
}

//   request-line = method SP request-target SP "HTTP/" DIGIT "." DIGIT
bool RequestParser::parse_request_line() {
  std::string_view line = head_.text().substr(0, head_.text().find('\r'));
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return deny(400, "invalid request line");
  std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  bool valid = is_token(method) && !target.empty() && target.find(' ') == std::string_view::npos &&
               version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
               is_digit(version[7]);
  if (!valid) return deny(400, "invalid request line");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return deny(505, "unsupported version of HTTP");
  if (method.size() > kMaxMethodBytes || method == "CONNECT") return deny(501, "unknown method");
  if (target.size() > kMaxTargetBytes) return deny(414, "target too long");
  auto parsed = parse_target(method, target);
  if (!parsed) return deny(400, parsed.error().message.c_str());
  request_.method = method;
  request_.target = target;
  request_.path = std::move(parsed->path);
  request_.query = std::move(parsed->query);
  request_.minor_version = version == "HTTP/1.1" ? 1 : 0;
  return true;
}

bool RequestParser::check_head() {
  for (const Header &header : request_.headers.all()) {
    if (!is_token(header.name) || !is_header_value(header.value)) return deny(400, "invalid header");
  }
  size_t hosts = request_.headers.count("Host");
  if (hosts > 1 || (hosts == 0 && request_.minor_version == 1)) return deny(400, "missing or second Host");
  request_.keep_alive = llhttp_should_keep_alive(&llhttp_) != 0;
  return true;
}

bool RequestParser::check_framing() {
  const std::string *coding = request_.headers.find("Transfer-Encoding");
  size_t lengths = request_.headers.count("Content-Length");
  if (lengths > 1 || (lengths == 1 && coding != nullptr)) return deny(400, "ambiguous length of the body");
  if (coding != nullptr && request_.minor_version == 0) return deny(400, "Transfer-Encoding in HTTP/1.0");
  if (coding != nullptr &&
      (request_.headers.count("Transfer-Encoding") > 1 || !equal_ignoring_case(*coding, "chunked")))
    return deny(501, "unknown transfer coding");
  bool chunked = (llhttp_.flags & F_CHUNKED) != 0;
  if (chunked != (coding != nullptr)) return deny(400, "ambiguous length of the body");
  if (!chunked && llhttp_.content_length > max_body_bytes_) return deny(413, "body too large");
  raw_body_left_ = max_body_bytes_ * kChunkedExpansion + kChunkedOverheadBytes;

  const std::string *expect = request_.headers.find("Expect");
  if (expect == nullptr) return true;
  if (!equal_ignoring_case(*expect, "100-continue")) return deny(417, "unknown expectation");
  expects_continue_ = request_.minor_version == 1 && (chunked || llhttp_.content_length > 0);
  return true;
}

} // namespace sluice::http
