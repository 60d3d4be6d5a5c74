// AAC configurations in binary and in fmtp, payloads through the repacketizer, and the headers of other audio.

#include "common/base/check.h"
#include "common/media/aac.h"
#include "common/media/mpeg_audio.h"
#include "common/media/opus.h"
#include "common/rtp/repacketizer.h"

using namespace sluice;

namespace {

struct Packets final : rtp::PacketListener {
  void on_packet(Bytes packet) override { CHECK(packet.size() <= rtp::kMaxPacket); }
};

void repacketize(const media::Track &track, Bytes input) {
  auto repacketizer = rtp::Repacketizer::create(track);
  if (!repacketizer) return;
  Packets out;
  rtp::PacketView view;
  view.header = {true, 96, 0, 0, 1};
  view.payload = input;
  (void)repacketizer->push(view, out).has_value();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes input(data, size);
  if (auto config = media::parse_aac_config(input)) {
    CHECK(media::parse_aac_config(media::write_aac_config(*config)) == *config);
  }
  (void)media::opus_packet_duration(input);
  if (auto frame = media::parse_mpeg_audio_header(input)) CHECK(frame->size > 0 && frame->sample_rate > 0);

  media::Track track{media::MediaKind::Audio, media::Codec::Aac, 96, 44100, 2, "mpeg4-generic", ""};
  track.fmtp = as_text(input);
  if (auto format = media::parse_aac_format(track)) {
    track.fmtp = media::write_aac_fmtp(*format);
    CHECK(media::parse_aac_format(track)->config == format->config);
    repacketize(track, input);
  }
  track.fmtp = "sizelength=13; indexlength=3; indexdeltalength=3; config=1210";
  repacketize(track, input);
  return 0;
}
