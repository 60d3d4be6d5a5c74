// Where a client finds what a server describes: the URL of the whole presentation and those of its tracks
// (RFC 2326 appendix C.1.1), and where a redirection leads. Pure.
#pragma once

#include "workers/rtsp/protocol/head.h"
#include "workers/rtsp/protocol/url.h"

namespace sluice::rtsp {

// The URL that PLAY, keep-alives and TEARDOWN go to, and that relative controls continue: an absolute control of the
// session, else Content-Base, else Content-Location, else what was asked for. Whatever host those name (that of a
// server behind a NAT is often wrong), it is the one that was asked. Without userinfo.
Url base_url(const Url &request, const Headers &response, std::string_view session_control);

// `control` is absolute, an absolute path that begins with that of `base`, or appended to the whole of it; "" and "*":
// the base itself. The host is again that of `base`. Error: no URL comes of it.
Result<Url> track_url(const Url &base, std::string_view control);

// `location` of an answer to a request for `request`: absolute, or relative to it. Error: no RTSP URL.
Result<Url> redirection_url(const Url &request, std::string_view location);

} // namespace sluice::rtsp
