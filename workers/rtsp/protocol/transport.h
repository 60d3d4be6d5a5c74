// The Transport header (RFC 2326 section 12.39): parsed with comma-separated alternatives, written as in a
// server's answer. Unknown parameters are ignored.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::rtsp {

constexpr size_t kMaxTransportAlternatives = 8;

enum class LowerTransport : uint8_t { Udp, Tcp };
enum class TransportMode : uint8_t { Play, Record };

std::string_view to_string(TransportMode mode);

struct PortPair {
  uint16_t rtp = 0, rtcp = 0;
  bool operator==(const PortPair &) const = default;
};

struct TransportSpec {
  LowerTransport lower = LowerTransport::Udp;
  bool multicast = false;
  std::optional<PortPair> client_port, server_port, interleaved, port; // a single number n means n and n+1
  std::optional<uint8_t> ttl;
  std::optional<uint32_t> ssrc;
  std::optional<TransportMode> mode; // "receive" is record
  std::string source, destination;   // IP literals, "" = not said

  bool operator==(const TransportSpec &) const = default;
};

// The alternatives that can be read, in the client's order; an Error (that of the first) when there is none.
Result<std::vector<TransportSpec>> parse_transport(std::string_view value);

// RTP/AVP[/TCP];unicast|multicast;source=;destination=;interleaved=;port=;ttl=;client_port=;server_port=;ssrc=;mode=
// Only what is set, in this order. A server's answer has no mode.
std::string write_transport(const TransportSpec &spec);

} // namespace sluice::rtsp
