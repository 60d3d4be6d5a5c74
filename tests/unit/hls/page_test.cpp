#include "workers/hls/page/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

using namespace sluice;
using namespace sluice::hls;
using testing::HasSubstr;
using testing::Not;

namespace {

std::string_view text(const PageAsset &asset) {
  return as_text(asset.identity.bytes);
}

const PageAsset *asset_that_begins(std::string_view prefix) {
  for (const auto &asset : page_assets())
    if (asset.file_name.starts_with(prefix)) return &asset;
  return nullptr;
}

TEST(PlayerPage, NamesWhatItLoadsFromBesideItself) {
  const auto page = text(player_page());
  EXPECT_EQ(player_page().content_type, "text/html; charset=utf-8");
  for (const char *prefix : {"player-", "hls-", "licences-"}) {
    const auto *asset = asset_that_begins(prefix);
    ASSERT_NE(asset, nullptr) << prefix;
    EXPECT_THAT(page, HasSubstr("\"" + std::string(asset->file_name) + "\""));
  }
  EXPECT_THAT(page, Not(HasSubstr("{{")));
}

TEST(PlayerPage, AsksNoOtherHost) {
  for (const auto *asset : {&player_page(), asset_that_begins("player-")}) {
    ASSERT_NE(asset, nullptr);
    EXPECT_THAT(text(*asset), Not(HasSubstr("://")));
    EXPECT_THAT(text(*asset), Not(HasSubstr("=\"/")));
  }
}

TEST(PlayerPage, HasNothingInlineThatItsPolicyForbids) {
  EXPECT_THAT(text(player_page()), Not(HasSubstr("<style")));
  EXPECT_THAT(text(player_page()), Not(HasSubstr("style=")));
  EXPECT_THAT(text(player_page()), Not(HasSubstr("<script>")));
}

TEST(PlayerPage, FindsEveryAssetByItsNameAndNothingElse) {
  EXPECT_GE(page_assets().size(), 5u);
  for (const auto &asset : page_assets()) EXPECT_EQ(find_page_asset(asset.file_name), &asset);
  for (const char *name : {"", "index.html", "player.js", "../page.h", "hls.js"})
    EXPECT_EQ(find_page_asset(name), nullptr) << name;
}

TEST(PlayerPage, EveryRepresentationHasAStrongTagOfItsOwn) {
  std::set<std::string_view> tags;
  const auto add = [&](const PageAsset &asset) {
    for (const auto &each : {asset.identity, asset.gzip}) {
      EXPECT_TRUE(tags.insert(each.etag).second) << each.etag;
      EXPECT_TRUE(each.etag.size() > 2 && each.etag.front() == '"' && each.etag.back() == '"') << each.etag;
    }
  };
  add(player_page());
  for (const auto &asset : page_assets()) add(asset);
}

TEST(PlayerPage, GzipHoldsAsManyBytesAsIdentity) {
  const auto check = [](const PageAsset &asset) {
    const auto bytes = asset.gzip.bytes;
    ASSERT_GT(bytes.size(), 18u);
    EXPECT_LT(bytes.size(), asset.identity.bytes.size());
    EXPECT_EQ(load_be32(bytes.data()) >> 8, 0x1f8b08u) << "RFC 1952 section 2.3: gzip, deflate";
    const auto *size = bytes.data() + bytes.size() - 4; // ISIZE, little-endian
    EXPECT_EQ(size[0] | size[1] << 8 | size[2] << 16 | size[3] << 24, static_cast<int>(asset.identity.bytes.size()));
  };
  check(player_page());
  for (const auto &asset : page_assets()) check(asset);
}

TEST(PlayerPage, ComesWithTheLicenceOfWhatItIsBuiltFrom) {
  const auto *licences = asset_that_begins("licences-");
  ASSERT_NE(licences, nullptr);
  EXPECT_THAT(text(*licences), HasSubstr("Dailymotion"));
  EXPECT_THAT(text(*licences), HasSubstr("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"));
}

} // namespace
