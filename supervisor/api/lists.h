// The bodies of the API's lists: JSON made from what there is. Pure.
#pragma once

#include "supervisor/api/backend.h"

#include <string>

namespace sluice::api {

std::string paths_json(const Backend &backend);
std::string sessions_json(const Backend &backend, config::Protocol protocol, bool tls);
std::string muxers_json(const Backend &backend);
std::string workers_json(const Backend &backend);

// "2022-06-24T10:11:12Z" (RFC 3339).
std::string utc_text(Nanoseconds since_1970);

} // namespace sluice::api
