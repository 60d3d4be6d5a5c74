#include "workers/rtsp/protocol/transport.h"

#include "common/base/text.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace sluice::rtsp {
namespace {

// Takes the text before the next `separator` that is outside quotes.
std::string_view take_part(std::string_view &rest, char separator) {
  bool quoted = false;
  size_t end = 0;
  while (end < rest.size() && (quoted || rest[end] != separator)) {
    if (rest[end] == '"') quoted = !quoted;
    end++;
  }
  std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end < rest.size() ? end + 1 : end);
  return trim(part);
}

std::string_view unquoted(std::string_view text) {
  if (text.starts_with('"')) text.remove_prefix(1);
  if (text.ends_with('"')) text.remove_suffix(1);
  return text;
}

template <class T> std::optional<T> number(std::string_view text, int base = 10) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// n-m, or n for n and n+1.
Result<PortPair> parse_ports(std::string_view text) {
  size_t dash = text.find('-');
  std::optional<uint16_t> first = number<uint16_t>(trim(text.substr(0, dash)));
  std::optional<uint16_t> second;
  if (dash != std::string_view::npos) {
    second = number<uint16_t>(trim(text.substr(dash + 1)));
  } else if (first && *first < 65535) {
    second = static_cast<uint16_t>(*first + 1);
  }
  if (!first || !second) return Error{fmt::format("invalid ports ({})", text)};
  return PortPair{*first, *second};
}

Result<PortPair> parse_udp_ports(std::string_view text) {
  PortPair ports = TRY(parse_ports(text));
  if (ports.rtp == 0 || ports.rtcp == 0) return Error{fmt::format("invalid ports ({})", text)};
  return ports;
}

bool is_ip_literal(const std::string &text) {
  if (text.find('\0') != std::string::npos) return false;
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 || inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

Result<TransportMode> parse_mode(std::string_view text) {
  std::string_view mode = unquoted(text);
  if (equal_ignoring_case(mode, "play")) return TransportMode::Play;
  if (equal_ignoring_case(mode, "record") || equal_ignoring_case(mode, "receive")) return TransportMode::Record;
  return Error{fmt::format("invalid transport mode: '{}'", mode)};
}

Result<void> parse_parameter(std::string_view key, std::string_view value, TransportSpec &spec) {
  auto is = [key](std::string_view name) { return equal_ignoring_case(key, name); };
  if (is("unicast")) {
    spec.multicast = false;
  } else if (is("multicast")) {
    spec.multicast = true;
  } else if (is("source")) {
    spec.source = unquoted(value);
    if (!is_ip_literal(spec.source)) return Error{fmt::format("invalid source ({})", value)};
  } else if (is("destination")) {
    spec.destination = unquoted(value);
    if (!is_ip_literal(spec.destination)) return Error{fmt::format("invalid destination ({})", value)};
  } else if (is("client_port")) {
    spec.client_port = TRY(parse_udp_ports(value));
  } else if (is("server_port")) {
    spec.server_port = TRY(parse_ports(value));
  } else if (is("interleaved")) {
    spec.interleaved = TRY(parse_ports(value));
  } else if (is("port")) {
    spec.port = TRY(parse_ports(value));
  } else if (is("ttl")) {
    spec.ttl = number<uint8_t>(value);
    if (!spec.ttl) return Error{fmt::format("invalid ttl ({})", value)};
  } else if (is("ssrc")) {
    spec.ssrc = number<uint32_t>(value, 16); // what can't be read is as good as unknown
  } else if (is("mode")) {
    spec.mode = TRY(parse_mode(value));
  }
  return {};
}

Result<TransportSpec> parse_alternative(std::string_view text) {
  TransportSpec spec;
  bool protocol_found = false;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view part = take_part(rest, ';');
    size_t equals = part.find('=');
    std::string_view key = trim(part.substr(0, equals));
    if (equals != std::string_view::npos) {
      TRY(parse_parameter(key, trim(part.substr(equals + 1)), spec));
    } else if (equal_ignoring_case(key, "RTP/AVP") || equal_ignoring_case(key, "RTP/AVP/UDP")) {
      spec.lower = LowerTransport::Udp;
      protocol_found = true;
    } else if (equal_ignoring_case(key, "RTP/AVP/TCP")) {
      spec.lower = LowerTransport::Tcp;
      protocol_found = true;
    } else {
      TRY(parse_parameter(key, "", spec));
    }
  }
  if (!protocol_found) return Error{fmt::format("protocol not found ({})", text)};
  return spec;
}

} // namespace

std::string_view to_string(TransportMode mode) {
  return mode == TransportMode::Play ? "play" : "record";
}

Result<std::vector<TransportSpec>> parse_transport(std::string_view value) {
  std::vector<TransportSpec> alternatives;
  std::optional<Error> first_error;
  std::string_view rest = value;
  for (size_t i = 0; i < kMaxTransportAlternatives && !rest.empty(); i++) {
    Result<TransportSpec> spec = parse_alternative(take_part(rest, ','));
    if (spec) {
      alternatives.push_back(std::move(*spec));
    } else if (!first_error) {
      first_error = spec.error();
    }
  }
  if (!alternatives.empty()) return alternatives;
  return first_error.value_or(Error{"value not provided"});
}

std::string write_transport(const TransportSpec &spec) {
  std::string text = spec.lower == LowerTransport::Tcp ? "RTP/AVP/TCP" : "RTP/AVP";
  auto add_ports = [&text](std::string_view key, const std::optional<PortPair> &ports) {
    if (ports) text += fmt::format(";{}={}-{}", key, ports->rtp, ports->rtcp);
  };
  text += spec.multicast ? ";multicast" : ";unicast";
  if (!spec.source.empty()) text += ";source=" + spec.source;
  if (!spec.destination.empty()) text += ";destination=" + spec.destination;
  add_ports("interleaved", spec.interleaved);
  add_ports("port", spec.port);
  if (spec.ttl) text += fmt::format(";ttl={}", *spec.ttl);
  add_ports("client_port", spec.client_port);
  add_ports("server_port", spec.server_port);
  if (spec.ssrc) text += fmt::format(";ssrc={:08X}", *spec.ssrc);
  if (spec.mode) text += fmt::format(";mode={}", to_string(*spec.mode));
  return text;
}

} // namespace sluice::rtsp
