// The protocols that workers serve, one each. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::config {

enum class Protocol : uint8_t { Rtsp, Rtmp, Hls };
constexpr std::array kProtocols{Protocol::Rtsp, Protocol::Rtmp, Protocol::Hls};

// One T for each.
template <class T> struct PerProtocol {
  std::array<T, kProtocols.size()> values{};

  constexpr T &operator[](Protocol protocol) { return values[static_cast<size_t>(protocol)]; }
  constexpr const T &operator[](Protocol protocol) const { return values[static_cast<size_t>(protocol)]; }
  bool operator==(const PerProtocol &) const = default;
};

std::string_view name_of(Protocol protocol);            // "rtsp"
std::string_view label_of(Protocol protocol, bool tls); // of log lines: "RTSP", "RTSPS"

// That of "rtsp://…", "rtsps://…", "rtmp://…", "rtmps://…", "http://…" and "https://…".
std::optional<Protocol> protocol_of_url(std::string_view url);

} // namespace sluice::config
