// H.265 parameter sets as NAL units, as base64 in fmtp, and payloads through the repacketizer.

#include "common/base/check.h"
#include "common/media/h265.h"
#include "common/media/parameters.h"
#include "common/rtp/repacketizer.h"

using namespace sluice;

namespace {

struct Packets final : rtp::PacketListener {
  void on_packet(Bytes packet) override { CHECK(packet.size() <= rtp::kMaxPacket); }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes input(data, size);
  if (auto sps = media::parse_h265_sps(input)) {
    CHECK(sps->width > 0 && sps->width <= 16384 && sps->height > 0 && sps->height <= 16384);
    CHECK(sps->reorder_pictures <= 15 && sps->sub_layers >= 1 && sps->sub_layers <= 7);
    CHECK(!sps->frame_duration || *sps->frame_duration > 0);
  }
  (void)media::parse_h265_vps_id(input);
  (void)media::parse_h265_pps_id(input);

  media::Track track{media::MediaKind::Video, media::Codec::H265, 96, 90000, 0, "H265", std::string(as_text(input))};
  if (auto sets = media::parse_parameter_sets(track)) {
    if (!sets->sps.empty()) {
      track.fmtp = media::write_h265_fmtp(*sets);
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
