#include "common/http/conditional.h"

#include "common/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace sluice::http {
namespace {

std::string_view opaque_tag(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// A list of quoted tags, which may hold commas.
bool lists_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    size_t begin = list.find('"');
    if (begin == list.npos) return false;
    size_t end = list.find('"', begin + 1);
    if (end == list.npos) return false;
    if (list.substr(begin, end - begin + 1) == opaque_tag(tag)) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

struct Range {
  uint64_t first = 0, last = 0; // both included
};

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Empty: no single range. `first` beyond `last`: there is nothing in it.
std::optional<Range> parse_range(std::string_view text, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (text.size() < kUnit.size() || !equal_ignoring_case(text.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  text = trim(text.substr(kUnit.size()));
  size_t dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  std::string_view begin = text.substr(0, dash), end = text.substr(dash + 1);
  if (begin.empty()) {
    auto suffix = number_of(end);
    if (!suffix) return std::nullopt;
    if (*suffix == 0 || size == 0) return Range{1, 0};
    return Range{size - std::min(*suffix, size), size - 1};
  }
  auto first = number_of(begin);
  auto last = end.empty() ? std::optional<uint64_t>(UINT64_MAX) : number_of(end);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return Range{1, 0};
  return Range{*first, std::min(*last, size - 1)};
}

bool holds_if_range(const Request &request, const Response &response) {
  const std::string *wanted = request.headers.find("If-Range");
  if (wanted == nullptr) return true;
  bool is_tag = wanted->starts_with('"');
  const std::string *is = response.headers.find(is_tag ? "ETag" : "Last-Modified");
  return is != nullptr && *is == *wanted;
}

} // namespace

bool answer_not_modified(const Request &request, Response &response) {
  if (response.status != 200 || (request.method != "GET" && request.method != "HEAD")) return false;
  const std::string *wanted = request.headers.find("If-None-Match");
  const std::string *tag = response.headers.find("ETag");
  if (wanted == nullptr || (trim(*wanted) != "*" && (tag == nullptr || !lists_tag(*wanted, *tag)))) return false;
  response.status = 304;
  response.body = {};
  return true;
}

void answer_range(const Request &request, Response &response) {
  if (response.status != 200) return;
  response.headers.add("Accept-Ranges", "bytes");
  const std::string *wanted = request.method == "GET" ? request.headers.find("Range") : nullptr;
  if (wanted == nullptr || !holds_if_range(request, response)) return;
  uint64_t size = response.body.size();
  auto range = parse_range(*wanted, size);
  if (!range) return;
  if (range->first > range->last) {
    response.status = 416;
    response.headers.add("Content-Range", fmt::format("bytes */{}", size));
    response.body = {};
    return;
  }
  response.status = 206;
  response.headers.add("Content-Range", fmt::format("bytes {}-{}/{}", range->first, range->last, size));
  response.body = response.body.part(range->first, range->last - range->first + 1);
}

} // namespace sluice::http
