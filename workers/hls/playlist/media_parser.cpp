#include "workers/hls/playlist/media_parser.h"

#include "common/base/text.h"
#include "workers/hls/playlist/parser.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace sluice::hls {

namespace {

// "0x" and at most 32 hexadecimal digits.
std::optional<InitialisationVector> parse_vector(std::string_view text) {
  if (!text.starts_with("0x") && !text.starts_with("0X")) return std::nullopt;
  text.remove_prefix(2);
  InitialisationVector vector{};
  if (text.empty() || text.size() > 2 * vector.size()) return std::nullopt;
  for (size_t i = 0; i < text.size(); i++) {
    uint8_t digit = 0;
    auto [end, error] = std::from_chars(&text[i], &text[i] + 1, digit, 16);
    if (error != std::errc()) return std::nullopt;
    size_t place = text.size() - 1 - i; // from the right
    vector[vector.size() - 1 - place / 2] |= static_cast<uint8_t>(place % 2 == 0 ? digit : digit << 4);
  }
  return vector;
}

Nanoseconds rounded_to_seconds(Nanoseconds duration) {
  return (duration + kSecond / 2) / kSecond * kSecond;
}

} // namespace

InitialisationVector initialisation_vector(const SourceKey &key, uint64_t segment_number) {
  if (key.iv) return *key.iv;
  InitialisationVector vector{};
  for (size_t i = 0; i < 8; i++) vector[15 - i] = static_cast<uint8_t>(segment_number >> (8 * i));
  return vector;
}

Result<MediaParser::WrittenRange> MediaParser::read_range(std::string_view text) {
  std::string_view length = text.substr(0, text.find('@'));
  WrittenRange range;
  auto parsed_length = parse_decimal(trim(length));
  if (!parsed_length || *parsed_length == 0) return Error{"invalid byte range in a playlist"};
  range.length = *parsed_length;
  if (length.size() == text.size()) return range;
  range.offset = parse_decimal(trim(text.substr(length.size() + 1)));
  if (!range.offset) return Error{"invalid byte range in a playlist"};
  return range;
}

Result<ByteRange> MediaParser::place(const WrittenRange &range, std::string_view uri, End &end) {
  if (!range.offset && end.uri != uri) return Error{"byte range without offset in a playlist"};
  ByteRange placed{range.offset ? *range.offset : end.offset, range.length};
  if (placed.length > std::numeric_limits<uint64_t>::max() - placed.offset)
    return Error{"invalid byte range in a playlist"};
  end.uri = uri;
  end.offset = placed.offset + placed.length;
  return placed;
}

Result<void> MediaParser::on_tag(std::string_view name, std::string_view value) {
  bool known = false;
  TRY(on_playlist_tag(name, value, known));
  if (known) return {};
  if (name == "#EXTINF") return on_duration(value);
  if (name == "#EXT-X-PART") return on_part(value);
  if (name == "#EXT-X-KEY") return on_key(value);
  if (name == "#EXT-X-MAP") return on_map(value);
  if (name == "#EXT-X-BYTERANGE") {
    range_ = TRY(read_range(value));
  } else if (name == "#EXT-X-DISCONTINUITY") {
    discontinuities_++;
    next_wall_.reset();
  } else if (name == "#EXT-X-GAP") {
    segment_.gap = true;
  } else if (name == "#EXT-X-PROGRAM-DATE-TIME") {
    if (auto wall = parse_date_time(value)) next_wall_ = wall;
  } else if (name == "#EXT-X-PRELOAD-HINT") {
    on_hint(value);
  }
  return {};
}

Result<void> MediaParser::on_playlist_tag(std::string_view name, std::string_view value, bool &known) {
  known = true;
  if (name == "#EXT-X-VERSION") {
    auto version = parse_decimal(value);
    if (version && *version <= 1000) playlist_.version = static_cast<int>(*version);
  } else if (name == "#EXT-X-TARGETDURATION") {
    auto target = parse_duration(value);
    if (!target) return Error{"invalid EXT-X-TARGETDURATION"};
    playlist_.target_duration = *target;
    has_target_ = true;
  } else if (name == "#EXT-X-MEDIA-SEQUENCE") {
    auto number = parse_decimal(value);
    if (!number || *number > std::numeric_limits<uint64_t>::max() - kMaxSourceSegments)
      return Error{"invalid EXT-X-MEDIA-SEQUENCE"};
    if (!playlist_.segments.empty()) return Error{"EXT-X-MEDIA-SEQUENCE behind a segment"};
    next_number_ = *number;
  } else if (name == "#EXT-X-DISCONTINUITY-SEQUENCE") {
    auto number = parse_decimal(value);
    if (!number || *number > std::numeric_limits<uint64_t>::max() - kMaxPlaylist)
      return Error{"invalid EXT-X-DISCONTINUITY-SEQUENCE"};
    if (!playlist_.segments.empty()) return Error{"EXT-X-DISCONTINUITY-SEQUENCE behind a segment"};
    discontinuity_sequence_ = number;
  } else if (name == "#EXT-X-ENDLIST") {
    playlist_.ended = true;
  } else if (name == "#EXT-X-PART-INF") {
    playlist_.part_target = parse_duration(Attributes(value).find("PART-TARGET").value_or("")).value_or(0);
  } else if (name == "#EXT-X-SERVER-CONTROL") {
    Attributes attributes(value);
    playlist_.can_block_reload = attributes.is_yes("CAN-BLOCK-RELOAD");
    playlist_.hold_back = parse_duration(attributes.find("HOLD-BACK").value_or(""));
    playlist_.part_hold_back = parse_duration(attributes.find("PART-HOLD-BACK").value_or(""));
  } else if (name == "#EXT-X-SKIP") {
    return Error{"a delta update that was not asked for"};
  } else {
    known = false;
  }
  return {};
}

Result<void> MediaParser::on_duration(std::string_view value) {
  auto duration = parse_duration(trim(value.substr(0, value.find(','))));
  if (!duration) return Error{"invalid EXTINF"};
  segment_.duration = *duration;
  has_duration_ = true;
  return {};
}

Result<void> MediaParser::on_part(std::string_view value) {
  Attributes attributes(value);
  auto uri = attributes.find("URI");
  auto duration = parse_duration(attributes.find("DURATION").value_or(""));
  if (!uri || uri->empty() || !duration) return Error{"invalid EXT-X-PART"};
  if (part_count_++ == kMaxSourceParts) return Error{"playlist with too many parts"};
  if (segment_.parts.empty()) begin_segment();
  SourcePart part;
  part.uri = *uri;
  part.duration = *duration;
  part.independent = attributes.is_yes("INDEPENDENT");
  part.gap = attributes.is_yes("GAP");
  if (auto text = attributes.find("BYTERANGE")) {
    WrittenRange range = TRY(read_range(*text));
    part.range = TRY(place(range, *uri, part_end_));
  }
  segment_.parts.push_back(std::move(part));
  return {};
}

Result<void> MediaParser::on_key(std::string_view value) {
  Attributes attributes(value);
  auto method = attributes.find("METHOD");
  if (!method) return Error{"invalid EXT-X-KEY"};
  if (*method == "NONE") {
    key_.reset();
    has_plain_key_ = false;
    return {};
  }
  // Several formats of the same key may follow each other.
  bool plain = attributes.find("KEYFORMAT").value_or("identity") == "identity";
  if (!plain && has_plain_key_) return {};
  SourceKey key;
  key.uri = attributes.find("URI").value_or("");
  key.supported = plain && *method == "AES-128" && !key.uri.empty();
  if (auto vector = attributes.find("IV")) {
    key.iv = parse_vector(*vector);
    if (!key.iv) return Error{"invalid EXT-X-KEY"};
  }
  has_plain_key_ = plain;
  if (key_ && playlist_.keys[*key_] == key) return {};
  if (playlist_.keys.size() == kMaxSourceKeys) return Error{"playlist with too many keys"};
  key_ = playlist_.keys.size();
  playlist_.keys.push_back(std::move(key));
  return {};
}

Result<void> MediaParser::on_map(std::string_view value) {
  Attributes attributes(value);
  auto uri = attributes.find("URI");
  if (!uri || uri->empty()) return Error{"invalid EXT-X-MAP"};
  SourceMap map{std::string(*uri), {}, key_};
  if (auto text = attributes.find("BYTERANGE")) {
    WrittenRange range = TRY(read_range(*text));
    if (!range.offset) range.offset = 0; // section 4.3.2.5 knows no implicit one; some leave out 0
    End end;
    map.range = TRY(place(range, *uri, end));
  }
  if (map_ && playlist_.maps[*map_] == map) return {};
  if (playlist_.maps.size() == kMaxSourceKeys) return Error{"playlist with too many initialisation sections"};
  map_ = playlist_.maps.size();
  playlist_.maps.push_back(std::move(map));
  return {};
}

void MediaParser::on_hint(std::string_view value) {
  Attributes attributes(value);
  auto uri = attributes.find("URI");
  if (attributes.find("TYPE") != "PART" || !uri || uri->empty()) return;
  PreloadHint hint;
  hint.uri = *uri;
  hint.offset = parse_decimal(attributes.find("BYTERANGE-START").value_or("0")).value_or(0);
  hint.length = parse_decimal(attributes.find("BYTERANGE-LENGTH").value_or(""));
  playlist_.hint = std::move(hint);
}

void MediaParser::begin_segment() {
  segment_.number = next_number_;
  segment_.discontinuity_sequence = discontinuities_; // finish() adds where it began
  segment_.start_wall = next_wall_;
  segment_.key = key_;
  segment_.map = map_;
}

Result<void> MediaParser::on_uri(std::string_view uri) {
  if (!has_duration_) return Error{"segment without EXTINF"};
  if (playlist_.segments.size() == kMaxSourceSegments) return Error{"playlist with too many segments"};
  begin_segment();
  segment_.uri = uri;
  if (range_) segment_.range = TRY(place(*range_, uri, segment_end_));
  if (next_wall_) next_wall_ = *next_wall_ + segment_.duration;
  next_number_++;
  playlist_.segments.push_back(std::move(segment_));
  segment_ = SourceSegment();
  range_.reset();
  has_duration_ = false;
  return {};
}

Result<SourceMedia> MediaParser::finish() {
  if (!segment_.parts.empty() && playlist_.segments.size() < kMaxSourceSegments) {
    for (const SourcePart &part : segment_.parts) segment_.duration += part.duration;
    playlist_.segments.push_back(std::move(segment_));
  }
  for (SourceSegment &segment : playlist_.segments) {
    segment.discontinuity_sequence += discontinuity_sequence_.value_or(0);
    if (!has_target_)
      playlist_.target_duration = std::max(playlist_.target_duration, rounded_to_seconds(segment.duration));
  }
  return std::move(playlist_);
}

} // namespace sluice::hls
