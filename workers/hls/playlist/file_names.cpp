#include "workers/hls/playlist/file_names.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::hls {

namespace {

constexpr std::string_view kMp4 = ".mp4";
constexpr std::string_view kMpegTs = ".ts";

std::string_view prefix(FileKind kind) {
  switch (kind) {
  case FileKind::Initialisation:
    return "_init";
  case FileKind::Segment:
    return "_seg";
  case FileKind::Part:
    return "_part";
  case FileKind::Multivariant:
  case FileKind::Media:
    break;
  }
  return {};
}

std::optional<uint64_t> parse_number(std::string_view text) {
  if (text.empty() || (text[0] == '0' && text.size() > 1)) return std::nullopt;
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_id(std::string_view text) {
  return text.size() == kIdDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace

std::optional<FileName> parse_file_name(std::string_view name) {
  if (name == kMultivariantName) return FileName{};
  if (name == kMediaName) return FileName{.kind = FileKind::Media};
  if (name.size() < kIdDigits || !is_id(name.substr(0, kIdDigits))) return std::nullopt;
  FileName parsed{.id = name.substr(0, kIdDigits)};
  name.remove_prefix(kIdDigits);
  for (FileKind kind : {FileKind::Initialisation, FileKind::Segment, FileKind::Part}) {
    if (!name.starts_with(prefix(kind))) continue;
    parsed.kind = kind;
    name.remove_prefix(prefix(kind).size());
    parsed.mpeg_ts = kind == FileKind::Segment && name.ends_with(kMpegTs);
    std::string_view extension = parsed.mpeg_ts ? kMpegTs : kMp4;
    if (!name.ends_with(extension)) return std::nullopt;
    name.remove_suffix(extension.size());
    std::optional<uint64_t> number = parse_number(name);
    if (!number) return std::nullopt;
    parsed.number = *number;
    return parsed;
  }
  return std::nullopt;
}

void append_number(std::string &out, uint64_t number, size_t width) {
  std::array<char, 20> digits;
  char *end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  auto count = static_cast<size_t>(end - digits.data());
  if (count < width) out.append(width - count, '0');
  out.append(digits.data(), count);
}

void append_file_name(std::string &out, const FileName &name) {
  switch (name.kind) {
  case FileKind::Multivariant:
    out += kMultivariantName;
    return;
  case FileKind::Media:
    out += kMediaName;
    return;
  case FileKind::Initialisation:
  case FileKind::Segment:
  case FileKind::Part:
    out += name.id;
    out += prefix(name.kind);
    append_number(out, name.number);
    out += name.mpeg_ts ? kMpegTs : kMp4;
  }
}

} // namespace sluice::hls
