// Decoder configurations and frame headers: byte 0 chooses one. What is read and can be written is read back the same.

#include "common/base/check.h"
#include "common/media/ac3.h"
#include "common/media/av1.h"
#include "common/media/avc_configuration.h"
#include "common/media/flac.h"
#include "common/media/hevc_configuration.h"
#include "common/media/opus.h"
#include "common/media/vp9.h"

using namespace sluice;

namespace {

void check_av1(Bytes input) {
  auto header = media::parse_av1_configuration(input);
  if (header && !header->empty()) {
    auto written = media::write_av1_configuration(*header);
    CHECK(written.has_value() && media::parse_av1_configuration(*written).value() == *header);
  }
  (void)media::parse_av1_sequence_header(input);
  if (auto obu = media::parse_obu(input)) CHECK(obu->size <= input.size() && obu->payload.size() < obu->size);
  ByteReader reader(input);
  (void)media::read_leb128(reader);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  switch (data[0] % 7) {
  case 0:
    if (auto avc = media::parse_avc_configuration(input)) {
      auto written = media::write_avc_configuration(avc->sets);
      if (written) CHECK(media::parse_avc_configuration(*written)->sets == avc->sets);
    }
    break;
  case 1:
    if (auto hevc = media::parse_hevc_configuration(input)) {
      auto written = media::write_hevc_configuration(hevc->sets);
      if (written) CHECK(media::parse_hevc_configuration(*written)->sets == hevc->sets);
    }
    break;
  case 2:
    check_av1(input);
    break;
  case 3:
    if (auto vp9 = media::parse_vp9_configuration(input))
      CHECK(media::parse_vp9_configuration(media::write_vp9_configuration(*vp9)).value() == *vp9);
    if (auto key = media::parse_vp9_key_frame(input)) CHECK(key->width > 0 && key->height > 0);
    break;
  case 4:
    if (auto opus = media::parse_opus_header(input); opus && opus->mapping_family == 0)
      CHECK(media::parse_opus_header(media::write_opus_header(*opus)).value() == *opus);
    break;
  case 5:
    if (auto flac = media::parse_flac_stream_info(input))
      CHECK(media::parse_flac_stream_info(media::write_flac_header(*flac)).value() == *flac);
    break;
  default:
    if (auto ac3 = media::parse_ac3_header(input)) CHECK(ac3->sample_rate > 0 && ac3->size > 0 && ac3->channels <= 6);
  }
  return 0;
}
