// RTSP/1.0 responses (RFC 2326 section 7): written with headers sorted by name; read where the peer is a server,
// and skipped when a client sends one. A parsed response owns copies.
#pragma once

#include "workers/rtsp/protocol/head.h"

namespace sluice::rtsp {

enum class Status : uint16_t {
  Ok = 200,
  MovedPermanently = 301,
  BadRequest = 400,
  Unauthorized = 401,
  NotFound = 404,
  SessionNotFound = 454,
  MethodNotValidInThisState = 455,
  UnsupportedTransport = 461,
  InternalServerError = 500,
  NotImplemented = 501,
  ServiceUnavailable = 503,
};

std::string_view reason_phrase(Status status);

struct Response {
  Status status = Status::Ok;
  std::string cseq; // of the request; "" = no CSeq header
  Headers headers;  // beside CSeq, Server and Content-Length, which the writer adds
  std::string body;
};

// Appends the response's bytes.
void serialise(const Response &response, ByteVector &out);
// Into a caller's buffer; the number of bytes, empty when it does not fit (nothing is written then).
std::optional<size_t> serialise(const Response &response, MutableBytes out);

struct ParsedResponse {
  uint16_t status = 0;
  std::string reason; // "" = none
  Headers headers;
  ByteVector body;
  size_t consumed = 0;
};

// Of a peer. Empty while incomplete.
Result<std::optional<ParsedResponse>> parse_response(Bytes input, ParseHint &hint);
Result<std::optional<ParsedResponse>> parse_response(Bytes input);

} // namespace sluice::rtsp
