// Files of a source in fragmented MP4, after byte 0: how large the pieces are. What is inside a moov box, a moof box
// and a sample entry is also read alone.

#include "demux_listener.h"
#include "workers/hls/demux/mp4_reader.h"

#include <algorithm>

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  size_t piece = data[0] == 0 ? size : data[0] * size_t{16};
  hls::Mp4Reader reader;
  DemuxListener listener;
  for (int pass = 0; pass < 2; pass++) {
    for (Bytes rest = input; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
      if (!reader.push(rest.first(std::min(piece, rest.size())), listener)) break;
    }
    reader.end_file(listener, data[0]);
    if (data[0] % 2 == 1) reader.begin_discontinuity();
  }
  auto tracks = hls::parse_movie(input);
  if (tracks) CHECK(!tracks->empty() && tracks->size() <= media::kMaxTracks);
  std::vector<hls::MovieTrack> one(1);
  one[0].id = 1;
  one[0].timescale = 90000;
  one[0].entries.resize(1);
  hls::DecodeTimes times;
  auto samples = hls::parse_fragment(input, 100, one, times);
  if (samples) CHECK(samples->size() <= hls::kMaxSamples);
  if (input.size() < 4) return 0;
  auto entry = hls::parse_sample_entry(load_be32(input.data()), input.subspan(4));
  if (entry) CHECK(entry->length_size <= 4);
  return 0;
}
