#include "common/base/text.h"
#include "workers/rtsp/protocol/fmtp.h"
#include "workers/rtsp/protocol/sdp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::rtsp {
namespace {

using media::Track;

template <class T> std::optional<T> number(std::string_view text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view take_word(std::string_view &rest) {
  rest = trim(rest);
  std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest = trim(rest.substr(word.size()));
  return word;
}

media::MediaKind kind_of(std::string_view name) {
  if (name == "video") return media::MediaKind::Video;
  if (name == "audio") return media::MediaKind::Audio;
  return media::MediaKind::Application;
}

// One m= section while its lines are read.
struct Section {
  media::MediaKind kind = media::MediaKind::Video;
  uint8_t payload_type = 0;
  MediaDirection direction = MediaDirection::Unsaid;
  std::string rtpmap, fmtp, control; // of the payload type; the first of each counts
  std::string flaw;                  // why it can't be carried; "" = it can
};

// RTP/AVP, RTP/AVPF, RTP/AVP/TCP, …, but not what is encrypted: the keys would have to be told to readers.
bool is_plain_rtp(std::string_view protocol) {
  return equal_ignoring_case(protocol.substr(0, 4), "RTP/") && !equal_ignoring_case(protocol.substr(4, 4), "SAVP");
}

// m=<media> <port> <proto> <payload type> [<further payload types>]. The port says nothing: with RTSP it is 0 mostly.
Section parse_media_line(std::string_view value, size_t index) {
  Section section;
  section.kind = kind_of(take_word(value));
  take_word(value);
  std::string_view protocol = take_word(value).substr(0, kMaxEncodingBytes);
  std::string_view format = take_word(value);
  std::optional<uint8_t> payload_type = number<uint8_t>(format);
  if (format.empty())
    section.flaw = "invalid media line";
  else if (!is_plain_rtp(protocol))
    section.flaw = fmt::format("track {} is not plain RTP but {}", index, protocol);
  else if (!payload_type || *payload_type > 127)
    section.flaw = fmt::format("track {} has no valid payload type", index);
  else
    section.payload_type = *payload_type;
  return section;
}

std::optional<MediaDirection> direction_of(std::string_view attribute) {
  if (attribute == "sendonly") return MediaDirection::SendOnly;
  if (attribute == "recvonly") return MediaDirection::RecvOnly;
  if (attribute == "sendrecv") return MediaDirection::SendRecv;
  if (attribute == "inactive") return MediaDirection::Inactive;
  return std::nullopt;
}

// rtpmap and fmtp: <payload type> <value>. Those of another payload type are ignored.
void keep_format_attribute(const Section &section, std::string_view value, std::string &kept) {
  std::optional<uint8_t> payload_type = number<uint8_t>(take_word(value));
  if (kept.empty() && payload_type == section.payload_type) kept = value;
}

Result<void> parse_attribute(std::string_view value, ParsedSdp &parsed, std::vector<Section> &sections) {
  size_t colon = value.find(':');
  if (colon == std::string_view::npos) {
    std::optional<MediaDirection> direction = direction_of(trim(value));
    if (direction && !sections.empty()) sections.back().direction = *direction;
    return {};
  }
  std::string_view name = trim(value.substr(0, colon));
  value = trim(value.substr(colon + 1));
  if (name == "control") {
    if (value.size() > kMaxControlBytes) return Error{"control attribute is too long"};
    std::string &control = sections.empty() ? parsed.session_control : sections.back().control;
    if (control.empty()) control = value;
    return {};
  }
  if (sections.empty()) return {};
  if (name == "rtpmap") keep_format_attribute(sections.back(), value, sections.back().rtpmap);
  if (name == "fmtp") keep_format_attribute(sections.back(), value, sections.back().fmtp);
  return {};
}

Result<void> parse_line(std::string_view line, ParsedSdp &parsed, std::vector<Section> &sections) {
  // Other lines are not looked at, whatever they hold: cameras put rubbish into them.
  if (!line.starts_with("m=") && !line.starts_with("a=")) return {};
  bool printable = std::all_of(line.begin(), line.end(),
                               [](char c) { return c == '\t' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f); });
  if (!printable) return Error{"invalid character"};
  if (line[0] == 'm') {
    if (sections.size() == media::kMaxTracks) return Error{fmt::format("more than {} tracks", media::kMaxTracks)};
    sections.push_back(parse_media_line(line.substr(2), sections.size()));
  }
  if (line[0] == 'a') return parse_attribute(line.substr(2), parsed, sections);
  return {};
}

// rtpmap: <encoding>/<clock rate>[/<channels>]. Finds a flaw if the clock rate is not known.
Result<Track> make_track(Section &section, size_t index) {
  Track track;
  track.kind = section.kind;
  track.payload_type = section.payload_type;
  track.fmtp = section.fmtp;

  std::string_view rest = section.rtpmap;
  std::string_view encoding = trim(rest.substr(0, rest.find('/')));
  rest.remove_prefix(std::min(rest.find('/'), rest.size()));
  if (!rest.empty()) rest.remove_prefix(1);
  std::string_view clock_rate = trim(rest.substr(0, rest.find('/')));
  rest.remove_prefix(std::min(rest.find('/'), rest.size()));
  if (!rest.empty()) rest.remove_prefix(1);

  if (encoding.size() > kMaxEncodingBytes) return Error{fmt::format("encoding name of track {} is too long", index)};
  track.clock_rate = number<uint32_t>(clock_rate).value_or(0);
  if (!encoding.empty() && track.clock_rate != 0) {
    track.encoding = encoding;
    track.channels = section.kind == media::MediaKind::Audio ? number<uint8_t>(trim(rest)).value_or(0) : 0;
    track.codec = codec_of(section.kind, encoding);
  } else if (std::optional<StaticPayload> assigned = static_payload(section.payload_type)) {
    track.clock_rate = assigned->clock_rate;
    track.channels = section.kind == media::MediaKind::Audio ? assigned->channels : 0;
    track.codec = codec_of(section.kind, assigned->encoding);
  } else {
    section.flaw = fmt::format("clock rate of track {} is not known", index);
    return track;
  }
  normalise(track);
  if (track.fmtp.size() > kMaxFmtpBytes) return Error{fmt::format("fmtp of track {} is too long", index)};
  return track;
}

} // namespace

Result<ParsedSdp> parse_sdp(std::string_view text) {
  if (text.size() > kMaxSdpBytes) return Error{fmt::format("longer than {} bytes", kMaxSdpBytes)};
  ParsedSdp parsed;
  std::vector<Section> sections;
  size_t lines = 0;
  while (!text.empty()) {
    if (++lines > kMaxSdpLines) return Error{fmt::format("more than {} lines", kMaxSdpLines)};
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    TRY(parse_line(line, parsed, sections));
  }
  if (sections.empty()) return Error{"no tracks found"};
  for (size_t i = 0; i < sections.size(); i++) {
    Section &section = sections[i];
    auto position = static_cast<uint8_t>(i);
    Track track;
    if (section.flaw.empty()) track = TRY(make_track(section, i));
    if (!section.flaw.empty()) {
      parsed.ignored.push_back({position, std::move(section.control), std::move(section.flaw)});
      continue;
    }
    parsed.description.tracks.push_back(std::move(track));
    parsed.controls.push_back(std::move(section.control));
    parsed.directions.push_back(section.direction);
    parsed.positions.push_back(position);
  }
  if (parsed.description.tracks.empty()) return Error{parsed.ignored.front().reason};
  return parsed;
}

} // namespace sluice::rtsp
