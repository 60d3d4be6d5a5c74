#include "supervisor/logs/repetitions.h"

#include <utility>

namespace sluice::logs {
namespace {

// FNV-1a over what is the same in all lines of a kind; never 0.
uint64_t kind_hash(std::string_view message) {
  uint64_t hash = 14695981039346656037U;
  auto take = [&](char c) { hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211U; };
  bool quoted = false, in_brackets = false, of_client = false; // within […], [conn …] or [session …]
  char before = ' ';
  for (size_t i = 0; i < message.size(); i++) {
    char c = message[i];
    std::string_view rest = message.substr(i);
    if (c == '[') {
      in_brackets = true;
      of_client = rest.starts_with("[conn ") || rest.starts_with("[session ");
    }
    if (c == ']') in_brackets = of_client = false;
    if (c == '\'') quoted = !quoted && before == ' ';
    before = c;
    bool number = c >= '0' && c <= '9' && !in_brackets;
    if (!number && !of_client && !quoted) take(c);
  }
  return hash == 0 ? 1 : hash;
}

} // namespace

// Its entry, a new one if need be, in place of the kind that is the least of a flood; null: all are floods.
Repetitions::Kind *Repetitions::find(uint64_t hash, Nanoseconds now) {
  Kind *least = nullptr;
  auto weight = [now](const Kind &kind) { return now - kind.began >= kSecond ? 0 : kind.lines; };
  for (Kind &kind : kinds_) {
    if (kind.hash == hash) return &kind;
    if (kind.omitted == 0 && (least == nullptr || weight(kind) < weight(*least))) least = &kind;
  }
  if (least != nullptr) *least = Kind{.hash = hash, .began = now};
  return least;
}

bool Repetitions::admit(LogLevel level, std::string_view message, Nanoseconds now) {
  Kind *kind = find(kind_hash(message), now);
  if (kind == nullptr) return true;
  if (now - kind->began >= kSecond && kind->omitted == 0) {
    kind->began = now;
    kind->lines = 0;
  }
  if (kind->lines < kLinesPerSecond) {
    kind->lines++;
    return true;
  }
  if (kind->omitted++ == 0) held_back_++;
  kind->level = level;
  kind->last = message.substr(0, kMaxLogLineBytes);
  return false;
}

std::vector<Repetitions::Summary> Repetitions::take_due(Nanoseconds now) {
  std::vector<Summary> due;
  if (held_back_ == 0) return due;
  for (Kind &kind : kinds_) {
    if (kind.omitted == 0 || now - kind.began < kSecond) continue;
    std::string text = std::move(kind.last);
    if (kind.omitted > 1) text += fmt::format(" (… {} more like this)", kind.omitted - 1);
    due.push_back({kind.level, std::move(text)});
    kind = {};
    held_back_--;
  }
  return due;
}

} // namespace sluice::logs
