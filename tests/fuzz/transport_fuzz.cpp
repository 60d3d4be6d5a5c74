// Each alternative of a Transport header is written and read again: the same.
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "workers/rtsp/protocol/transport.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice;
  Result<std::vector<rtsp::TransportSpec>> specs = rtsp::parse_transport(as_text({data, size}));
  if (!specs) return 0;
  CHECK(!specs->empty() && specs->size() <= rtsp::kMaxTransportAlternatives);
  for (const rtsp::TransportSpec &spec : *specs) {
    Result<std::vector<rtsp::TransportSpec>> again = rtsp::parse_transport(rtsp::write_transport(spec));
    CHECK(again.has_value() && again->size() == 1 && again->front() == spec);
  }
  return 0;
}
