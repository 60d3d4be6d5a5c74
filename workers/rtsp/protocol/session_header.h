// The Session header (RFC 2326 section 12.37). Ids are decimal numbers from 1 to 2^32-1, as Sluice makes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::rtsp {

constexpr int kSessionTimeoutSeconds = 60;

// The id before ';', or 0 when it can't be one of ours.
uint32_t parse_session_id(std::string_view value);

std::string write_session(uint32_t wire_id, bool with_timeout);

} // namespace sluice::rtsp
