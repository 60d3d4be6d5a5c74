// Payload descriptors of VP8 (RFC 7741 section 4.2) and VP9 (RFC 9628 section 4.2). Pure.
//
//   VP8: |X|R|N|S|R| PID | then with X: |I|L|T|K| …|, PictureID (7 or 15 bits), TL0PICIDX, TID and KEYIDX
//   VP9: |I|P|L|F|B|E|V|Z| PictureID, layer indices |TID|U|SID|D|, TL0PICIDX, with F and P reference indices
//   |P_DIFF|N|…, with V the scalability structure |N_S|Y|G|-|-|-|, sizes, picture group
#pragma once

#include "common/base/bytes.h"

#include <optional>

namespace sluice::rtp {

struct Vp8Payload {
  bool begins_frame = false; // the first packet of the first partition
  Bytes data;                // never empty

  bool begins_key_frame() const { return begins_frame && (data[0] & 1) == 0; }
};

struct Vp9Payload {
  bool begins_frame = false; // of a layer
  bool inter = false;        // some senders never set it
  uint8_t layer = 0;         // spatial
  Bytes data;                // never empty

  // The frame's own header has to agree: frame_marker (2), profile (2, 3 if it is 3), show_existing_frame, frame_type
  // (0 = key).
  bool begins_key_frame() const;
};

// Empty when the descriptor does not fit, or nothing follows it.
std::optional<Vp8Payload> parse_vp8_payload(Bytes payload);
std::optional<Vp9Payload> parse_vp9_payload(Bytes payload);

} // namespace sluice::rtp
