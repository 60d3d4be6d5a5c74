// What the playlists of a source say (RFC 8216 section 4.3; of draft-pantos-hls-rfc8216bis parts and hints). URIs are
// as they were written: http::resolve_reference() with the playlist's own URL makes them whole. Plain data.
#pragma once

#include "common/base/time.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::hls {

using InitialisationVector = std::array<uint8_t, 16>;

struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0; // offset + length fits 64 bits

  bool operator==(const ByteRange &) const = default;
};

struct SourceKey {
  bool supported = true; // AES-128 whose key is the 16 bytes at `uri`
  std::string uri;
  std::optional<InitialisationVector> iv; // else the media sequence number

  bool operator==(const SourceKey &) const = default;
};

struct SourceMap {
  std::string uri;
  std::optional<ByteRange> range;
  std::optional<size_t> key; // of SourceMedia::keys

  bool operator==(const SourceMap &) const = default;
};

struct SourcePart {
  std::string uri;
  std::optional<ByteRange> range;
  Nanoseconds duration = 0;
  bool independent = false;
  bool gap = false;
};

struct SourceSegment {
  uint64_t number = 0; // media sequence number
  uint64_t discontinuity_sequence = 0;
  std::string uri; // empty: only parts of it are there yet; only the last one
  std::optional<ByteRange> range;
  Nanoseconds duration = 0;
  std::optional<Nanoseconds> start_wall; // since 1970; also reckoned from the segments before it
  std::optional<size_t> key;             // of SourceMedia::keys; empty: not encrypted
  std::optional<size_t> map;             // of SourceMedia::maps
  bool gap = false;                      // there is nothing to be had
  std::vector<SourcePart> parts;
};

// Of a part; hints of initialisation sections are not kept.
struct PreloadHint {
  std::string uri;
  uint64_t offset = 0;
  std::optional<uint64_t> length; // empty: to the end
};

struct SourceMedia {
  int version = 1;
  Nanoseconds target_duration = 0;
  bool ended = false;
  std::vector<SourceSegment> segments; // in order
  std::vector<SourceKey> keys;
  std::vector<SourceMap> maps;
  Nanoseconds part_target = 0; // 0: no parts
  bool can_block_reload = false;
  std::optional<Nanoseconds> hold_back, part_hold_back;
  std::optional<PreloadHint> hint;
};

struct SourceVariant {
  std::string uri;
  uint64_t bandwidth = 0; // bits per second
  std::vector<std::string> codecs;
  std::string audio_group; // empty: none
};

struct AudioRendition {
  std::string group;
  std::string name;
  std::string uri; // empty: it is in the variant itself
  bool is_default = false;
  bool autoselect = false;
};

struct SourceMultivariant {
  std::vector<SourceVariant> variants; // not empty
  std::vector<AudioRendition> audio;
};

// The vector that a segment, or its initialisation section, is decrypted with.
InitialisationVector initialisation_vector(const SourceKey &key, uint64_t segment_number);

} // namespace sluice::hls
