// Boxes of ISO base media files (ISO/IEC 14496-12 section 4.2). Pure; what is returned points into the input.
//
//   box: size (32), type (32) | size (64) if that was 1 | body; size 0: to the end of the file
//   full box: its body begins with version (8), flags (24)
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <optional>

namespace sluice::hls {

constexpr uint32_t four_characters(const char (&text)[5]) {
  return static_cast<uint32_t>(static_cast<uint8_t>(text[0])) << 24 |
         static_cast<uint32_t>(static_cast<uint8_t>(text[1])) << 16 |
         static_cast<uint32_t>(static_cast<uint8_t>(text[2])) << 8 | static_cast<uint8_t>(text[3]);
}

struct BoxHeader {
  uint32_t type = 0;
  uint64_t header_size = 0;
  std::optional<uint64_t> size; // with the header; empty: to the end
};

// Empty: more bytes are needed. Errors: a size smaller than the header, or of more than 62 bits.
Result<std::optional<BoxHeader>> parse_box_header(Bytes bytes);

struct Box {
  uint32_t type = 0;
  Bytes body;
};

// Takes a whole box from the front. Empty: nothing is left, but for fewer bytes than a header has. Error: it does not
// fit.
Result<std::optional<Box>> take_box(Bytes &bytes);

// The first child of that type; empty: there is none. Errors as above.
Result<std::optional<Bytes>> find_box(Bytes bytes, uint32_t type);

struct FullBox {
  uint8_t version = 0;
  uint32_t flags = 0;
  ByteReader rest;
};
// Error: too short.
Result<FullBox> open_full_box(Bytes body);

} // namespace sluice::hls
