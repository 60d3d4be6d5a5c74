#include "supervisor/config/values.h"

#include "common/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace sluice::config {
namespace {

constexpr size_t kMaxQuotedBytes = 100; // of a wrong value that a message repeats

std::string quoted(std::string_view text) {
  return "'" + printable(text, kMaxQuotedBytes) + "'";
}

template <class E> struct Word {
  std::string_view text;
  E value;
};

// The first word of a value is the one it is written with.
constexpr std::array<Word<LogLevel>, 4> kLogLevels{
    {{"error", LogLevel::Error}, {"warn", LogLevel::Warn}, {"info", LogLevel::Info}, {"debug", LogLevel::Debug}}};
constexpr std::array<Word<Encryption>, 6> kEncryptions{{{"no", Encryption::No},
                                                        {"optional", Encryption::Optional},
                                                        {"strict", Encryption::Strict},
                                                        {"false", Encryption::No},
                                                        {"yes", Encryption::Strict},
                                                        {"true", Encryption::Strict}}};
constexpr std::array<Word<HlsVariant>, 3> kHlsVariants{
    {{"mpegts", HlsVariant::MpegTs}, {"fmp4", HlsVariant::Fmp4}, {"lowLatency", HlsVariant::LowLatency}}};
constexpr std::array<Word<SourceProtocol>, 4> kSourceProtocols{{{"automatic", SourceProtocol::Automatic},
                                                                {"udp", SourceProtocol::Udp},
                                                                {"multicast", SourceProtocol::Multicast},
                                                                {"tcp", SourceProtocol::Tcp}}};
constexpr std::array<Word<ReaderStart>, 2> kReaderStarts{
    {{"live", ReaderStart::Live}, {"keyframe", ReaderStart::Keyframe}}};
constexpr std::array<Word<LogFormat>, 2> kLogFormats{{{"text", LogFormat::Text}, {"json", LogFormat::Json}}};

constexpr std::array<Word<bool Protocols::*>, 3> kTransports{
    {{"udp", &Protocols::udp}, {"multicast", &Protocols::multicast}, {"tcp", &Protocols::tcp}}};
constexpr std::array<Word<bool LogDestinations::*>, 3> kLogDestinations{{{"stdout", &LogDestinations::to_stdout},
                                                                         {"file", &LogDestinations::to_file},
                                                                         {"syslog", &LogDestinations::to_syslog}}};
constexpr std::array<Word<bool AuthMethods::*>, 2> kAuthMethods{
    {{"basic", &AuthMethods::basic}, {"digest", &AuthMethods::digest}}};

template <class E, size_t N> std::string choices(const std::array<Word<E>, N> &words, size_t count = N) {
  std::string text;
  for (size_t i = 0; i < count; i++) {
    if (i > 0) text += i + 1 == count ? " or " : ", ";
    text += words[i].text;
  }
  return text;
}

template <class E, size_t N> const Word<E> *find_word(const std::array<Word<E>, N> &words, std::string_view text) {
  auto word =
      std::find_if(words.begin(), words.end(), [&](const Word<E> &candidate) { return candidate.text == text; });
  return word == words.end() ? nullptr : &*word;
}

// `message` has a {} for the wrong value.
template <class E, size_t N>
Result<void> parse_word(const std::array<Word<E>, N> &words, std::string_view text, E &value,
                        fmt::format_string<std::string> message, size_t advertised = N) {
  const Word<E> *word = find_word(words, text);
  if (word == nullptr)
    return Error{fmt::format("{}; expected {}", fmt::format(message, printable(text, kMaxQuotedBytes)),
                             choices(words, advertised))};
  value = word->value;
  return {};
}

template <class E, size_t N> std::string_view first_word(const std::array<Word<E>, N> &words, E value) {
  for (const Word<E> &word : words)
    if (word.value == value) return word.text;
  return {};
}

template <class Set, size_t N>
Result<void> add_word(const std::array<Word<bool Set::*>, N> &words, std::string_view text, Set &set,
                      std::string_view what) {
  const auto *word = find_word(words, text);
  if (word == nullptr)
    return Error{fmt::format("invalid {}: {}; expected {}", what, printable(text, kMaxQuotedBytes), choices(words))};
  set.*(word->value) = true;
  return {};
}

template <class Set, size_t N>
std::vector<std::string> set_words(const std::array<Word<bool Set::*>, N> &words, const Set &set) {
  std::vector<std::string> items;
  for (const auto &word : words)
    if (set.*(word.value)) items.emplace_back(word.text);
  return items;
}

// The number at the front, removed from `text`: digits with at most one point and at least one digit.
std::optional<double> take_number(std::string_view &text) {
  size_t length = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string_view number = text.substr(0, length);
  if (number.find_first_of("0123456789") == number.npos || std::count(number.begin(), number.end(), '.') > 1)
    return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

struct Unit {
  std::string_view name;
  Nanoseconds nanoseconds;
};
constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", kMicrosecond},
                                      {"\u00b5s", kMicrosecond},
                                      {"\u03bcs", kMicrosecond},
                                      {"ms", kMillisecond},
                                      {"s", kSecond},
                                      {"m", 60 * kSecond},
                                      {"h", 3600 * kSecond}}};

std::optional<Nanoseconds> take_component(std::string_view &text) {
  std::optional<double> number = take_number(text);
  size_t unit_length = std::min(text.find_first_of("0123456789."), text.size());
  std::string_view name = text.substr(0, unit_length);
  auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit &candidate) { return candidate.name == name; });
  if (!number || unit == kUnits.end()) return std::nullopt;
  text.remove_prefix(unit_length);
  double nanoseconds = *number * static_cast<double>(unit->nanoseconds);
  if (nanoseconds > std::ldexp(1.0, 62)) return std::nullopt;
  return std::llround(nanoseconds);
}

std::string decimal(double value, std::string_view unit) {
  std::string text = fmt::format("{:.9f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text.append(unit);
}

} // namespace

Result<void> parse_value(std::string_view text, bool &value) {
  for (auto [word, meaning] : {std::pair("yes", true), {"true", true}, {"no", false}, {"false", false}}) {
    if (!equal_ignoring_case(text, word)) continue;
    value = meaning;
    return {};
  }
  return Error{fmt::format("invalid value {}; expected yes or no", quoted(text))};
}

Result<void> parse_value(std::string_view text, int &value) {
  int parsed = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error == std::errc::result_out_of_range) return Error{fmt::format("the number {} is too large", quoted(text))};
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return Error{fmt::format("invalid value {}; expected a whole number", quoted(text))};
  value = parsed;
  return {};
}

Result<void> parse_value(std::string_view text, Nanoseconds &value) {
  Error error{fmt::format(
      "invalid duration {}; expected numbers with units (ns, us, ms, s, m, h), such as 10s or 1m30s", quoted(text))};
  std::string_view rest = text;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") {
    value = 0;
    return {};
  }
  if (rest.empty()) return error;
  Nanoseconds total = 0;
  while (!rest.empty()) {
    std::optional<Nanoseconds> component = take_component(rest);
    if (!component || *component > std::numeric_limits<Nanoseconds>::max() - total) return error;
    total += *component;
  }
  value = total;
  return {};
}

Result<void> parse_value(std::string_view text, uint64_t &value) {
  constexpr std::string_view kPrefixes = "kmgtpe";
  std::string_view rest = text;
  if (text == "0") {
    value = 0;
    return {};
  }
  std::optional<double> number = take_number(rest);
  std::string unit = lower(rest.substr(0, 4));
  double factor = 0;
  if (unit == "b") factor = 1;
  size_t prefix = unit.empty() ? kPrefixes.npos : kPrefixes.find(unit[0]);
  if (prefix != kPrefixes.npos && (unit.size() == 1 || unit.substr(1) == "b" || unit.substr(1) == "ib"))
    factor = std::ldexp(1.0, 10 * (static_cast<int>(prefix) + 1));
  if (!number || *number <= 0 || factor == 0 || *number * factor < 1 || *number * factor >= std::ldexp(1.0, 63))
    return Error{
        fmt::format("invalid size {}; expected a number with a unit (B, K, M, G, T), such as 50M", quoted(text))};
  value = static_cast<uint64_t>(*number * factor);
  return {};
}

Result<void> parse_value(std::string_view text, std::string &value) {
  value = std::string(text);
  return {};
}

Result<void> parse_value(std::string_view text, LogLevel &value) {
  return parse_word(kLogLevels, text, value, "invalid log level: {}");
}
Result<void> parse_value(std::string_view text, Encryption &value) {
  return parse_word(kEncryptions, text, value, "invalid encryption value: '{}'", 3);
}
Result<void> parse_value(std::string_view text, HlsVariant &value) {
  return parse_word(kHlsVariants, text, value, "invalid hlsVariant value: '{}'");
}
Result<void> parse_value(std::string_view text, SourceProtocol &value) {
  return parse_word(kSourceProtocols, text, value, "invalid protocol '{}'");
}
Result<void> parse_value(std::string_view text, ReaderStart &value) {
  return parse_word(kReaderStarts, text, value, "invalid readerStart value: '{}'");
}
Result<void> parse_value(std::string_view text, LogFormat &value) {
  return parse_word(kLogFormats, text, value, "invalid logFormat value: '{}'");
}

Result<void> add_item(std::string_view text, std::vector<std::string> &value) {
  value.emplace_back(text);
  return {};
}
Result<void> add_item(std::string_view text, Protocols &value) {
  return add_word(kTransports, text, value, "protocol");
}
Result<void> add_item(std::string_view text, LogDestinations &value) {
  return add_word(kLogDestinations, text, value, "log destination");
}
Result<void> add_item(std::string_view text, AuthMethods &value) {
  return add_word(kAuthMethods, text, value, "authentication method");
}

std::string render_value(bool value) {
  return value ? "yes" : "no";
}
std::string render_value(int value) {
  return std::to_string(value);
}

// As Go writes them: 1h0m0s, 1m30s, 10s, 200ms.
std::string render_value(Nanoseconds value) {
  if (value == 0) return "0s";
  if (value < kMicrosecond) return fmt::format("{}ns", value);
  if (value < kMillisecond) return decimal(static_cast<double>(value) / kMicrosecond, "us");
  if (value < kSecond) return decimal(static_cast<double>(value) / kMillisecond, "ms");
  Nanoseconds minutes = value / (60 * kSecond);
  Nanoseconds rest = value % (60 * kSecond);
  std::string text =
      rest % kSecond == 0 ? fmt::format("{}s", rest / kSecond) : decimal(static_cast<double>(rest) / kSecond, "s");
  if (minutes >= 60) return fmt::format("{}h{}m{}", minutes / 60, minutes % 60, text);
  return minutes > 0 ? fmt::format("{}m{}", minutes, text) : text;
}

std::string render_value(uint64_t value) {
  if (value == 0) return "0";
  size_t unit = 0;
  double number = static_cast<double>(value);
  for (; number >= 1024; unit++) number /= 1024;
  std::string text = fmt::format("{:.1f}", number);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + std::string_view("BKMGTPE")[unit];
}

std::string render_value(const std::string &value) {
  return yaml_string(value);
}

std::string render_value(const std::vector<std::string> &value) {
  std::vector<std::string> items;
  items.reserve(value.size());
  for (const std::string &item : value) items.push_back(yaml_string(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string_view word_of(LogLevel value) {
  return first_word(kLogLevels, value);
}
std::string_view word_of(Encryption value) {
  return first_word(kEncryptions, value);
}
std::string_view word_of(HlsVariant value) {
  return first_word(kHlsVariants, value);
}
std::string_view word_of(SourceProtocol value) {
  return first_word(kSourceProtocols, value);
}
std::string_view word_of(ReaderStart value) {
  return first_word(kReaderStarts, value);
}
std::string_view word_of(LogFormat value) {
  return first_word(kLogFormats, value);
}

std::vector<std::string> words_of(const Protocols &value) {
  return set_words(kTransports, value);
}
std::vector<std::string> words_of(const LogDestinations &value) {
  return set_words(kLogDestinations, value);
}
std::vector<std::string> words_of(const AuthMethods &value) {
  return set_words(kAuthMethods, value);
}

} // namespace sluice::config
