// Tracks, and the packets and access units of them, for tests of packetising and back.
#pragma once

#include "common/media/stream_description.h"
#include "common/rtp/depacketizer.h"
#include "common/rtp/packetizer.h"
#include "tests/unit/rtp/make_packet.h"

#include <vector>

namespace sluice::rtp {

constexpr const char *kSampleSps = "6764000aacd94426c044000003000400000300c83c489658";
constexpr const char *kSamplePps = "68ebe3cb22c0";

inline media::Track video(media::Codec codec) {
  return {media::MediaKind::Video, codec, 96, 90000, 0, "", ""};
}

inline media::Track audio(media::Codec codec, uint32_t clock_rate = 48000) {
  return {media::MediaKind::Audio, codec, 97, clock_rate, 2, "", ""};
}

inline media::Track aac(const char *lengths = "sizelength=13; indexlength=3; indexdeltalength=3") {
  media::Track track = audio(media::Codec::Aac);
  track.fmtp = std::string(lengths) + "; config=1190"; // LC, 48 kHz, stereo
  return track;
}

struct Packets final : PacketSink {
  struct Packet {
    ByteVector bytes;
    PacketFacts facts;
    PacketView view() const { return parse_packet(bytes).value(); }
  };
  void on_packet(Bytes bytes, const PacketFacts &facts) override {
    all.push_back({ByteVector(bytes.begin(), bytes.end()), facts});
  }
  std::vector<Packet> all;
};

struct Units final : Depacketizer::Sink {
  struct Unit {
    std::vector<ByteVector> units;
    Nanoseconds pts_ns, dts_ns;
    bool random_access, after_loss;
  };
  void on_access_unit(const AccessUnit &unit) override {
    Unit copy{{}, unit.pts_ns, unit.dts_ns, unit.random_access, unit.after_loss};
    for (Bytes bytes : unit.units) copy.units.emplace_back(bytes.begin(), bytes.end());
    all.push_back(std::move(copy));
  }
  void on_configuration(const media::ParameterSets &sets) override { configurations.push_back(sets); }
  std::vector<Unit> all;
  std::vector<media::ParameterSets> configurations;
};

inline void push(Depacketizer &depacketizer, const Packets::Packet &packet, Units &units) {
  depacketizer.push(
      packet.bytes,
      {packet.facts.pts_ns, packet.facts.dts_ns, packet.facts.first_of_access_unit, packet.facts.random_access}, units);
}

// A frame as the packetizer takes it.
class SampleFrame {
public:
  explicit SampleFrame(std::vector<ByteVector> units, Nanoseconds pts = 0, bool key = false)
      : units_(std::move(units)), spans_(units_.begin(), units_.end()), pts_(pts), key_(key) {}
  Frame frame() const {
    return {.units = spans_, .pts_ns = pts_, .dts_ns = pts_, .random_access = key_, .arrival_ns = pts_ + 7};
  }
  const std::vector<ByteVector> &units() const { return units_; }

private:
  std::vector<ByteVector> units_;
  std::vector<Bytes> spans_;
  Nanoseconds pts_;
  bool key_;
};

} // namespace sluice::rtp
