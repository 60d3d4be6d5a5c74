// Binary data between RTSP messages on one connection (RFC 2326 section 10.12):
//   "$" channel(1) length(2, big-endian) payload(length)
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sluice::rtsp {

constexpr uint8_t kFrameMark = '$';
constexpr size_t kFrameHeaderBytes = 4;
constexpr size_t kMaxFrameBytes = kFrameHeaderBytes + 65535;

struct Frame {
  uint8_t channel = 0;
  Bytes payload;       // within the input
  size_t consumed = 0; // header and payload
};

// The frame that `input` begins with, which next_item() said is one. Empty while incomplete.
std::optional<Frame> parse_frame(Bytes input);

enum class ItemKind : uint8_t { Frame, Request, Response };

struct Item {
  ItemKind kind = ItemKind::Request;
  size_t skip = 0; // line ends before it; drop them before parse_frame
};

// What the input begins with, by its first bytes. Empty: too few bytes to say. Error: none of these.
Result<std::optional<Item>> next_item(Bytes input);

} // namespace sluice::rtsp
