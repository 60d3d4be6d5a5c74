// Requests and responses. Parsed in one piece, and again as the input grows with a hint kept: the same result.
#include "common/base/check.h"
#include "workers/rtsp/protocol/request.h"
#include "workers/rtsp/protocol/response.h"

namespace {

using namespace sluice;

// In pieces; each prefix is incomplete, an error for good, or complete with the same length.
template <class Parse> void feed_growing(Bytes input, Parse parse) {
  rtsp::ParseHint hint;
  auto whole = parse(input, hint);
  hint = {};
  size_t step = input.size() / 64 + 1;
  for (size_t size = 0; size <= input.size(); size += step) {
    auto part = parse(input.first(size), hint);
    if (!part) {
      CHECK(!whole.has_value());
      return;
    }
    if (!*part) continue;
    CHECK(whole.has_value() && *whole);
    CHECK((*whole)->consumed == (*part)->consumed && (*part)->consumed <= size);
    return;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes input(data, size);
  feed_growing(input, [](Bytes part, rtsp::ParseHint &hint) { return rtsp::parse_request(part, hint); });
  feed_growing(input, [](Bytes part, rtsp::ParseHint &hint) { return rtsp::parse_response(part, hint); });
  Result<std::optional<rtsp::ParsedRequest>> parsed = rtsp::parse_request(input);
  if (parsed && *parsed) {
    CHECK((*parsed)->consumed <= rtsp::kMaxMessageBytes);
    CHECK((*parsed)->request.headers.all().size() <= rtsp::kMaxHeaders);
    CHECK((*parsed)->request.url.has_value() == ((*parsed)->request.url_text != "*"));
  }
  return 0;
}
