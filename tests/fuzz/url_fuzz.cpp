// URLs give their text back, and what is derived from them stays within them. Also the Session header.
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "workers/rtsp/protocol/session_header.h"
#include "workers/rtsp/protocol/url.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice;
  std::string_view text = as_text({data, size});
  if (uint32_t id = rtsp::parse_session_id(text)) {
    CHECK(rtsp::parse_session_id(rtsp::write_session(id, true)) == id);
  }
  std::string_view control = text.substr(0, text.find('\n'));
  text.remove_prefix(control.size() < text.size() ? control.size() + 1 : 0);
  Result<rtsp::Url> url = rtsp::parse_url(text);
  if (!url) return 0;
  std::string written = url->text();
  Result<rtsp::Url> again = rtsp::parse_url(written);
  CHECK(again.has_value() && *again == *url);
  CHECK(url->path.empty() || url->path[0] == '/');
  Result<rtsp::PlayTarget> target = rtsp::parse_play_target(*url);
  if (target) CHECK(target->path.size() + target->query.size() <= text.size());
  std::optional<std::string> joined = rtsp::control_path_and_query(*url, control);
  if (joined) CHECK(joined->size() <= written.size() + control.size() + 1);
  CHECK(rtsp::check_path_name(control).has_value() == rtsp::path_name_flaw(control).empty());
  return 0;
}
