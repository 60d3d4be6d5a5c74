#include "workers/hls/playlist/writer.h"

#include "workers/hls/playlist/file_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace sluice::hls {

namespace {

constexpr size_t kDecimals = 5;
constexpr Nanoseconds kDecimal = 10 * kMicrosecond; // the last of them

int version(Variant variant) {
  switch (variant) {
  case Variant::MpegTs:
    return 3; // durations that are no integers
  case Variant::Fmp4:
    return 6; // EXT-X-MAP
  case Variant::LowLatency:
    break;
  }
  return 9; // EXT-X-SKIP
}

class Text {
public:
  Text(const Presentation &presentation, std::string_view query, std::string &out)
      : presentation_(presentation), query_(query), out_(out) {}

  template <class... Arguments> void line(fmt::format_string<Arguments...> format, Arguments &&...arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Arguments>(arguments)...);
    out_ += '\n';
  }

  void uri(FileKind kind, uint64_t number = 0) {
    bool mpeg_ts = kind == FileKind::Segment && presentation_.variant == Variant::MpegTs;
    append_file_name(out_, {.kind = kind, .id = presentation_.id, .number = number, .mpeg_ts = mpeg_ts});
    if (query_.empty()) return;
    out_ += '?';
    out_ += query_;
  }

  // Rounded to five decimals; `up`: never down.
  void seconds(Nanoseconds duration, bool up = false) {
    Nanoseconds count = (duration + (up ? kDecimal - 1 : kDecimal / 2)) / kDecimal;
    append_number(out_, static_cast<uint64_t>(count / (kSecond / kDecimal)));
    out_ += '.';
    append_number(out_, static_cast<uint64_t>(count % (kSecond / kDecimal)), kDecimals);
  }

  void add(std::string_view text) { out_ += text; }
  void add(int64_t number, size_t width, char behind) {
    append_number(out_, static_cast<uint64_t>(number), width);
    out_ += behind;
  }

private:
  const Presentation &presentation_;
  std::string_view query_;
  std::string &out_;
};

Nanoseconds rounded_up(Nanoseconds duration) {
  return (duration + kDecimal - 1) / kDecimal * kDecimal;
}

struct Date {
  int64_t year = 1970, month = 1, day = 1;
};

// Gregorian; `days` since 1970, never negative.
Date date_of(int64_t days) {
  auto is_leap = [](int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); };
  Date date;
  for (; days >= (is_leap(date.year) ? 366 : 365); date.year++) days -= is_leap(date.year) ? 366 : 365;
  std::array<int64_t, 12> lengths = {31, is_leap(date.year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (size_t i = 0; i + 1 < lengths.size() && days >= lengths[i]; i++, date.month++) days -= lengths[i];
  date.day = days + 1;
  return date;
}

void write_date(Text &text, Nanoseconds wall) {
  constexpr int64_t kDay = 24 * 60 * 60;
  wall = std::max<Nanoseconds>(wall, 0);
  Date date = date_of(wall / kSecond / kDay);
  int64_t second = wall / kSecond % kDay;
  text.add("#EXT-X-PROGRAM-DATE-TIME:");
  text.add(date.year, 4, '-');
  text.add(date.month, 2, '-');
  text.add(date.day, 2, 'T');
  text.add(second / 3600, 2, ':');
  text.add(second / 60 % 60, 2, ':');
  text.add(second % 60, 2, '.');
  text.add(wall % kSecond / kMillisecond, 3, 'Z');
  text.add("\n");
}

void write_part(Text &text, const Part &part, uint64_t number) {
  text.add("#EXT-X-PART:DURATION=");
  text.seconds(part.duration);
  text.add(",URI=\"");
  text.uri(FileKind::Part, number);
  text.add(part.independent ? "\",INDEPENDENT=YES\n" : "\"\n");
}

void write_head(Text &text, const Presentation &presentation) {
  text.line("#EXTM3U");
  text.line("#EXT-X-VERSION:{}", version(presentation.variant));
  text.line("#EXT-X-TARGETDURATION:{}", presentation.target_duration / kSecond);
  if (presentation.variant == Variant::LowLatency) {
    text.add("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=");
    text.seconds(kPartHoldBack * rounded_up(presentation.part_target));
    text.line(",HOLD-BACK={},CAN-SKIP-UNTIL={}", kHoldBack * (presentation.target_duration / kSecond),
              kSkipBoundary * (presentation.target_duration / kSecond));
    text.add("#EXT-X-PART-INF:PART-TARGET=");
    text.seconds(presentation.part_target, true);
    text.add("\n");
  }
  text.line("#EXT-X-MEDIA-SEQUENCE:{}", presentation.segments.empty() ? 0 : presentation.segments.front().number);
  if (presentation.discontinuity_sequence > 0)
    text.line("#EXT-X-DISCONTINUITY-SEQUENCE:{}", presentation.discontinuity_sequence);
  text.line("#EXT-X-INDEPENDENT-SEGMENTS");
}

// What stands before a segment's parts. `before`: the segment before it in the whole playlist, or null.
void write_segment_tags(Text &text, const Presentation &presentation, const Segment &segment, const Segment *before) {
  if (segment.discontinuity) text.add("#EXT-X-DISCONTINUITY\n");
  bool changed = before == nullptr || before->initialisation != segment.initialisation;
  if (presentation.variant != Variant::MpegTs && changed) {
    text.add("#EXT-X-MAP:URI=\"");
    text.uri(FileKind::Initialisation, segment.initialisation);
    text.add("\"\n");
  }
  write_date(text, segment.start_wall);
}

void write_hint(Text &text, const Segment &last) {
  if (last.finished && last.parts.empty()) return;
  text.add("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"");
  text.uri(FileKind::Part, last.first_part + last.parts.size());
  text.add("\"\n");
}

Nanoseconds total_duration(const Presentation &presentation) {
  Nanoseconds total = 0;
  for (const Segment &segment : presentation.segments) total += segment.duration;
  return total;
}

} // namespace

BitRates measure_bit_rates(const Presentation &presentation) {
  BitRates rates;
  uint64_t all_bytes = 0, largest_of_one = 0;
  Nanoseconds all = 0;
  auto rate = [](uint64_t bytes, Nanoseconds duration) {
    return static_cast<uint64_t>(static_cast<double>(bytes) * 8 * kSecond / static_cast<double>(duration) + 0.999);
  };
  const std::vector<Segment> &segments = presentation.segments;
  for (size_t first = 0; first < segments.size(); first++) {
    uint64_t bytes = 0;
    Nanoseconds duration = 0;
    for (size_t i = first; i < segments.size() && segments[i].finished && segments[i].duration > 0; i++) {
      bytes += segments[i].bytes;
      duration += segments[i].duration;
      if (duration * 2 > presentation.target_duration * 3) break;
      if (duration * 2 >= presentation.target_duration) rates.peak = std::max(rates.peak, rate(bytes, duration));
    }
    if (!segments[first].finished || segments[first].duration <= 0) continue;
    largest_of_one = std::max(largest_of_one, rate(segments[first].bytes, segments[first].duration));
    all_bytes += segments[first].bytes;
    all += segments[first].duration;
  }
  if (all > 0) rates.average = rate(all_bytes, all);
  if (rates.peak == 0) rates.peak = largest_of_one;
  rates.peak = std::max(rates.peak, rates.average);
  return rates;
}

void write_multivariant(const Presentation &presentation, std::string_view query, std::string &out) {
  out.clear();
  Text text(presentation, query, out);
  text.line("#EXTM3U");
  text.line("#EXT-X-VERSION:{}", version(presentation.variant));
  text.line("#EXT-X-INDEPENDENT-SEGMENTS");
  text.add("\n");
  BitRates rates = measure_bit_rates(presentation);
  text.add("#EXT-X-STREAM-INF:");
  std::string attributes = fmt::format("BANDWIDTH={}", std::max<uint64_t>(rates.peak, 1));
  if (rates.average > 0) attributes += fmt::format(",AVERAGE-BANDWIDTH={}", rates.average);
  if (!presentation.codecs.empty()) attributes += fmt::format(",CODECS=\"{}\"", presentation.codecs);
  if (presentation.width > 0 && presentation.height > 0)
    attributes += fmt::format(",RESOLUTION={}x{}", presentation.width, presentation.height);
  if (presentation.frame_rate > 0) attributes += fmt::format(",FRAME-RATE={:.3f}", presentation.frame_rate);
  text.line("{}", attributes);
  text.uri(FileKind::Media);
  text.add("\n");
}

size_t skipped_segments(const Presentation &presentation) {
  if (presentation.variant != Variant::LowLatency || presentation.ended) return 0;
  Nanoseconds behind = total_duration(presentation); // from where a segment ends to the playlist's end
  size_t skipped = 0;
  for (const Segment &segment : presentation.segments) {
    behind -= segment.duration;
    if (!segment.finished || behind < kSkipBoundary * presentation.target_duration) break;
    skipped++;
  }
  return skipped;
}

void write_media(const Presentation &presentation, std::string_view query, bool skip, std::string &out) {
  out.clear();
  Text text(presentation, query, out);
  write_head(text, presentation);
  bool low_latency = presentation.variant == Variant::LowLatency;
  size_t skipped = skip ? skipped_segments(presentation) : 0;
  if (skipped > 0) text.line("#EXT-X-SKIP:SKIPPED-SEGMENTS={}", skipped);
  const std::vector<Segment> &segments = presentation.segments;
  Nanoseconds behind = total_duration(presentation);
  for (size_t i = 0; i < segments.size(); i++) {
    const Segment &segment = segments[i];
    behind -= segment.duration;
    if (i < skipped || (!segment.finished && (!low_latency || segment.parts.empty()))) continue;
    write_segment_tags(text, presentation, segment, i > 0 ? &segments[i - 1] : nullptr);
    if (low_latency && behind < kPartsTold * presentation.target_duration) {
      for (size_t part = 0; part < segment.parts.size(); part++)
        write_part(text, segment.parts[part], segment.first_part + part);
    }
    if (!segment.finished) continue;
    text.add("#EXTINF:");
    text.seconds(segment.duration);
    text.add(",\n");
    text.uri(FileKind::Segment, segment.number);
    text.add("\n");
  }
  if (presentation.ended) {
    text.line("#EXT-X-ENDLIST");
  } else if (low_latency && !segments.empty()) {
    write_hint(text, segments.back());
  }
}

} // namespace sluice::hls
