// Depacketizer over all codecs: byte 0 chooses the codec, byte 1 whether packets are numbered; then packets, each
// after 16 bits: marker, gap before it, first of its unit, length (13). Access units that come out are packetised, and
// have to come out again.

#include "common/base/check.h"
#include "common/rtp/depacketizer.h"
#include "common/rtp/packetizer.h"
#include "common/rtp/vpx_payload.h"

using namespace sluice;

namespace {

media::Track make_track(uint8_t selector) {
  media::Track track;
  track.codec = static_cast<media::Codec>(selector % 17);
  track.payload_type = 96;
  track.clock_rate = 48000;
  if (track.codec == media::Codec::Aac) {
    track.fmtp = (selector & 0x80) != 0 ? "sizelength=6; indexlength=2; indexdeltalength=2; config=1190"
                                        : "sizelength=13; indexlength=3; indexdeltalength=3; config=1190";
  }
  if (track.codec == media::Codec::AacLatm) track.fmtp = "cpresent=0; config=400023203fc0";
  return track;
}

struct Again final : rtp::Depacketizer::Sink, rtp::PacketSink {
  explicit Again(const media::Track &track) : depacketizer(rtp::Depacketizer::create(track).value()) {}
  void on_packet(Bytes packet, const rtp::PacketFacts &facts) override {
    CHECK(packet.size() <= rtp::kMaxPacket);
    depacketizer.push(packet, {facts.pts_ns, facts.dts_ns, facts.first_of_access_unit, facts.random_access}, *this);
  }
  void on_access_unit(const rtp::AccessUnit &unit) override {
    CHECK(!unit.after_loss);
    for (Bytes bytes : unit.units) size += bytes.size();
  }
  void on_configuration(const media::ParameterSets &) override {}
  rtp::Depacketizer depacketizer;
  size_t size = 0;
};

struct Sink final : rtp::Depacketizer::Sink {
  void on_access_unit(const rtp::AccessUnit &unit) override {
    CHECK(!unit.units.empty() && unit.units.size() <= rtp::kMaxUnitsOfAccessUnit);
    size_t size = 0;
    for (Bytes bytes : unit.units) {
      CHECK(!bytes.empty());
      size += bytes.size();
    }
    CHECK(size <= rtp::kMaxAccessUnit);
    if (!packetizer) return;
    Again again(track);
    if (packetizer->push({.units = unit.units, .random_access = unit.random_access}, again)) CHECK(again.size <= size);
  }
  void on_configuration(const media::ParameterSets &sets) override { CHECK(!sets.sps.empty()); }
  media::Track track;
  std::optional<rtp::Packetizer> packetizer;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ByteReader reader({data, size});
  Sink sink;
  sink.track = make_track(reader.u8().value_or(0));
  bool in_order = (reader.u8().value_or(0) & 1) != 0;
  if (auto packetizer = rtp::Packetizer::create(sink.track, {})) sink.packetizer = std::move(*packetizer);
  auto depacketizer = rtp::Depacketizer::create(sink.track);
  if (!depacketizer) return 0;
  uint16_t sequence = 0;
  for (Nanoseconds now = 0; auto length = reader.u16(); now += kMillisecond) {
    auto bytes = reader.bytes(*length & 0x1fff);
    if (!bytes) break;
    ByteVector packet(bytes->begin(), bytes->end());
    bool first = (*length & 0x2000) != 0;
    if (in_order) { // the input is payloads
      ByteVector header(rtp::kHeaderSize);
      rtp::write_header({(*length & 0x8000) != 0, 96, sequence, 0, 0}, header.data());
      packet.insert(packet.begin(), header.begin(), header.end());
      sequence = static_cast<uint16_t>(sequence + ((*length & 0x4000) != 0 ? 2 : 1));
    }
    depacketizer->push(packet, {now, now, first, false}, sink);
    (void)rtp::parse_vp8_payload(packet);
    (void)rtp::parse_vp9_payload(packet);
  }
  return 0;
}
