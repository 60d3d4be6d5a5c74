#include "workers/hls/page/page.h"

#include "workers/hls/page/assets.h"

#include <algorithm>

namespace sluice::hls {

const PageAsset &player_page() {
  return built_in_assets().back();
}

std::span<const PageAsset> page_assets() {
  const auto all = built_in_assets();
  return all.first(all.size() - 1);
}

const PageAsset *find_page_asset(std::string_view file_name) {
  const auto all = page_assets();
  const auto found = std::ranges::find(all, file_name, &PageAsset::file_name);
  return found == all.end() ? nullptr : &*found;
}

} // namespace sluice::hls
