// What the supervisor needs to know of a source's URL: whom to look up, and whose credentials it holds. Pure.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/protocol.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::config {

struct SourceHost {
  Protocol protocol = Protocol::Rtsp;
  std::string host; // IPv6 without brackets
  uint16_t port = 0;
  bool tls = false;
};

// Of rtsp, rtsps, rtmp, rtmps, http and https URLs. Errors name no credentials.
Result<SourceHost> host_of_source(std::string_view url);

// "user:password" of the URL: both are there, or neither.
bool has_whole_credentials(std::string_view url);

// The URL that a redirect leads to, with the credentials of `from` unless it has its own; they don't leave TLS.
std::string redirected_url(const std::string &from, const std::string &to);

} // namespace sluice::config
