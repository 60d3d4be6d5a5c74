// The payload formats of Packetizer, one function each.
#include "common/media/av1.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/rtp/packetizer.h"

#include <algorithm>
#include <cstring>

namespace sluice::rtp {

using media::Codec;

namespace {

constexpr uint8_t kStart = 0x80; // of FU headers
constexpr uint8_t kEnd = 0x40;

// Calls `use(part, first, last)` for parts of at most `room` bytes.
template <class Use> void for_each_part(Bytes data, size_t room, Use use) {
  for (bool first = true; !data.empty(); first = false) {
    Bytes part = data.first(std::min(room, data.size()));
    data = data.subspan(part.size());
    use(part, first, data.empty());
  }
}

// RFC 6184 section 5.7.1: F if any, the highest NRI. RFC 7798 section 4.4.2: F if any, the lowest layer and temporal
// id.
uint16_t aggregate_header(bool h265, uint16_t a, uint16_t b) {
  auto forbidden = static_cast<unsigned>((a | b) & 0x8000);
  if (!h265) return static_cast<uint16_t>(forbidden | std::max(a & 0x6000u, b & 0x6000u));
  return static_cast<uint16_t>(forbidden | std::min(a & 0x01f8u, b & 0x01f8u) | std::min(a & 7u, b & 7u));
}

} // namespace

void Packetizer::push_nal_units(PacketSink &sink) {
  for (size_t i = 0; i < units_.size();) {
    size_t taken = aggregate(i, sink);
    if (taken == 0) {
      bool last = i + 1 == units_.size();
      if (units_[i].size() <= kMaxPayload)
        send({}, units_[i], last, last, sink);
      else
        cut_nal_unit(units_[i], last, sink);
      taken = 1;
    }
    i += taken;
  }
}

// Sends as many of the units from `first` on as fit into one packet; 0 when only one would.
size_t Packetizer::aggregate(size_t first, PacketSink &sink) {
  bool h265 = codec_ == Codec::H265;
  size_t size = h265 ? 2 : 1;
  size_t end = first;
  while (end < units_.size() && size + 2 + units_[end].size() <= kMaxPayload) size += 2 + units_[end++].size();
  if (end < first + 2) return 0;
  uint8_t *out = payload();
  size_t position = h265 ? 2 : 1;
  uint16_t header = 0;
  for (size_t i = first; i < end; i++) {
    Bytes unit = units_[i];
    auto own = static_cast<uint16_t>(h265 ? load_be16(unit.data()) : unit[0] << 8);
    header = i == first ? own : aggregate_header(h265, header, own);
    store_be16(out + position, static_cast<uint16_t>(unit.size()));
    std::memcpy(out + position + 2, unit.data(), unit.size());
    position += 2 + unit.size();
  }
  if (h265)
    store_be16(out, static_cast<uint16_t>((header & 0x81ff) | static_cast<unsigned>(media::H265Nal::Aggregation) << 9));
  else
    out[0] = static_cast<uint8_t>((header >> 8 & 0xe0) | static_cast<unsigned>(media::H264Nal::StapA));
  bool last = end == units_.size();
  send_written(position, last, last, sink);
  return end - first;
}

void Packetizer::cut_nal_unit(Bytes unit, bool last, PacketSink &sink) {
  bool h265 = codec_ == Codec::H265;
  std::array<uint8_t, 3> head{};
  uint8_t type = 0;
  if (h265) {
    type = static_cast<uint8_t>(media::h265_nal_type(unit[0]));
    head[0] = static_cast<uint8_t>((unit[0] & 0x81) | static_cast<unsigned>(media::H265Nal::Fragmentation) << 1);
    head[1] = unit[1];
  } else {
    type = static_cast<uint8_t>(media::h264_nal_type(unit[0]));
    head[0] = static_cast<uint8_t>((unit[0] & 0xe0) | static_cast<unsigned>(media::H264Nal::FuA));
  }
  size_t head_size = h265 ? 3 : 2;
  for_each_part(unit.subspan(head_size - 1), kMaxPayload - head_size, [&](Bytes part, bool begins, bool ends) {
    head[head_size - 1] = static_cast<uint8_t>((begins ? kStart : 0) | (ends ? kEnd : 0) | type);
    send(Bytes(head.data(), head_size), part, last && ends, last && ends, sink);
  });
}

// AU-headers-length (16), then one AU header: the size of the whole unit, an index of 0.
void Packetizer::push_aac(Bytes frame, PacketSink &sink) {
  unsigned bits = aac_.size + aac_.index;
  size_t head_size = 2 + (bits + 7) / 8;
  std::array<uint8_t, 6> head{};
  store_be16(head.data(), static_cast<uint16_t>(bits));
  uint64_t value = static_cast<uint64_t>(frame.size()) << (32 - aac_.size);
  for (size_t i = 2; i < head_size; i++) head[i] = static_cast<uint8_t>(value >> (40 - 8 * i));
  for_each_part(frame, kMaxPayload - head_size,
                [&](Bytes part, bool, bool ends) { send(Bytes(head.data(), head_size), part, ends, ends, sink); });
}

// Section 3.5: MBZ (16), fragment offset (16). The marker stands for the begin of a talkspurt: there is none.
void Packetizer::push_mpeg_audio(Bytes frame, PacketSink &sink) {
  std::array<uint8_t, 4> head{};
  size_t offset = 0;
  for_each_part(frame, kMaxPayload - head.size(), [&](Bytes part, bool, bool ends) {
    store_be16(head.data() + 2, static_cast<uint16_t>(offset));
    offset += part.size();
    send(head, part, ends, false, sink);
  });
}

// Section 4.1.1: MBZ (6), FT (2): 0 = whole frames, 1 = a first fragment with at least 5/8 of the frame, 2 = with less,
// 3 = a further one; NF (8): number of frames or fragments.
void Packetizer::push_ac3(Bytes frame, PacketSink &sink) {
  constexpr size_t kRoom = kMaxPayload - 2;
  size_t count = (frame.size() + kRoom - 1) / kRoom;
  std::array<uint8_t, 2> head{};
  for_each_part(frame, kRoom, [&](Bytes part, bool begins, bool ends) {
    head[0] = static_cast<uint8_t>(count == 1 ? 0 : !begins ? 3 : part.size() * 8 >= frame.size() * 5 ? 1 : 2);
    head[1] = static_cast<uint8_t>(count);
    send(head, part, ends, ends, sink);
  });
}

// Section 4.2, one byte: S in the first packet of the only partition.
void Packetizer::push_vp8(Bytes frame, PacketSink &sink) {
  for_each_part(frame, kMaxPayload - 1, [&](Bytes part, bool begins, bool ends) {
    std::array<uint8_t, 1> head{static_cast<uint8_t>(begins ? 0x10 : 0)};
    send(head, part, ends, ends, sink);
  });
}

// Section 4.2, one byte: P in pictures that refer to others, B and E at a frame's begin and end.
void Packetizer::push_vp9(Bytes frame, PacketSink &sink) {
  uint8_t inter = facts_.random_access ? 0 : 0x40;
  for_each_part(frame, kMaxPayload - 1, [&](Bytes part, bool begins, bool ends) {
    std::array<uint8_t, 1> head{static_cast<uint8_t>(inter | (begins ? 0x08 : 0) | (ends ? 0x04 : 0))};
    send(head, part, ends, ends, sink);
  });
}

// G.711 is a sample a byte, and each packet ends a unit; the others are one unit with the marker at its end.
void Packetizer::push_plain(Bytes frame, PacketSink &sink) {
  if (codec_ != Codec::Pcmu && codec_ != Codec::Pcma) {
    for_each_part(frame, kMaxPayload,
                  [&](Bytes part, bool, bool ends) { send({}, part, ends, ends && codec_ != Codec::Opus, sink); });
    return;
  }
  Nanoseconds pts = facts_.pts_ns;
  Nanoseconds dts = facts_.dts_ns;
  uint32_t timestamp = header_.timestamp;
  Nanoseconds sent = 0;
  for_each_part(frame, kMaxPayload, [&](Bytes part, bool, bool) {
    Nanoseconds passed = sent * kSecond / clock_rate_;
    facts_.first_of_access_unit = facts_.random_access = true;
    facts_.pts_ns = pts + passed;
    facts_.dts_ns = dts + passed;
    header_.timestamp = timestamp + static_cast<uint32_t>(sent);
    send({}, part, true, false, sink);
    sent += static_cast<Nanoseconds>(part.size());
  });
  facts_.pts_ns = pts;
  facts_.dts_ns = dts;
}

// Sections 4.4 and 4.5: |Z|Y|W W|N|0 0 0|, then elements, each after its size (W = 0): OBUs without size fields,
// without temporal delimiters and tile lists.
void Packetizer::push_av1(PacketSink &sink) {
  constexpr uint8_t kContinues = 0x80;
  constexpr uint8_t kContinued = 0x40;
  constexpr uint8_t kNewSequence = 0x08;
  uint8_t *out = payload();
  uint8_t head = facts_.random_access ? kNewSequence : 0;
  size_t size = 1;
  auto flush = [&](bool last, bool continued) {
    out[0] = static_cast<uint8_t>(head | (continued ? kContinued : 0));
    send_written(size, last, last, sink);
    head = continued ? kContinues : 0;
    size = 1;
  };
  for (Bytes unit : units_) {
    media::Obu obu = *media::parse_obu(unit);
    if (obu.type == media::ObuType::TemporalDelimiter || obu.type == media::ObuType::TileList) continue;
    std::array<uint8_t, 2> own{obu.header, obu.extension};
    Bytes begin(own.data(), obu.header_size());
    Bytes rest = obu.payload;
    bool begun = false;
    while (!begin.empty() || !rest.empty()) {
      if (kMaxPayload - size < 8) flush(false, begun); // not worth a fragment
      size_t left = begin.size() + rest.size();
      size_t room = kMaxPayload - size;
      size_t take = std::min(left, left + 1 <= room && left < 128 ? left : room - 2);
      size += media::write_leb128(static_cast<uint32_t>(take), out + size);
      std::copy(begin.begin(), begin.end(), out + size);
      size += begin.size();
      take -= begin.size();
      begin = {};
      if (take > 0) std::memcpy(out + size, rest.data(), take);
      size += take;
      rest = rest.subspan(take);
      begun = true;
    }
  }
  if (size > 1) flush(true, false);
}

} // namespace sluice::rtp
