// TrackReceiver over all codecs: byte 0 chooses codec, transport and how much is put right; then packets, each
// after its 16-bit length. What comes out has to keep the promises of track_receiver.h.

#include "common/base/check.h"
#include "common/rtp/track_receiver.h"

namespace {

using namespace sluice;

struct Sink final : rtp::TrackReceiver::Sink {
  void on_packet(Bytes packet, const rtp::PacketFacts &facts) override {
    auto view = rtp::parse_packet(packet);
    CHECK(view.has_value());
    CHECK(view->padding == 0);
    CHECK(view->header.payload_type == 96);
    CHECK(facts.oversized == (packet.size() > rtp::kMaxPacket));
    CHECK(facts.marker == view->header.marker);
    CHECK(!facts.random_access || !view->payload.empty());
  }
};

media::Track make_track(uint8_t selector) {
  media::Track track;
  track.codec = static_cast<media::Codec>(selector % 16);
  track.payload_type = 96;
  track.clock_rate = 90000;
  if (track.codec == media::Codec::Aac) {
    track.clock_rate = 44100;
    track.fmtp = "sizelength=13; indexlength=3; indexdeltalength=3; config=1210";
  }
  return track;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ByteReader reader({data, size});
  uint8_t selector = reader.u8().value_or(0);
  bool over_udp = (selector & 0x10) != 0;
  bool repair = (selector & 0x20) != 0;
  rtp::TrackReceiver receiver(make_track(selector & 0x0f), over_udp);
  Sink sink;
  Nanoseconds now = kSecond;
  while (auto length = reader.u16()) {
    auto bytes = reader.bytes(*length);
    if (!bytes) break;
    ByteVector packet(bytes->begin(), bytes->end());
    if (repair && packet.size() >= 2) {
      packet[0] = static_cast<uint8_t>((packet[0] & 0x3f) | 0x80);
      packet[1] = static_cast<uint8_t>((packet[1] & 0x80) | 96);
    }
    now += kMillisecond;
    if (!receiver.on_rtp(packet, now, now, sink) && !over_udp) break;
    if (packet.size() % 8 == 0) receiver.on_timer(now + 30 * kMillisecond, sink);
    (void)receiver.take_updated_track();
  }
  receiver.on_timer(now + kSecond, sink);
  CHECK(!receiver.deadline());
  (void)rtp::sender_report(receiver.sender_state(), receiver.track().clock_rate, now, now);
  return 0;
}
