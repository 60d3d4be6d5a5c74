// What clients name, and sources' URLs: paths have no slashes at their ends, and what was parsed makes sense.
#include "common/base/check.h"
#include "workers/rtmp/protocol/url.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice::rtmp;
  std::string_view text(reinterpret_cast<const char *>(data), size);
  std::string_view app = text.substr(0, text.find('\n'));
  PathAndQuery target = path_and_query(app, text.substr(std::min(app.size() + 1, text.size())));
  CHECK(!target.path.starts_with('/') && !target.path.ends_with('/'));
  CHECK(target.path.find('?') == std::string::npos);
  (void)is_valid_tc_url(text);
  if (auto moved = parse_tc_url(text, "s")) CHECK(!moved->app.empty());
  auto url = parse_url(text);
  if (!url) return 0;
  CHECK(!url->host.empty() && !url->app.empty());
  CHECK(is_valid_tc_url(url->tc_url()));
  auto again = parse_url(url->text());
  CHECK(!again || (again->host == url->host && again->userinfo == url->userinfo && again->port == url->port));
  StreamRequest request = stream_request(*url);
  CHECK(request.app.starts_with(url->app) && request.stream.starts_with(url->stream));
  return 0;
}
