// What was read from an SDP is written and read again: the same description.
#include "common/base/check.h"
#include "workers/rtsp/protocol/sdp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice;
  Result<rtsp::ParsedSdp> parsed = rtsp::parse_sdp(as_text({data, size}));
  if (!parsed) {
    CHECK(!parsed.error().message.empty());
    return 0;
  }
  CHECK(media::is_valid(parsed->description));
  size_t tracks = parsed->description.tracks.size();
  CHECK(parsed->controls.size() == tracks && parsed->directions.size() == tracks && parsed->positions.size() == tracks);
  CHECK(tracks + parsed->ignored.size() <= media::kMaxTracks);
  for (const rtsp::IgnoredSection &section : parsed->ignored) CHECK(!section.reason.empty());
  std::string text = rtsp::write_sdp(parsed->description);
  if (text.size() > rtsp::kMaxSdpBytes) return 0; // normalised parameters may be longer than given
  Result<rtsp::ParsedSdp> again = rtsp::parse_sdp(text);
  CHECK(again.has_value());
  CHECK(again->description == parsed->description && again->ignored.empty());
  CHECK(rtsp::write_sdp(again->description) == text);
  return 0;
}
