// H.264 parameter sets as NAL units, as base64 in fmtp, and payloads through the repacketizer.

#include "common/base/check.h"
#include "common/media/h264.h"
#include "common/media/parameters.h"
#include "common/media/picture_order.h"
#include "common/rtp/repacketizer.h"

#include <algorithm>

using namespace sluice;

namespace {

struct Packets final : rtp::PacketListener {
  void on_packet(Bytes packet) override { CHECK(packet.size() <= rtp::kMaxPacket); }
};

// The first bytes say how order counts are written, the rest is slices of at most 16 bytes.
void check_slices(Bytes input) {
  if (input.size() < 2) return;
  media::H264Sps sps;
  sps.log2_max_frame_num = static_cast<uint8_t>(4 + input[0] % 13);
  sps.log2_max_poc_lsb = static_cast<uint8_t>(4 + input[1] % 13);
  sps.frame_mbs_only = (input[0] & 0x80) != 0;
  media::PictureOrder order(sps);
  for (Bytes rest = input.subspan(2); !rest.empty();) {
    Bytes slice = rest.first(std::min<size_t>(rest.size(), 16));
    bool understood = media::parse_h264_slice(slice, sps).has_value();
    auto ahead = order.add(slice);
    CHECK(ahead.has_value() == understood && ahead.value_or(0) <= 16);
    rest = rest.subspan(slice.size());
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes input(data, size);
  if (auto sps = media::parse_h264_sps(input)) {
    CHECK(sps->width > 0 && sps->width <= 16384 && sps->height > 0 && sps->height <= 16384);
    CHECK(!sps->reorder_frames || *sps->reorder_frames <= 16);
    CHECK(!sps->frame_duration || *sps->frame_duration > 0);
  }
  (void)media::parse_h264_pps_id(input);
  check_slices(input);

  media::Track track{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", std::string(as_text(input))};
  if (auto sets = media::parse_parameter_sets(track)) {
    if (sets->sps.size() >= 4 && !sets->pps.empty()) {
      track.fmtp = media::write_h264_fmtp(*sets);
      CHECK(media::parse_parameter_sets(track) == *sets);
    }
  }

  auto repacketizer = rtp::Repacketizer::create(track);
  Packets out;
  ByteReader reader(input);
  uint16_t sequence = 0;
  while (auto length = reader.u16()) {
    auto payload = reader.bytes(*length & 0x3fff);
    if (!payload) break;
    rtp::PacketView view;
    view.header = {(*length & 0x8000) != 0, 96, sequence++, *length & 0x4000u, 1};
    view.payload = *payload;
    if (!repacketizer->push(view, out)) break;
  }
  return 0;
}
