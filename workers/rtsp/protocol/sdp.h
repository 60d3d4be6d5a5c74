// SDP (RFC 4566) as RTSP uses it: read from an ANNOUNCE (or from a source), written for a DESCRIBE. Pure.
// Reading is tolerant: LF line ends, unknown lines and attributes, static payload types without rtpmap, tracks
// without control attribute. Encoding names and fmtp come out normalised per codec (fmtp.h).
#pragma once

#include "common/base/result.h"
#include "common/media/stream_description.h"

#include <string_view>

namespace sluice::rtsp {

constexpr size_t kMaxSdpBytes = 128 * 1024;
constexpr size_t kMaxSdpLines = 4096;
constexpr size_t kMaxFmtpBytes = 8192;
constexpr size_t kMaxControlBytes = 2048;
constexpr size_t kMaxEncodingBytes = 64;

struct ParsedSdp {
  media::StreamDescription description; // valid: 1..kMaxTracks tracks, each with a clock rate
  std::vector<std::string> controls;    // of each track, as received; "" = none
  std::string session_control;          // "" or "*" = the URL of the request
};

// The error's text goes behind "invalid SDP: ".
Result<ParsedSdp> parse_sdp(std::string_view text);

// CRLF lines; the control attribute of track n is trackID=n.
std::string write_sdp(const media::StreamDescription &description);

} // namespace sluice::rtsp
