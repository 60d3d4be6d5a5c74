#include "common/rtp/aac_repacketizer.h"

#include "common/media/bit_reader.h"

#include <algorithm>
#include <cstring>

namespace sluice::rtp {

AacRepacketizer::AacRepacketizer(const media::AacFormat &format, uint32_t clock_rate)
    : size_length_(format.size_length), index_length_(format.index_length), delta_length_(format.index_delta_length),
      unit_duration_(static_cast<uint32_t>(uint64_t{format.config.frame_samples()} * clock_rate /
                                           std::max(1u, format.config.sample_rate))) {}

size_t AacRepacketizer::headers_size(size_t units) const {
  size_t bits = units * size_length_ + (units > 0 ? index_length_ + (units - 1) * delta_length_ : 0);
  return 2 + (bits + 7) / 8;
}

// Appends AU-size and an index (or index delta) of 0.
void AacRepacketizer::add_header(uint32_t unit_size) {
  unsigned length = size_length_ + (count_ == 0 ? index_length_ : delta_length_);
  for (unsigned i = 0; i < length; i++) {
    if (header_bits_ % 8 == 0) headers_[header_bits_ / 8] = 0;
    bool set = i < size_length_ && (unit_size >> (size_length_ - 1 - i) & 1) != 0;
    if (set) headers_[header_bits_ / 8] |= static_cast<uint8_t>(0x80 >> header_bits_ % 8);
    header_bits_++;
  }
  count_++;
}

void AacRepacketizer::flush(PacketListener &out) {
  if (count_ == 0) return;
  store_be16(payload_.data(), static_cast<uint16_t>(header_bits_));
  size_t header_bytes = (header_bits_ + 7) / 8;
  std::memcpy(payload_.data() + 2, headers_.data(), header_bytes);
  std::memcpy(payload_.data() + 2 + header_bytes, data_.data(), data_size_);
  send(Bytes(payload_.data(), 2 + header_bytes + data_size_), true, out);
  set_timestamp(timestamp() + static_cast<uint32_t>(count_) * unit_duration_);
  header_bits_ = 0;
  count_ = 0;
  data_size_ = 0;
}

// `data` is all of an access unit or a part of it; `marker`: it ends with the unit's end.
void AacRepacketizer::send_cut(uint32_t unit_size, Bytes data, bool marker, PacketListener &out) {
  size_t room = kMaxPayload - headers_size(1);
  while (!data.empty()) {
    Bytes part = data.first(std::min(room, data.size()));
    data = data.subspan(part.size());
    add_header(unit_size);
    size_t header_bytes = headers_size(1) - 2;
    store_be16(payload_.data(), static_cast<uint16_t>(header_bits_));
    std::memcpy(payload_.data() + 2, headers_.data(), header_bytes);
    std::memcpy(payload_.data() + 2 + header_bytes, part.data(), part.size());
    send(Bytes(payload_.data(), 2 + header_bytes + part.size()), marker && data.empty(), out);
    header_bits_ = 0;
    count_ = 0;
  }
}

Result<void> AacRepacketizer::push(const PacketView &packet, PacketListener &out) {
  set_header(packet.header);
  header_bits_ = 0;
  count_ = 0;
  data_size_ = 0;
  if (packet.payload.empty()) return {};
  ByteReader reader(packet.payload);
  auto bits = reader.u16();
  auto headers = bits ? reader.bytes((*bits + 7u) / 8) : std::nullopt;
  if (!headers) return Error{"invalid AAC packet: the AU headers do not fit"};
  media::BitReader fields(*headers);
  size_t used = 0;
  for (size_t i = 0; used < *bits; i++) {
    uint32_t size = fields.bits(size_length_);
    unsigned index_length = i == 0 ? index_length_ : delta_length_;
    uint32_t index = fields.bits(index_length);
    used += size_length_ + index_length;
    if (!fields.ok() || used > *bits) return Error{"invalid AAC packet: an AU header is cut off"};
    if (index != 0) return Error{"interleaved AAC access units can't be re-packetised"};
    Bytes rest = reader.rest();
    if (size > rest.size()) {
      if (i > 0 || used < *bits) return Error{"invalid AAC packet: an access unit does not fit"};
      send_cut(size, rest, packet.header.marker, out); // a fragment
      return {};
    }
    Bytes unit = *reader.bytes(size);
    if (headers_size(1) + unit.size() > kMaxPayload) {
      flush(out);
      send_cut(size, unit, true, out);
      set_timestamp(timestamp() + unit_duration_);
      continue;
    }
    if (headers_size(count_ + 1) + data_size_ + unit.size() > kMaxPayload) flush(out);
    add_header(size);
    if (!unit.empty()) std::memcpy(data_.data() + data_size_, unit.data(), unit.size());
    data_size_ += unit.size();
  }
  flush(out);
  return {};
}

} // namespace sluice::rtp
