#include "workers/rtsp/protocol/client_transport.h"

#include "common/base/text.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

bool is_address(std::string_view text) {
  std::string terminated(text.substr(0, text.find('\0')));
  in6_addr address;
  return terminated.size() == text.size() && (inet_pton(AF_INET, terminated.c_str(), &address) == 1 ||
                                              inet_pton(AF_INET6, terminated.c_str(), &address) == 1);
}

bool matters(std::string_view part) {
  size_t equals = part.find('=');
  std::string_view name = trim(part.substr(0, equals));
  auto is = [name](std::string_view other) { return equal_ignoring_case(name, other); };
  if (equals == std::string_view::npos) return true;
  if (is("source") || is("destination")) return is_address(trim(part.substr(equals + 1))); // some send names
  return is("server_port") || is("port") || is("interleaved");
}

// The first alternative, less what does not matter.
std::string essence(std::string_view value) {
  std::string kept;
  value = value.substr(0, value.find(','));
  while (!value.empty()) {
    size_t end = std::min(value.find(';'), value.size());
    std::string_view part = trim(value.substr(0, end));
    if (!part.empty() && matters(part)) kept.append(kept.empty() ? "" : ";").append(part);
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return kept;
}

Result<void> read_udp(const TransportSpec &spec, bool any_port, MediaRoute &route) {
  if (spec.multicast) return Error{"the server answered with multicast, which it was not asked for"};
  bool known = spec.server_port && spec.server_port->rtp != 0 && spec.server_port->rtcp != 0;
  if (!known && !any_port)
    return Error{"server ports have not been provided. Use AnyPortEnable to communicate with this server"};
  if (known) route.server_ports = spec.server_port;
  route.source = spec.source;
  return {};
}

Result<void> read_multicast(const TransportSpec &spec, MediaRoute &route) {
  if (!spec.multicast) return Error{"the server does not offer multicast"};
  if (spec.destination.empty()) return Error{"the server named no multicast group"};
  std::optional<PortPair> ports = spec.port ? spec.port : spec.server_port;
  if (!ports || ports->rtp == 0 || ports->rtcp == 0) return Error{"the server named no multicast ports"};
  route.group = spec.destination;
  route.group_ports = *ports;
  route.source = spec.source;
  return {};
}

Result<void> read_tcp(const TransportSpec &spec, MediaRoute &route) {
  if (!spec.interleaved) return {}; // as asked for
  if (spec.interleaved->rtp > 255 || spec.interleaved->rtcp > 255 || spec.interleaved->rtp == spec.interleaved->rtcp)
    return Error{fmt::format("invalid channels ({}-{})", spec.interleaved->rtp, spec.interleaved->rtcp)};
  route.channels = *spec.interleaved;
  return {};
}

} // namespace

std::string write_transport_request(ClientTransport transport, const PortPair &ports) {
  TransportSpec spec;
  spec.mode = TransportMode::Play;
  switch (transport) {
  case ClientTransport::Tcp:
    spec.lower = LowerTransport::Tcp;
    spec.interleaved = ports;
    break;
  case ClientTransport::Multicast:
    spec.multicast = true;
    break;
  case ClientTransport::Automatic:
  case ClientTransport::Udp:
    spec.client_port = ports;
    break;
  }
  return write_transport(spec);
}

bool answers_with_tcp(std::string_view value) {
  auto specs = parse_transport(essence(value));
  return specs && specs->front().lower == LowerTransport::Tcp;
}

Result<MediaRoute> read_transport_answer(const std::string *value, ClientTransport transport, const PortPair &asked,
                                         bool any_port) {
  MediaRoute route{.transport = transport, .channels = asked};
  bool tcp = transport == ClientTransport::Tcp;
  if (value == nullptr && tcp) return route;
  if (value == nullptr) return Error{"the answer to SETUP has no transport header"};
  std::vector<TransportSpec> specs = TRY(parse_transport(essence(*value)));
  const TransportSpec &spec = specs.front();
  if ((spec.lower == LowerTransport::Tcp) != tcp)
    return Error{fmt::format("the server answered with {} instead of {}", tcp ? "UDP" : "TCP", tcp ? "TCP" : "UDP")};
  switch (transport) {
  case ClientTransport::Tcp:
    TRY(read_tcp(spec, route));
    break;
  case ClientTransport::Multicast:
    TRY(read_multicast(spec, route));
    break;
  case ClientTransport::Automatic:
  case ClientTransport::Udp:
    TRY(read_udp(spec, any_port, route));
    break;
  }
  return route;
}

} // namespace sluice::rtsp
