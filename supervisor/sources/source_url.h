// What the supervisor needs to know of a source's URL: whom to look up, and whose credentials it holds.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <string>

namespace sluice {

struct SourceHost {
  std::string host; // IPv6 without brackets
  uint16_t port = 0;
  bool tls = false;
};

// Of rtsp and rtsps URLs. Errors name no credentials.
Result<SourceHost> host_of_source(const std::string &url);

// The URL that a redirect leads to, with the credentials of `from` unless it has its own; they don't leave TLS.
std::string redirected_url(const std::string &from, const std::string &to);

} // namespace sluice
