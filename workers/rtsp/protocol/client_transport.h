// The Transport header as a client asks for it and reads the answer (RFC 2326 section 12.39). Pure.
#pragma once

#include "workers/rtsp/protocol/transport.h"

namespace sluice::rtsp {

// How the media of a client comes; Automatic until it is decided between the others.
enum class ClientTransport : uint8_t { Automatic, Udp, Multicast, Tcp };

// Where a track's media comes from, as the server answered.
struct MediaRoute {
  ClientTransport transport = ClientTransport::Tcp; // never Automatic
  std::string source;                               // IP literal of who sends, "" = the server itself
  std::optional<PortPair> server_ports;             // Udp; empty: not known, and any are allowed
  std::string group;                                // Multicast: IP literal
  PortPair group_ports;
  PortPair channels; // Tcp: each 0..255

  bool operator==(const MediaRoute &) const = default;
};

// `ports`: the client's (Udp) or channels (Tcp); of no meaning for Multicast.
std::string write_transport_request(ClientTransport transport, const PortPair &ports);

// Whether the answer is about packets in the connection, whatever was asked for.
bool answers_with_tcp(std::string_view value);
// The answer to that request; `value` is null when the server sent none. Parameters that a client does not need are
// not looked at, so what is wrong in them does no harm. `any_port`: the server need not say its ports.
// Error: it makes no sense, or what it says can't be used.
Result<MediaRoute> read_transport_answer(const std::string *value, ClientTransport transport, const PortPair &asked,
                                         bool any_port);

} // namespace sluice::rtsp
