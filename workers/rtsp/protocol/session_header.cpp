#include "workers/rtsp/protocol/session_header.h"

#include "common/base/text.h"

#include <charconv>

namespace sluice::rtsp {

uint32_t parse_session_id(std::string_view value) {
  std::string_view text = trim(value.substr(0, value.find(';')));
  uint32_t id = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  bool canonical = error == std::errc() && end == text.data() + text.size() && text[0] != '0';
  return canonical ? id : 0;
}

std::string write_session(uint32_t wire_id, bool with_timeout) {
  std::string text = std::to_string(wire_id);
  if (with_timeout) text += ";timeout=" + std::to_string(kSessionTimeoutSeconds);
  return text;
}

} // namespace sluice::rtsp
