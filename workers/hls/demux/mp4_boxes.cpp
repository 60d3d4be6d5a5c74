#include "workers/hls/demux/mp4_boxes.h"

namespace sluice::hls {

namespace {

constexpr uint64_t kMaxSize = uint64_t{1} << 62;

}

Result<std::optional<BoxHeader>> parse_box_header(Bytes bytes) {
  ByteReader reader(bytes);
  auto size = reader.u32();
  auto type = reader.u32();
  if (!size || !type) return std::optional<BoxHeader>{};
  BoxHeader header{*type, 8, *size};
  if (*size == 0) header.size.reset();
  if (*size == 1) {
    header.size = reader.u64();
    if (!header.size) return std::optional<BoxHeader>{};
    header.header_size = 16;
  }
  if (header.size && (*header.size < header.header_size || *header.size > kMaxSize))
    return Error{"invalid MP4: size of a box"};
  return std::optional(header);
}

Result<std::optional<Box>> take_box(Bytes &bytes) {
  auto header = TRY(parse_box_header(bytes));
  if (!header) return std::optional<Box>{};
  uint64_t size = header->size.value_or(bytes.size());
  if (size > bytes.size()) return Error{"invalid MP4: a box does not fit"};
  Box box{header->type, bytes.subspan(header->header_size, size - header->header_size)};
  bytes = bytes.subspan(size);
  return std::optional(box);
}

Result<std::optional<Bytes>> find_box(Bytes bytes, uint32_t type) {
  while (auto box = TRY(take_box(bytes))) {
    if (box->type == type) return std::optional(box->body);
  }
  return std::optional<Bytes>{};
}

Result<FullBox> open_full_box(Bytes body) {
  ByteReader reader(body);
  auto word = reader.u32();
  if (!word) return Error{"invalid MP4: a box is too short"};
  return FullBox{static_cast<uint8_t>(*word >> 24), *word & 0xffffff, reader};
}

} // namespace sluice::hls
