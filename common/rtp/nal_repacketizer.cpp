#include "common/rtp/nal_repacketizer.h"

#include "common/media/h264.h"
#include "common/media/h265.h"

#include <algorithm>
#include <cstring>

namespace sluice::rtp {

namespace {

constexpr uint8_t kStart = 0x80;
constexpr uint8_t kEnd = 0x40;

uint8_t number(media::H264Nal type) {
  return static_cast<uint8_t>(type);
}
uint8_t number(media::H265Nal type) {
  return static_cast<uint8_t>(type);
}

} // namespace

NalRepacketizer::NalRepacketizer(media::Codec codec)
    : h265_(codec == media::Codec::H265), header_size_(h265_ ? 2 : 1),
      aggregate_type_(h265_ ? number(media::H265Nal::Aggregation) : number(media::H264Nal::StapA)),
      fragment_type_(h265_ ? number(media::H265Nal::Fragmentation) : number(media::H264Nal::FuA)) {}

uint16_t NalRepacketizer::read_header(const uint8_t *p) const {
  return h265_ ? load_be16(p) : static_cast<uint16_t>(p[0] << 8);
}

void NalRepacketizer::write_nal_header(uint16_t header, uint8_t *p) const {
  p[0] = static_cast<uint8_t>(header >> 8);
  if (h265_) p[1] = static_cast<uint8_t>(header);
}

uint8_t NalRepacketizer::type_of(uint16_t header) const {
  return static_cast<uint8_t>(h265_ ? header >> 9 & 0x3f : header >> 8 & 0x1f);
}

uint16_t NalRepacketizer::with_type(uint16_t header, uint8_t type) const {
  return static_cast<uint16_t>(h265_ ? (header & 0x81ff) | type << 9 : (header & 0xe000) | type << 8);
}

Result<void> NalRepacketizer::push(const PacketView &packet, PacketListener &out) {
  bool resume = !started();
  bool marker = packet.header.marker;
  if (started() && packet.header.timestamp != timestamp()) {
    flush(false, out);
    open_ = false;
  }
  set_header(packet.header);
  Bytes payload = packet.payload;
  if (payload.size() <= header_size_) {
    // Nothing but a header, or padding: its marker still counts.
    if (marker) flush(true, out);
    return {};
  }
  uint8_t type = type_of(read_header(payload.data()));
  if (type == fragment_type_) return push_fragment(payload, resume, marker, out);
  open_ = false; // the NAL unit that another one follows has no more fragments
  if (type == aggregate_type_) return push_aggregate(payload.subspan(header_size_), marker, out);
  if (type > fragment_type_ || (!h265_ && (type == 0 || type > aggregate_type_)))
    return Error{"unsupported RTP packet: NAL unit type " + std::to_string(type)};
  return push_nal_unit(payload, marker, out);
}

Result<void> NalRepacketizer::push_aggregate(Bytes units, bool marker, PacketListener &out) {
  ByteReader reader(units);
  while (!reader.rest().empty()) {
    auto size = reader.u16();
    auto unit = size ? reader.bytes(*size) : std::nullopt;
    if (!unit) return Error{"invalid RTP packet: an aggregated NAL unit does not fit"};
    if (unit->size() > header_size_) TRY(push_nal_unit(*unit, marker && reader.rest().empty(), out));
  }
  if (marker) flush(true, out); // unless the last unit did
  return {};
}

Result<void> NalRepacketizer::push_nal_unit(Bytes unit, bool marker, PacketListener &out) {
  if (unit.size() <= kMaxPayload) {
    gather(unit, out);
    if (marker) flush(true, out);
    return {};
  }
  begin_fragments(read_header(unit.data()));
  TRY(append_fragment(unit.subspan(header_size_), out));
  end_fragments(marker, out);
  return {};
}

Result<void> NalRepacketizer::push_fragment(Bytes payload, bool resume, bool marker, PacketListener &out) {
  uint8_t fragment_header = payload[header_size_];
  uint8_t type = fragment_header & (h265_ ? 0x3f : 0x1f);
  uint16_t header = with_type(read_header(payload.data()), type);
  if ((fragment_header & kStart) != 0) {
    begin_fragments(header);
  } else if (!open_) {
    if (!resume) {
      if (marker) flush(true, out);
      return {}; // its start never came
    }
    begin_fragments(header);
    start_sent_ = true;
  }
  TRY(append_fragment(payload.subspan(header_size_ + 1), out));
  if ((fragment_header & kEnd) != 0) end_fragments(marker, out);
  return {};
}

void NalRepacketizer::gather(Bytes unit, PacketListener &out) {
  if (gathered_count_ > 0 && gathered_size_ + 2 + unit.size() > kMaxPayload) flush(false, out);
  uint16_t header = read_header(unit.data());
  if (gathered_count_ == 0) {
    gathered_size_ = header_size_;
    gathered_header_ = header;
  } else if (h265_) { // RFC 7798 section 4.4.2: F if any, the lowest layer and temporal id
    uint16_t forbidden = (header | gathered_header_) & 0x8000;
    uint16_t layer = std::min<uint16_t>(header & 0x01f8, gathered_header_ & 0x01f8);
    uint16_t temporal = std::min<uint16_t>(header & 7, gathered_header_ & 7);
    gathered_header_ = static_cast<uint16_t>(forbidden | layer | temporal);
  } else { // RFC 6184 section 5.7.1: F if any, the highest NRI
    uint16_t forbidden = (header | gathered_header_) & 0x8000;
    gathered_header_ = static_cast<uint16_t>(forbidden | std::max(header & 0x6000, gathered_header_ & 0x6000));
  }
  store_be16(gathered_.data() + gathered_size_, static_cast<uint16_t>(unit.size()));
  std::memcpy(gathered_.data() + gathered_size_ + 2, unit.data(), unit.size());
  gathered_size_ += 2 + unit.size();
  gathered_count_++;
}

void NalRepacketizer::flush(bool marker, PacketListener &out) {
  if (gathered_count_ == 0) return;
  Bytes all(gathered_.data(), gathered_size_);
  if (gathered_count_ == 1) {
    send(all.subspan(header_size_ + 2), marker, out);
  } else {
    write_nal_header(with_type(gathered_header_, aggregate_type_), gathered_.data());
    send(all, marker, out);
  }
  gathered_count_ = 0;
}

void NalRepacketizer::begin_fragments(uint16_t header) {
  open_ = true;
  start_sent_ = false;
  fragment_header_ = header;
  nal_size_ = header_size_;
  fragment_size_ = header_size_ + 1;
}

Result<void> NalRepacketizer::append_fragment(Bytes data, PacketListener &out) {
  nal_size_ += data.size();
  if (nal_size_ > kMaxNalUnit) return Error{"a NAL unit is larger than " + std::to_string(kMaxNalUnit) + " bytes"};
  while (!data.empty()) {
    if (fragment_size_ == kMaxPayload) send_fragment(false, false, out);
    size_t count = std::min(data.size(), kMaxPayload - fragment_size_);
    std::memcpy(fragment_.data() + fragment_size_, data.data(), count);
    fragment_size_ += count;
    data = data.subspan(count);
  }
  return {};
}

void NalRepacketizer::end_fragments(bool marker, PacketListener &out) {
  open_ = false;
  if (start_sent_) {
    send_fragment(true, marker, out);
    return;
  }
  // It fits into one packet: sent as what it is. Its header takes the place before its data.
  write_nal_header(fragment_header_, fragment_.data() + 1);
  gather(Bytes(fragment_.data() + 1, fragment_size_ - 1), out);
  if (marker) flush(true, out);
}

void NalRepacketizer::send_fragment(bool end, bool marker, PacketListener &out) {
  flush(false, out);
  write_nal_header(with_type(fragment_header_, fragment_type_), fragment_.data());
  fragment_[header_size_] =
      static_cast<uint8_t>((start_sent_ ? 0 : kStart) | (end ? kEnd : 0) | type_of(fragment_header_));
  send(Bytes(fragment_.data(), fragment_size_), marker, out);
  start_sent_ = true;
  fragment_size_ = header_size_ + 1;
}

} // namespace sluice::rtp
