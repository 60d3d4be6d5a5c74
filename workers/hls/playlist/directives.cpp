#include "workers/hls/playlist/directives.h"

#include "common/http/uri.h"

#include <algorithm>
#include <charconv>

namespace sluice::hls {

namespace {

constexpr std::string_view kDirective = "_HLS_";

Result<std::optional<uint64_t>> number(const http::Query &query, const char *name) {
  const std::string *text = query.find(name);
  if (text == nullptr) return std::optional<uint64_t>{};
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return Error{std::string(name) + " is no number"};
  return std::optional(value);
}

bool is_directive(std::string_view pair) {
  auto name = http::percent_decode(pair.substr(0, pair.find('=')));
  return name && name->starts_with(kDirective);
}

// Of the characters that RFC 3986 section 3.4 allows, and others that stand in queries all the same but can't break a
// line or a quoted string.
bool is_harmless(char c) {
  return c > ' ' && c < '\x7f' && std::string_view("\"<>\\^`{|}#").find(c) == std::string_view::npos;
}

size_t finished_segments(const Presentation &presentation) {
  auto finished = [](const Segment &segment) { return segment.finished; };
  return static_cast<size_t>(std::count_if(presentation.segments.begin(), presentation.segments.end(), finished));
}

uint64_t parts_ahead(Nanoseconds part_target) {
  if (part_target <= 0 || part_target >= kSecond) return kMaxPartsAhead;
  auto target = static_cast<uint64_t>(part_target);
  return (kMaxPartsAhead * kSecond + target - 1) / target;
}

bool too_far_ahead(const Presentation &presentation, const Directives &directives) {
  const Segment &last = presentation.segments.back();
  uint64_t current = last.finished ? last.number + 1 : last.number; // the one whose parts come now
  if (*directives.msn >= current && *directives.msn - current >= kMaxSegmentsAhead) return true;
  uint64_t parts = last.finished ? 0 : last.parts.size();
  return *directives.msn == current && directives.part && *directives.part >= parts &&
         *directives.part - parts >= parts_ahead(presentation.part_target);
}

} // namespace

Result<Directives> parse_directives(std::string_view raw) {
  http::Query query = TRY(http::parse_query(raw));
  Directives directives;
  directives.msn = TRY(number(query, "_HLS_msn"));
  directives.part = TRY(number(query, "_HLS_part"));
  if (directives.part && !directives.msn) return Error{"_HLS_part without _HLS_msn"};
  const std::string *skip = query.find("_HLS_skip");
  directives.skip = skip != nullptr && (*skip == "YES" || *skip == "v2");
  return directives;
}

Result<std::string> carried_query(std::string_view query) {
  std::string carried;
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty() || is_directive(pair)) continue;
    if (!carried.empty()) carried += '&';
    for (char c : pair) {
      if (is_harmless(c)) {
        carried += c;
      } else {
        carried += http::percent_encode({&c, 1});
      }
    }
    if (carried.size() > kMaxCarriedQuery) return Error{"query too long"};
  }
  return carried;
}

bool ready(const Presentation &presentation) {
  size_t finished = finished_segments(presentation);
  if (presentation.ended) return finished > 0;
  return finished >= (presentation.variant == Variant::LowLatency ? 1U : 2U);
}

bool satisfied(const Presentation &presentation, std::optional<uint64_t> msn, std::optional<uint64_t> part) {
  if (!msn) return true;
  if (presentation.segments.empty()) return false;
  const std::vector<Segment> &segments = presentation.segments;
  const Segment &last = segments.back();
  if (last.number < *msn) return false;
  if (!part) return last.number > *msn || last.finished;
  if (last.number == *msn) return *part < last.parts.size();
  // A newer segment is there: all that it takes is a part of it, unless the one asked for has that part.
  if (last.number - *msn > 1 || last.finished || !last.parts.empty()) return true;
  return segments.size() > 1 && *part < segments[segments.size() - 2].parts.size();
}

Answer answer(const Presentation &presentation, const Directives &directives) {
  if (!ready(presentation)) return Answer::Wait;
  if (presentation.variant != Variant::LowLatency || presentation.ended || !directives.msn) return Answer::Now;
  if (satisfied(presentation, directives.msn, directives.part)) return Answer::Now;
  return too_far_ahead(presentation, directives) ? Answer::TooFarAhead : Answer::Wait;
}

} // namespace sluice::hls
