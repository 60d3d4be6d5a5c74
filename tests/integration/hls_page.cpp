// Writes the player page, as it is built into executables, into a folder: hls_page DIRECTORY. Each asset is there as
// NAME and NAME.gz. Prints what belongs to all, then the page and each further asset:
//   "header" TAB name TAB value
//   "asset" TAB name TAB content type TAB cache control TAB ETag TAB ETag with gzip
#include "workers/hls/page/page.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

using namespace sluice;

namespace {

bool write(const std::filesystem::path &path, Bytes bytes) {
  std::ofstream file(path, std::ios::binary);
  file << as_text(bytes) << std::flush;
  return file.good();
}

bool put(const std::filesystem::path &folder, const hls::PageAsset &asset, std::string_view cache_control) {
  fmt::print("asset\t{}\t{}\t{}\t{}\t{}\n", asset.file_name, asset.content_type, cache_control, asset.identity.etag,
             asset.gzip.etag);
  const std::string name(asset.file_name);
  return write(folder / name, asset.identity.bytes) && write(folder / (name + ".gz"), asset.gzip.bytes);
}

} // namespace

int main(int count, char **arguments) {
  if (count != 2) return 2;
  for (const auto &[name, value] : hls::kPageHeaders) fmt::print("header\t{}\t{}\n", name, value);
  bool written = put(arguments[1], hls::player_page(), hls::kPageCacheControl);
  for (const auto &asset : hls::page_assets()) written &= put(arguments[1], asset, hls::kPageAssetCacheControl);
  return written ? 0 : 1;
}
