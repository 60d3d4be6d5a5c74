// The player page of a stream, at /<path>/, and what it loads from beside itself: constant data of the executable, made
// by the build of this folder's files and hls.js (assemble.mjs). All URLs in it are relative, so that it may lie at any
// path and behind any proxy; it asks for /<path>/index.m3u8 with its own query, and with the user and password that it
// has asked for as HTTP Basic after a 401. It has to be served without any itself.
//
// Serve with each: Content-Type, ETag, Cache-Control, Vary: Accept-Encoding and the headers of kPageHeaders.
#pragma once

#include "common/base/bytes.h"

#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace sluice::hls {

struct PageRepresentation {
  std::string_view etag; // strong, with its quotes; a digest of the content
  Bytes bytes;
};

struct PageAsset {
  std::string_view file_name; // without folder
  std::string_view content_type;
  PageRepresentation identity;
  PageRepresentation gzip; // for Content-Encoding: gzip
};

// Of the page, which names the newest of everything else; of all else, whose names hold a digest of the content.
constexpr std::string_view kPageCacheControl = "no-cache";
constexpr std::string_view kPageAssetCacheControl = "public, max-age=31536000, immutable";

// Nothing from another host, nothing inline; media from memory (MSE) or, with native HLS, from here; any site may frame
// it. The page's query may hold credentials: they are to stay out of Referer.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPageHeaders = {{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; "
     "worker-src 'self' blob:; img-src data:; base-uri 'none'; form-action 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
}};

const PageAsset &player_page();
// What the page loads, by its file name; null: there is none of that name. Never the page.
const PageAsset *find_page_asset(std::string_view file_name);
std::span<const PageAsset> page_assets(); // all that find_page_asset() finds

} // namespace sluice::hls
