// What answers of the HLS server have in common: who may use them (CORS), how long they may be kept. Pure.
#pragma once

#include "common/http/request_parser.h"
#include "common/http/response.h"

#include <string>
#include <string_view>

namespace sluice::hls {

enum class Kept : uint8_t {
  Never,
  Briefly, // by `seconds`
  Forever, // its name is never used for anything else
};

void allow_origin(http::Response &response, const std::string &origin);
void set_cache_control(http::Response &response, Kept kept, int64_t seconds = 0);
http::Response text_response(uint16_t status, std::string_view text);
// 204, to a browser that asks first (CORS preflight).
http::Response preflight_response(const http::Request &request);

} // namespace sluice::hls
