// SDP (RFC 4566) as RTSP uses it: read from an ANNOUNCE (or from a source), written for a DESCRIBE. Pure.
// Reading is tolerant: LF line ends, unknown lines and attributes, static payload types without rtpmap, tracks
// without control attribute. Sections that can't be carried (not RTP, no known clock rate) are set apart; only if
// there is no other they are an error. Encoding names and fmtp come out normalised per codec (fmtp.h).
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

// As the section's own attribute says. What a server describes is named from its client's point of view: SendOnly is a
// back channel (ONVIF), which the client is to feed. A default for the whole session does not count here: those who
// state one mean their own side often enough.
enum class MediaDirection : uint8_t { Unsaid, SendOnly, RecvOnly, SendRecv, Inactive };

// What is set apart.
struct IgnoredSection {
  uint8_t position = 0; // among all sections
  std::string control;
  std::string reason; // "clock rate of track 1 is not known"
};

struct ParsedSdp {
  media::StreamDescription description;   // valid: 1..kMaxTracks tracks, each with a clock rate
  std::vector<std::string> controls;      // of each track, as received; "" = none
  std::vector<MediaDirection> directions; // of each track
  std::vector<uint8_t> positions;         // of each track among all sections; kMaxTracks in all at most
  std::vector<IgnoredSection> ignored;
  std::string session_control; // "" or "*" = the URL of the request
};

// The error's text goes behind "invalid SDP: ".
Result<ParsedSdp> parse_sdp(std::string_view text);

// CRLF lines; the control attribute of track n is trackID=n. `address`: IPv4, of the connection line.
std::string write_sdp(const media::StreamDescription &description, std::string_view address = "0.0.0.0");

} // namespace sluice::rtsp
