// RTSP/1.0 requests (RFC 2326 section 6). Pure; a parsed request owns copies, so the input may go.
//   parse_request(input) empty: wait for more; an Error: close the connection, no response.
#pragma once

#include "workers/rtsp/protocol/head.h"
#include "workers/rtsp/protocol/url.h"

namespace sluice::rtsp {

enum class Method : uint8_t {
  Options,
  Describe,
  Announce,
  Setup,
  Play,
  Record,
  Pause,
  Teardown,
  GetParameter,
  SetParameter,
  Other, // answered 501
};

struct Request {
  Method method = Method::Other;
  std::string method_name;
  std::string url_text;   // as received
  std::optional<Url> url; // empty for "*"
  Headers headers;
  ByteVector body;
};

struct ParsedRequest {
  Request request;
  size_t consumed = 0; // bytes of the input, line ends before the request included
};

Result<std::optional<ParsedRequest>> parse_request(Bytes input, ParseHint &hint);
Result<std::optional<ParsedRequest>> parse_request(Bytes input);

} // namespace sluice::rtsp
