#include "supervisor/logs/json_line.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

namespace sluice::logs {
namespace {

constexpr size_t kMaxMemberBytes = 400; // of a value other than the message; a path's name has 200 at most

struct Member {
  std::string_view name, value;
};

std::string_view word_of(LogLevel level) {
  switch (level) {
  case LogLevel::Debug:
    return "debug";
  case LogLevel::Info:
    return "info";
  case LogLevel::Warn:
    return "warn";
  case LogLevel::Error:
    return "error";
  }
  return "error";
}

std::string local_time(Nanoseconds wall_time) {
  time_t seconds = wall_time / kSecond;
  tm local{};
  localtime_r(&seconds, &local);
  long offset_minutes = local.tm_gmtoff / 60;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{}{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, wall_time % kSecond / kMillisecond,
                     offset_minutes < 0 ? '-' : '+', std::abs(offset_minutes) / 60, std::abs(offset_minutes) % 60);
}

bool is_worker(std::string_view text) {
  size_t dash = text.find('-');
  if (dash == text.npos || dash + 1 == text.size()) return false;
  std::string_view protocol = text.substr(0, dash), number = text.substr(dash + 1);
  return (protocol == "rtsp" || protocol == "rtmp" || protocol == "hls") &&
         std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
}

// What the text in a pair of brackets says; nothing if it is not one of our prefixes.
std::optional<Member> member_of(std::string_view text) {
  if (text.ends_with(" source") && text.find(' ') == text.size() - 7)
    return Member{"source", text.substr(0, text.size() - 7)};
  for (std::string_view name : {"conn", "session", "path", "muxer"})
    if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == ' ')
      return Member{name, text.substr(name.size() + 1)};
  if (is_worker(text)) return Member{"worker", text};
  bool word = !text.empty() &&
              std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  if (word) return Member{"component", text};
  return std::nullopt;
}

// Takes "[…] " from the front of `message`.
std::optional<Member> take_prefix(std::string_view &message) {
  size_t end = message.find(']');
  if (!message.starts_with('[') || end == message.npos || end + 1 >= message.size() || message[end + 1] != ' ')
    return std::nullopt;
  auto member = member_of(message.substr(1, end - 1));
  if (member) message.remove_prefix(end + 2);
  return member;
}

// A quoted string of at most `limit` bytes, shortened between characters. printable() leaves nothing but quotes and
// backslashes to escape.
std::string quoted(std::string_view text, size_t limit) {
  for (size_t shown = limit - 2;; shown = shown * 3 / 4) {
    std::string result = "\"";
    for (char c : printable(text, shown)) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    result += '"';
    if (result.size() <= limit) return result;
  }
}

} // namespace

std::string format_json_line(LogLevel level, Nanoseconds wall_time, std::string_view message) {
  constexpr std::string_view kMessage = ",\"message\":", kEnd = "}\n";
  constexpr size_t kMaxPrefixes = 4;
  std::string line = fmt::format(R"({{"time":"{}","level":"{}")", local_time(wall_time), word_of(level));
  std::array<std::string_view, kMaxPrefixes> names;
  for (size_t i = 0; i < kMaxPrefixes; i++) {
    std::string_view rest = message;
    auto member = take_prefix(rest);
    if (!member || std::ranges::find(names, member->name) != names.end()) break; // the rest is text
    names[i] = member->name;
    message = rest;
    line += fmt::format(",\"{}\":{}", member->name, quoted(member->value, kMaxMemberBytes));
  }
  line += kMessage;
  line += quoted(message, kMaxLogLineBytes - line.size() - kEnd.size());
  line += kEnd;
  return line;
}

} // namespace sluice::logs
