#include "workers/hls/route.h"

#include <algorithm>
#include <array>

namespace sluice::hls {
namespace {

bool is_file(std::string_view name) {
  constexpr std::array kEndings = std::to_array<std::string_view>({".m3u8", ".ts", ".mp4", ".js", ".css", ".txt"});
  return std::any_of(kEndings.begin(), kEndings.end(), [&](auto ending) { return name.ends_with(ending); });
}

} // namespace

Route route_of(std::string_view path) {
  if (!path.starts_with('/') || path == "/" || path == "/favicon.ico") return {};
  path.remove_prefix(1);
  if (path.starts_with('/')) return {}; // no path's name; as a reference it would name a host
  if (path.ends_with('/')) return {Route::Kind::Page, std::string(path.substr(0, path.size() - 1)), {}};
  if (!is_file(path)) return {Route::Kind::Redirect, std::string(path), {}};
  size_t slash = path.rfind('/');
  if (slash == path.npos || slash == 0) return {};
  return {Route::Kind::File, std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

} // namespace sluice::hls
