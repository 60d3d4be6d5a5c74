#include "workers/hls/route.h"
#include "workers/hls/verdicts.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

using Kind = Route::Kind;

void expect(std::string_view path, Kind kind, std::string_view stream = {}, std::string_view file = {}) {
  Route route = route_of(path);
  EXPECT_EQ(route.kind, kind) << path;
  EXPECT_EQ(route.stream, stream) << path;
  EXPECT_EQ(route.file, file) << path;
}

TEST(Route, PathsAreStreamsAndFiles) {
  expect("/cam/", Kind::Page, "cam");
  expect("/a/b/c/", Kind::Page, "a/b/c");
  expect("/cam", Kind::Redirect, "cam");
  expect("/cam/index.m3u8", Kind::File, "cam", "index.m3u8");
  expect("/a/b/0123_seg7.ts", Kind::File, "a/b", "0123_seg7.ts");
  expect("/a/b/part1.mp4", Kind::File, "a/b", "part1.mp4");
  expect("/cam/player.js", Kind::File, "cam", "player.js");
}

TEST(Route, NothingIsAtTheRoot) {
  for (const char *path :
       {"", "/", "*", "/favicon.ico", "/index.m3u8", "//index.m3u8", "//host", "//host/", "//host/a/index.m3u8"})
    expect(path, Kind::None);
}

TEST(Verdicts, HoldForAWhileAndForOneAskerOnly) {
  Verdicts verdicts;
  Asker asker{"1.2.3.4", "cam", "a=b", "Basic x"};
  auto key = verdicts.key_of(asker);
  EXPECT_FALSE(verdicts.is_accepted(key, 0));
  verdicts.accept(key, 0);
  EXPECT_TRUE(verdicts.is_accepted(verdicts.key_of(asker), Verdicts::kValid - 1));
  EXPECT_FALSE(verdicts.is_accepted(key, Verdicts::kValid));
  for (Asker other : {Asker{"1.2.3.5", "cam", "a=b", "Basic x"}, Asker{"1.2.3.4", "can", "a=b", "Basic x"},
                      Asker{"1.2.3.4", "cam", "a=", "bBasic x"}, Asker{"1.2.3.4", "cam", "a=b", "Basic y"}})
    EXPECT_FALSE(verdicts.is_accepted(verdicts.key_of(other), 1));
  verdicts.forget_all();
  EXPECT_FALSE(verdicts.is_accepted(key, 1));
}

TEST(Verdicts, OthersCanNotPredictAKey) {
  Asker asker{"1.2.3.4", "cam", "", ""};
  EXPECT_NE(Verdicts().key_of(asker), Verdicts().key_of(asker));
}

} // namespace
} // namespace sluice::hls
