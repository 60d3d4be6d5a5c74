#include "common/http/response.h"

#include "common/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::http {
namespace {

constexpr std::pair<uint16_t, std::string_view> kReasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

} // namespace

bool can_be_sent(const Response &response) {
  const auto &headers = response.headers.all();
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(headers.begin(), headers.end(),
                     [](const Header &header) { return is_token(header.name) && is_header_value(header.value); });
}

bool is_framing(std::string_view name) {
  switch (name.size()) { // of most names that is all there is to look at
  case sizeof("Connection") - 1:
    return equal_ignoring_case(name, "Connection");
  case sizeof("Content-Length") - 1:
    return equal_ignoring_case(name, "Content-Length");
  case sizeof("Transfer-Encoding") - 1:
    return equal_ignoring_case(name, "Transfer-Encoding");
  }
  return false;
}

bool serialise(Response response, const Framing &framing, OutputQueue &output, uint64_t owner) {
  if (!can_be_sent(response)) response = Response{.status = 500, .close = response.close};
  std::string &head = output.text();
  auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value) += "\r\n";
  };
  auto add_number = [&](uint64_t number, std::string_view behind) {
    fmt::format_int digits(number);
    head.append(digits.data(), digits.size()) += behind;
  };
  head += "HTTP/1.1 ";
  add_number(response.status, " ");
  head.append(reason_phrase(response.status)) += "\r\n";
  if (framing.date) add("Date", cached_date(*framing.date));
  bool names_server = !framing.server.empty() && is_header_value(framing.server);
  if (names_server) add("Server", framing.server);
  for (const Header &header : response.headers.all()) {
    bool written = is_framing(header.name) || (framing.date && equal_ignoring_case(header.name, "Date")) ||
                   (names_server && equal_ignoring_case(header.name, "Server"));
    if (!written) add(header.name, trim(header.value));
  }
  bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) {
    head += "Content-Length: ";
    add_number(response.body.size(), "\r\n");
  }
  bool keep_alive = framing.keep_alive && !response.close;
  if (!keep_alive) add("Connection", "close");
  if (keep_alive && framing.minor_version == 0) add("Connection", "keep-alive");
  head += "\r\n";
  return bodiless || framing.head_only || output.append(std::move(response.body), owner);
}

std::string_view reason_phrase(uint16_t status) {
  const auto *found = std::find_if(std::begin(kReasons), std::end(kReasons),
                                   [&](const auto &reason) { return reason.first == status; });
  return found == std::end(kReasons) ? std::string_view() : found->second;
}

std::string_view cached_date(Nanoseconds since_1970) {
  thread_local Nanoseconds of_second = -1;
  thread_local std::string text;
  Nanoseconds second = since_1970 / kSecond;
  if (second != of_second) {
    text = format_date(since_1970);
    of_second = second;
  }
  return text;
}

// The civil date from the days since 1970, in years that begin in March: the leap day comes last.
std::string format_date(Nanoseconds since_1970) {
  constexpr std::string_view kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr int64_t kDaysOfEra = 146097; // 400 years
  int64_t seconds = std::max<int64_t>(since_1970, 0) / kSecond;
  int64_t days = seconds / 86400, of_day = seconds % 86400;
  int64_t since_era = days + 719468; // days since 0000-03-01
  int64_t day_of_era = since_era % kDaysOfEra;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_from_march = (5 * day_of_year + 2) / 153;
  int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  int64_t month = (month_from_march + 2) % 12;
  int64_t year = since_era / kDaysOfEra * 400 + year_of_era + (month < 2 ? 1 : 0);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[days % 7], day, kMonths[month], year,
                     of_day / 3600, of_day / 60 % 60, of_day % 60);
}

} // namespace sluice::http
