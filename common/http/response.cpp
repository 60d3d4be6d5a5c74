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

bool can_be_sent(const Response &response) {
  const auto &headers = response.headers.all();
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(headers.begin(), headers.end(),
                     [](const Header &header) { return is_token(header.name) && is_header_value(header.value); });
}

// Headers that say how the message is framed, or that the server writes itself.
bool is_ours(std::string_view name, const Framing &framing) {
  return equal_ignoring_case(name, "Content-Length") || equal_ignoring_case(name, "Transfer-Encoding") ||
         equal_ignoring_case(name, "Connection") || (!framing.server.empty() && equal_ignoring_case(name, "Server")) ||
         (framing.date && equal_ignoring_case(name, "Date"));
}

} // namespace

Serialised serialise(Response response, const Framing &framing) {
  if (!can_be_sent(response)) {
    response = Response{.status = 500, .close = response.close};
  }
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value) += "\r\n";
  };
  if (framing.date) add("Date", format_date(*framing.date));
  if (!framing.server.empty() && is_header_value(framing.server)) add("Server", framing.server);
  for (const Header &header : response.headers.all()) {
    if (!is_ours(header.name, framing)) add(header.name, trim(header.value));
  }
  bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) add("Content-Length", std::to_string(response.body.size()));
  bool keep_alive = framing.keep_alive && !response.close;
  if (!keep_alive) add("Connection", "close");
  if (keep_alive && framing.minor_version == 0) add("Connection", "keep-alive");
  head += "\r\n";
  return {std::move(head), bodiless || framing.head_only ? std::string() : std::move(response.body)};
}

std::string_view reason_phrase(uint16_t status) {
  const auto *found = std::find_if(std::begin(kReasons), std::end(kReasons),
                                   [&](const auto &reason) { return reason.first == status; });
  return found == std::end(kReasons) ? std::string_view() : found->second;
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
