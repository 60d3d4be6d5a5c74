#include "common/rtp/repacketizer.h"

#include "common/base/check.h"
#include "common/rtp/aac_repacketizer.h"
#include "common/rtp/nal_repacketizer.h"

#include <cstring>

namespace sluice::rtp {

std::unique_ptr<Repacketizer> Repacketizer::create(const media::Track &track) {
  switch (track.codec) {
  case media::Codec::H264:
  case media::Codec::H265:
    return std::make_unique<NalRepacketizer>(track.codec);
  case media::Codec::Aac: {
    auto format = media::parse_aac_format(track);
    if (!format || !format->simple || format->size_length == 0) return nullptr;
    return std::make_unique<AacRepacketizer>(*format, track.clock_rate);
  }
  default:
    return nullptr;
  }
}

void Repacketizer::set_header(const Header &header) {
  uint16_t sequence = started_ ? header_.sequence : header.sequence;
  header_ = header;
  header_.sequence = sequence;
  started_ = true;
}

void Repacketizer::send(Bytes payload, bool marker, PacketListener &out) {
  CHECK(!payload.empty() && payload.size() <= kMaxPayload);
  header_.marker = marker;
  write_header(header_, packet_.data());
  std::memcpy(packet_.data() + kHeaderSize, payload.data(), payload.size());
  header_.sequence++;
  out.on_packet(Bytes(packet_.data(), kHeaderSize + payload.size()));
}

} // namespace sluice::rtp
