#include "workers/hls/playlist/attributes.h"

#include "common/base/text.h"

#include <algorithm>
#include <charconv>

namespace sluice::hls {

namespace {

constexpr int64_t kFirstYear = 1970, kEndOfYears = 2200;

// Takes exactly `count` digits from the front.
std::optional<int64_t> take_digits(std::string_view &text, size_t count) {
  if (text.size() < count) return std::nullopt;
  auto value = parse_decimal(text.substr(0, count));
  if (!value) return std::nullopt;
  text.remove_prefix(count);
  return static_cast<int64_t>(*value);
}

bool take(std::string_view &text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// The digits behind a decimal point, as nanoseconds; those beyond nine are cut.
Nanoseconds take_fraction(std::string_view &text) {
  Nanoseconds value = 0, unit = kSecond / 10;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    value += unit * (text[0] - '0');
    unit /= 10;
    text.remove_prefix(1);
  }
  return value;
}

bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Since 1970; empty when there is no such day.
std::optional<int64_t> days_until(int64_t year, int64_t month, int64_t day) {
  if (year < kFirstYear || year >= kEndOfYears || month < 1 || month > 12) return std::nullopt;
  const int64_t lengths[] = {31, is_leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (day < 1 || day > lengths[month - 1]) return std::nullopt;
  int64_t days = day - 1;
  for (int64_t past = kFirstYear; past < year; past++) days += is_leap(past) ? 366 : 365;
  for (int64_t past = 1; past < month; past++) days += lengths[past - 1];
  return days;
}

// "Z", "+08:00", "-0330", "+08", or nothing: seconds east of UTC.
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  int64_t sign = text[0] == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  auto hours = take_digits(text, 2);
  take(text, ':');
  auto minutes = text.empty() ? std::optional<int64_t>(0) : take_digits(text, 2);
  if (!hours || !minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

} // namespace

Attributes::Attributes(std::string_view list) {
  while (!list.empty() && all_.size() < kMaxAttributes) {
    size_t equals = list.find('=');
    if (equals == std::string_view::npos) return;
    Attribute attribute{trim(list.substr(0, equals)), {}};
    list.remove_prefix(equals + 1);
    if (take(list, '"')) {
      size_t quote = list.find('"');
      if (quote == std::string_view::npos) return;
      attribute.value = list.substr(0, quote);
      list.remove_prefix(quote + 1);
      list.remove_prefix(std::min(list.find(','), list.size()));
    } else {
      std::string_view value = list.substr(0, list.find(','));
      attribute.value = trim(value);
      list.remove_prefix(value.size());
    }
    take(list, ',');
    all_.push_back(attribute);
  }
}

std::optional<std::string_view> Attributes::find(std::string_view name) const {
  for (const Attribute &attribute : all_) {
    if (attribute.name == name) return attribute.value;
  }
  return std::nullopt;
}

std::optional<uint64_t> parse_decimal(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Nanoseconds> parse_duration(std::string_view text) {
  std::string_view whole = text.substr(0, text.find('.'));
  std::string_view fraction = text.substr(whole.size());
  auto seconds = whole.empty() && fraction.size() > 1 ? std::optional<uint64_t>(0) : parse_decimal(whole);
  if (!seconds || *seconds > kMaxDuration / kSecond) return std::nullopt;
  take(fraction, '.');
  Nanoseconds duration = static_cast<Nanoseconds>(*seconds) * kSecond + take_fraction(fraction);
  if (!fraction.empty() || duration > kMaxDuration) return std::nullopt;
  return duration;
}

std::optional<Nanoseconds> parse_date_time(std::string_view text) {
  auto year = take_digits(text, 4);
  bool well_formed = take(text, '-');
  auto month = take_digits(text, 2);
  well_formed = take(text, '-') && well_formed;
  auto day = take_digits(text, 2);
  well_formed = (take(text, 'T') || take(text, 't') || take(text, ' ')) && well_formed;
  auto hour = take_digits(text, 2);
  well_formed = take(text, ':') && well_formed;
  auto minute = take_digits(text, 2);
  well_formed = take(text, ':') && well_formed;
  auto second = take_digits(text, 2);
  if (!well_formed || !year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  Nanoseconds fraction = take(text, '.') || take(text, ',') ? take_fraction(text) : 0;
  auto days = days_until(*year, *month, *day);
  auto offset = parse_offset(text);
  if (!days || !offset) return std::nullopt;
  return ((*days * 24 + *hour) * 3600 + *minute * 60 + *second - *offset) * kSecond + fraction;
}

} // namespace sluice::hls
