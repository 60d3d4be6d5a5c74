#include "workers/rtsp/protocol/interleaved.h"

#include "workers/rtsp/protocol/head.h"

namespace sluice::rtsp {

std::optional<Frame> parse_frame(Bytes input) {
  if (input.size() < kFrameHeaderBytes || input[0] != kFrameMark) return std::nullopt;
  size_t length = load_be16(input.data() + 2);
  if (input.size() < kFrameHeaderBytes + length) return std::nullopt;
  return Frame{input[1], input.subspan(kFrameHeaderBytes, length), kFrameHeaderBytes + length};
}

Result<std::optional<Item>> next_item(Bytes input) {
  size_t skip = 0;
  while (skip < input.size() && (input[skip] == '\r' || input[skip] == '\n')) {
    if (++skip > kMaxLeadingLineEndBytes) return Error{"too many empty lines"};
  }
  if (skip == input.size()) return std::optional<Item>();
  std::string_view text = as_text(input.subspan(skip));
  if (text[0] == kFrameMark) return std::optional(Item{ItemKind::Frame, skip});

  constexpr std::string_view kResponse = "RTSP/";
  if (text.starts_with(kResponse)) return std::optional(Item{ItemKind::Response, skip});
  if (kResponse.starts_with(text)) return std::optional<Item>();
  if ((text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= 'a' && text[0] <= 'z')) {
    return std::optional(Item{ItemKind::Request, skip});
  }
  return Error{"neither a request nor an interleaved frame"};
}

} // namespace sluice::rtsp
