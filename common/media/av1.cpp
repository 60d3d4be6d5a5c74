#include "common/media/av1.h"

#include "common/media/bit_reader.h"

#include <array>

namespace sluice::media {

namespace {

constexpr uint8_t kHasExtension = 0x04;
constexpr uint8_t kHasSize = 0x02;
constexpr uint8_t kMarkerAndVersion = 0x81;
constexpr size_t kRecordHead = 4;

// Section 4.10.3
void skip_uvlc(BitReader &reader) {
  unsigned zeros = 0;
  while (reader.ok() && !reader.flag()) zeros++;
  if (reader.ok() && zeros < 32) reader.skip(zeros);
}

// Sections 5.5.1 (from timing_info_present_flag on), 5.5.3 and 5.5.4.
void parse_operating_points(BitReader &reader, Av1Sequence &sequence) {
  bool decoder_model = false;
  unsigned delay_length = 0;
  if (reader.flag()) { // timing_info_present_flag
    reader.skip(64);
    if (reader.flag()) skip_uvlc(reader); // equal_picture_interval
    decoder_model = reader.flag();
    if (decoder_model) {
      delay_length = reader.bits(5) + 1;
      reader.skip(42);
    }
  }
  bool display_delay = reader.flag();
  unsigned count = reader.bits(5) + 1;
  for (unsigned i = 0; i < count && reader.ok(); i++) {
    reader.skip(12); // operating_point_idc
    auto level = static_cast<uint8_t>(reader.bits(5));
    auto tier = static_cast<uint8_t>(level > 7 ? reader.bits(1) : 0);
    if (i == 0) {
      sequence.level = level;
      sequence.tier = tier;
    }
    if (decoder_model && reader.flag()) reader.skip(2 * size_t{delay_length} + 1);
    if (display_delay && reader.flag()) reader.skip(4);
  }
}

void skip_tools(BitReader &reader, bool reduced) {
  reader.skip(3); // superblocks, filter_intra, intra_edge_filter
  if (!reduced) {
    reader.skip(4); // interintra, masked, warped motion, dual filter
    bool order_hint = reader.flag();
    if (order_hint) reader.skip(2);
    bool screen_content = reader.flag() || reader.flag(); // to be chosen for each frame, or stated
    if (screen_content && !reader.flag()) reader.skip(1); // integer motion vectors: likewise
    if (order_hint) reader.skip(3);
  }
  reader.skip(3); // superres, cdef, restoration
}

// Section 5.5.2
void parse_colours(BitReader &reader, Av1Sequence &sequence) {
  bool high_depth = reader.flag();
  sequence.bit_depth = high_depth ? 10 : 8;
  if (sequence.profile == 2 && high_depth && reader.flag()) sequence.bit_depth = 12;
  sequence.monochrome = sequence.profile != 1 && reader.flag();
  constexpr uint32_t kSrgb = 1 << 16 | 13 << 8 | 0; // BT.709, sRGB, identity
  bool srgb = reader.flag() && reader.bits(24) == kSrgb;
  if (sequence.monochrome) {
    reader.skip(1); // color_range
    return;
  }
  if (srgb) {
    sequence.subsampling_x = sequence.subsampling_y = false;
    return;
  }
  reader.skip(1); // color_range
  if (sequence.profile == 1) {
    sequence.subsampling_x = sequence.subsampling_y = false;
  } else if (sequence.profile == 2) {
    bool deep = sequence.bit_depth == 12;
    sequence.subsampling_x = !deep || reader.flag();
    sequence.subsampling_y = deep && sequence.subsampling_x && reader.flag();
  }
  if (sequence.subsampling_x && sequence.subsampling_y)
    sequence.chroma_sample_position = static_cast<uint8_t>(reader.bits(2));
}

} // namespace

Result<uint32_t> read_leb128(ByteReader &reader) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; i++) { // more than five when the last ones are 0
    auto byte = reader.u8();
    if (!byte) return Error{"invalid AV1 data: a size is cut off"};
    value |= uint64_t{*byte & 0x7fu} << 7 * i;
    if ((*byte & 0x80) != 0) continue;
    if (value > UINT32_MAX) break;
    return static_cast<uint32_t>(value);
  }
  return Error{"invalid AV1 data: a size is too large"};
}

size_t write_leb128(uint32_t value, uint8_t *out) {
  size_t count = 0;
  for (; value >= 0x80; value >>= 7) out[count++] = static_cast<uint8_t>(value | 0x80);
  out[count++] = static_cast<uint8_t>(value);
  return count;
}

Result<Obu> parse_obu(Bytes bytes) {
  ByteReader reader(bytes);
  auto header = reader.u8();
  if (!header) return Error{"invalid AV1 data: an OBU is empty"};
  if ((*header & 0x80) != 0) return Error{"invalid AV1 data: the forbidden bit of an OBU is set"};
  Obu obu;
  obu.type = static_cast<ObuType>(*header >> 3 & 0x0f);
  obu.header = static_cast<uint8_t>(*header & ~kHasSize);
  obu.has_extension = (*header & kHasExtension) != 0;
  if (obu.has_extension) {
    auto extension = reader.u8();
    if (!extension) return Error{"invalid AV1 data: an OBU is cut off"};
    obu.extension = *extension;
  }
  if ((*header & kHasSize) != 0) {
    uint32_t size = TRY(read_leb128(reader));
    auto payload = reader.bytes(size);
    if (!payload) return Error{"invalid AV1 data: an OBU is cut off"};
    obu.payload = *payload;
  } else {
    obu.payload = *reader.bytes(reader.rest().size());
  }
  obu.size = bytes.size() - reader.rest().size();
  return obu;
}

void append_obu(ByteVector &out, const Obu &obu, bool with_size) {
  out.push_back(static_cast<uint8_t>(obu.header | (with_size ? kHasSize : 0)));
  if (obu.has_extension) out.push_back(obu.extension);
  if (with_size) {
    std::array<uint8_t, kMaxLeb128> size{};
    size_t count = write_leb128(static_cast<uint32_t>(obu.payload.size()), size.data());
    out.insert(out.end(), size.begin(), size.begin() + static_cast<ptrdiff_t>(count));
  }
  out.insert(out.end(), obu.payload.begin(), obu.payload.end());
}

Result<Av1Sequence> parse_av1_sequence_header(Bytes obu) {
  Obu parsed = TRY(parse_obu(obu));
  if (parsed.type != ObuType::SequenceHeader) return Error{"not an AV1 sequence header"};
  BitReader reader(parsed.payload);
  Av1Sequence sequence;
  sequence.profile = static_cast<uint8_t>(reader.bits(3));
  if (sequence.profile > 2) return Error{"invalid AV1 sequence header: profile"};
  reader.skip(1); // still_picture
  bool reduced = reader.flag();
  if (reduced)
    sequence.level = static_cast<uint8_t>(reader.bits(5));
  else
    parse_operating_points(reader, sequence);
  unsigned width_bits = reader.bits(4) + 1;
  unsigned height_bits = reader.bits(4) + 1;
  sequence.width = reader.bits(width_bits) + 1;
  sequence.height = reader.bits(height_bits) + 1;
  if (!reduced && reader.flag()) reader.skip(7); // frame_id_numbers_present_flag
  skip_tools(reader, reduced);
  parse_colours(reader, sequence);
  if (!reader.ok()) return Error{"invalid AV1 sequence header: too short"};
  return sequence;
}

Result<ByteVector> parse_av1_configuration(Bytes bytes) {
  if (bytes.size() < kRecordHead) return Error{"invalid AV1 configuration: too short"};
  if (bytes[0] != kMarkerAndVersion) return Error{"invalid AV1 configuration: unknown version"};
  ByteVector header;
  for (Bytes rest = bytes.subspan(kRecordHead); !rest.empty();) {
    Obu obu = TRY(parse_obu(rest));
    if (obu.type == ObuType::SequenceHeader && header.empty()) append_obu(header, obu, false);
    rest = rest.subspan(obu.size);
  }
  if (!header.empty()) TRY(parse_av1_sequence_header(header));
  return header;
}

Result<ByteVector> write_av1_configuration(Bytes sequence_header) {
  Av1Sequence sequence = TRY(parse_av1_sequence_header(sequence_header));
  unsigned formats = sequence.tier << 7u;
  if (sequence.bit_depth > 8) formats |= 0x40;
  if (sequence.bit_depth == 12) formats |= 0x20;
  if (sequence.monochrome) formats |= 0x10;
  if (sequence.subsampling_x) formats |= 0x08;
  if (sequence.subsampling_y) formats |= 0x04;
  formats |= sequence.chroma_sample_position;
  ByteVector out = {kMarkerAndVersion, static_cast<uint8_t>(sequence.profile << 5 | sequence.level),
                    static_cast<uint8_t>(formats), 0};
  append_obu(out, *parse_obu(sequence_header), true);
  return out;
}

} // namespace sluice::media
