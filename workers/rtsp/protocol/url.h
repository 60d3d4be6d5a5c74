// RTSP URLs, path names, and how a track is named by a URL. Paths and queries are kept as received, never decoded.
//   rtsp[s]://[userinfo@]host[:port]/path[?query]       host may be [v6]; no fragment
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::rtsp {

struct Url {
  bool tls = false;     // rtsps
  std::string userinfo; // before '@'; "" = none
  std::string host;     // with brackets if IPv6
  std::optional<uint16_t> port;
  std::string path; // with its leading slash; "" = none
  std::string query;
  bool has_query = false;

  // "rtsp://user@host:port"
  std::string origin() const;
  // Path without leading slash, and query; empty when there is no path. This is what tracks are named by:
  // clients append the control attribute to the whole URL, behind a query.
  std::optional<std::string> path_and_query() const;
  std::string text() const;

  bool operator==(const Url &) const = default;
};

Result<Url> parse_url(std::string_view text);

struct PathAndQuery {
  std::string path, query;
  bool operator==(const PathAndQuery &) const = default;
};

// At the first '?'.
PathAndQuery split_query(std::string_view path_and_query);

// Why not, or empty when the name is a valid path name: "can't begin with a slash", ….
std::string_view path_name_flaw(std::string_view name);
// The error shown to users: "invalid path name: <reason> (<name>)".
Result<void> check_path_name(std::string_view name);

struct PlayTarget {
  uint32_t track = 0;
  std::string path, query;
};

// What a SETUP for playing asks for: the number behind the last "/trackID="; without it a URL that ends with a
// slash names track 0 (as VLC does it). A query may stand before or behind the track.
Result<PlayTarget> parse_play_target(const Url &url);

// Path and query of an announced track: `control` is absolute, or relative to `base` (appended to the whole of it).
// Empty when it is no URL.
std::optional<std::string> control_path_and_query(const Url &base, std::string_view control);

} // namespace sluice::rtsp
