// Segments of a source in MPEG-TS, after byte 0: how large the pieces are. Sections and PES headers are also read
// alone.

#include "demux_listener.h"
#include "workers/hls/demux/mpegts_reader.h"

#include <algorithm>

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  size_t piece = data[0] == 0 ? size : data[0];
  hls::MpegTsReader reader;
  DemuxListener listener;
  for (int pass = 0; pass < 2; pass++) {
    for (Bytes rest = input; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
      reader.push(rest.first(std::min(piece, rest.size())), listener);
    if (data[0] % 2 == 0) {
      reader.end_segment(listener);
    } else {
      reader.begin_discontinuity(listener);
    }
  }
  (void)hls::parse_pat(input);
  (void)hls::parse_pmt(input);
  if (auto packet = hls::parse_ts_packet(input)) CHECK(packet->payload.size() < hls::kTsPacket);
  auto header = hls::parse_pes_header(input);
  if (header && *header) CHECK((*header)->size <= input.size());
  return 0;
}
