// The tags of a media playlist (RFC 8216 sections 4.3.2 and 4.3.3), one after the other. For parser.h, which says what
// the limits are; lines outlive the call only as copies.
#pragma once

#include "common/base/result.h"
#include "workers/hls/playlist/attributes.h"
#include "workers/hls/playlist/source_playlist.h"

#include <optional>
#include <string_view>

namespace sluice::hls {

class MediaParser {
public:
  Result<void> on_tag(std::string_view name, std::string_view value);
  Result<void> on_uri(std::string_view uri);
  Result<SourceMedia> finish();

private:
  // A range whose offset may be left out: it then begins where the last one of the same resource ended.
  struct WrittenRange {
    uint64_t length = 0;
    std::optional<uint64_t> offset;
  };
  struct End {
    std::string uri;
    uint64_t offset = 0;
  };

  static Result<WrittenRange> read_range(std::string_view text);
  static Result<ByteRange> place(const WrittenRange &range, std::string_view uri, End &end);

  Result<void> on_playlist_tag(std::string_view name, std::string_view value, bool &known);
  Result<void> on_duration(std::string_view value);
  Result<void> on_part(std::string_view value);
  Result<void> on_key(std::string_view value);
  Result<void> on_map(std::string_view value);
  void on_hint(std::string_view value);
  // Of the segment that begins: what went on before it.
  void begin_segment();

  SourceMedia playlist_;
  uint64_t next_number_ = 0;
  uint64_t discontinuities_ = 0;
  std::optional<uint64_t> discontinuity_sequence_;
  bool has_target_ = false;
  std::optional<size_t> key_, map_;
  bool has_plain_key_ = false; // the key in use is one whose format we know
  std::optional<Nanoseconds> next_wall_;
  size_t part_count_ = 0;

  SourceSegment segment_; // whose tags come
  bool has_duration_ = false;
  std::optional<WrittenRange> range_;
  End segment_end_, part_end_;
};

} // namespace sluice::hls
