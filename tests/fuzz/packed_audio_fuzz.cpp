// Segments of a source in packed audio, after byte 0: how large the pieces are.

#include "demux_listener.h"
#include "workers/hls/demux/packed_audio_reader.h"

#include <algorithm>

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  size_t piece = data[0] == 0 ? size : data[0];
  hls::PackedAudioReader reader;
  DemuxListener listener;
  for (int pass = 0; pass < 2; pass++) {
    for (Bytes rest = input; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
      reader.push(rest.first(std::min(piece, rest.size())), listener);
    if (data[0] % 2 == 0) {
      reader.end_segment();
    } else {
      reader.begin_discontinuity();
    }
  }
  if (auto timestamp = hls::parse_id3_timestamp(input)) CHECK(*timestamp >> 33 == 0);
  return 0;
}
