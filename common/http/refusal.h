// Why input is no request: what to answer before the connection closes.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::http {

struct Refusal {
  uint16_t status = 400;
  std::string reason; // for the log
};

} // namespace sluice::http
