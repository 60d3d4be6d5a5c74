// Compound RTCP packets, alone and on their way to a receiver report.

#include "common/base/check.h"
#include "common/rtp/track_receiver.h"

using namespace sluice;

namespace {

struct Listener final : rtp::RtcpListener {
  void on_sender_report(const rtp::SenderReport &report) override { ssrc = report.ssrc; }
  void on_source_name(uint32_t, std::string_view cname) override { CHECK(cname.size() <= 255); }
  uint32_t ssrc = 0;
};

struct Sink final : rtp::TrackReceiver::Sink {
  void on_packet(Bytes, const rtp::PacketFacts &) override {}
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Listener listener;
  Bytes input(data, size);
  auto first = rtp::parse_rtcp(input, listener);

  media::Track track;
  track.codec = media::Codec::Opus;
  track.payload_type = 96;
  track.clock_rate = 48000;
  rtp::TrackReceiver receiver(track, true);
  Sink sink;
  std::array<uint8_t, rtp::kHeaderSize + 1> packet{};
  rtp::write_header({false, 96, 1, 1, listener.ssrc}, packet.data());
  CHECK(receiver.on_rtp(packet, kSecond, kSecond, sink).has_value());
  CHECK(receiver.on_rtcp(input, 2 * kSecond).has_value() == first.has_value());
  if (auto report = receiver.receiver_report(3 * kSecond, 7)) {
    Listener again;
    CHECK(rtp::parse_rtcp(report->bytes(), again).has_value());
  }
  return 0;
}
