// A connection's input as a sequence of frames, requests and responses: always progress, never beyond the input.
#include "common/base/check.h"
#include "workers/rtsp/protocol/interleaved.h"
#include "workers/rtsp/protocol/request.h"
#include "workers/rtsp/protocol/response.h"

namespace {

using namespace sluice;

// Bytes consumed by the item at the front; 0 when the input ends within it or is garbage.
size_t consume_item(Bytes input) {
  Result<std::optional<rtsp::Item>> item = rtsp::next_item(input);
  if (!item || !*item) return 0;
  CHECK((*item)->skip <= rtsp::kMaxLeadingLineEndBytes);
  input = input.subspan((*item)->skip);
  switch ((*item)->kind) {
  case rtsp::ItemKind::Frame: {
    std::optional<rtsp::Frame> frame = rtsp::parse_frame(input);
    if (!frame) return 0;
    CHECK(frame->consumed == frame->payload.size() + rtsp::kFrameHeaderBytes);
    return (*item)->skip + frame->consumed;
  }
  case rtsp::ItemKind::Request: {
    Result<std::optional<rtsp::ParsedRequest>> request = rtsp::parse_request(input);
    return request && *request ? (*item)->skip + (*request)->consumed : 0;
  }
  case rtsp::ItemKind::Response: {
    Result<std::optional<rtsp::ParsedResponse>> response = rtsp::parse_response(input);
    return response && *response ? (*item)->skip + (*response)->consumed : 0;
  }
  }
  return 0;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes rest(data, size);
  while (size_t consumed = consume_item(rest)) {
    CHECK(consumed <= rest.size());
    rest = rest.subspan(consumed);
  }
  return 0;
}
