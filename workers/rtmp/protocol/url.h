// RTMP's URLs: how a server makes a path of what a client names, and what a source's URL tells a client to ask for.
//   rtmp[s]://[user[:password]@]host[:port]/app[/instance]/stream[?query]       host may be [v6]
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::rtmp {

constexpr size_t kMaxUrlBytes = 4096;

struct PathAndQuery {
  std::string path; // without slashes at its ends; may be empty
  std::string query;

  bool operator==(const PathAndQuery &) const = default;
};

// Of the `app` that a client connected to and the stream it names, as if they stood in a URL, one behind the other:
// either may be empty, or hold slashes. A query may be in either (some clients put theirs into the app), that of the
// stream comes first. Nothing is decoded.
PathAndQuery path_and_query(std::string_view app, std::string_view stream);

// Whether a client's tcUrl has a scheme and a host.
bool is_valid_tc_url(std::string_view text);

struct Url {
  bool tls = false;     // rtmps
  std::string userinfo; // percent-encoded; "" = none
  std::string host;     // with brackets if IPv6
  std::optional<uint16_t> port;
  // As FFmpeg takes a path apart: of "a" and "a/b" the first part is the app, of longer ones the first two. With a
  // query it is the stream's, or of the app's where there is no stream.
  std::string app, stream;

  std::string tc_url() const; // without userinfo and query
  std::string text() const;

  bool operator==(const Url &) const = default;
};

Result<Url> parse_url(std::string_view text);
// Of a tcUrl, all of whose path is the app, and the name of a stream.
Result<Url> parse_tc_url(std::string_view tc_url, std::string_view stream);

// What a client asks for: app and stream with `userinfo` as "user=…&pass=…" in the query, which is where this server
// and its kin look for credentials. A query that names a user stays as it is.
struct StreamRequest {
  std::string app, stream;
};
StreamRequest stream_request(const Url &url);

} // namespace sluice::rtmp
