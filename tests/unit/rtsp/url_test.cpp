#include "workers/rtsp/protocol/url.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

Url url_of(std::string_view text) {
  Result<Url> url = parse_url(text);
  EXPECT_TRUE(url.has_value()) << text;
  return url ? *url : Url{};
}

TEST(Url, IsTakenApart) {
  Url url = url_of("rtsps://user:p@ss@[fe80::1%25eth0]:322/a/b?x=1&y=/2");
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.userinfo, "user:p@ss");
  EXPECT_EQ(url.host, "[fe80::1%25eth0]");
  EXPECT_EQ(url.port, 322);
  EXPECT_EQ(url.path, "/a/b");
  EXPECT_EQ(url.query, "x=1&y=/2");
  EXPECT_EQ(url.path_and_query(), "a/b?x=1&y=/2");
  EXPECT_EQ(url.origin(), "rtsps://user:p@ss@[fe80::1%25eth0]:322");
}

TEST(Url, GivesItsTextBack) {
  for (std::string_view text : {"rtsp://h", "rtsp://h/", "rtsp://h:8554/p?", "rtsp://h?q", "rtsp://u@h/p/?a?b",
                                "rtsps://[::1]/p", "rtsp://1.2.3.4:65535/p"}) {
    EXPECT_EQ(url_of(text).text(), text);
  }
  EXPECT_EQ(url_of("RTSP://Host/P").text(), "rtsp://Host/P");
  EXPECT_EQ(url_of("rtsp://h").path_and_query(), std::nullopt);
  EXPECT_EQ(url_of("rtsp://h/").path_and_query(), "");
}

TEST(Url, IsRefusedWhenMalformed) {
  for (std::string_view text : {"", "rtsp", "rtsp:/h/p", "http://h/p", "rtsp://", "rtsp:///p", "rtsp://h:/p#f",
                                "rtsp://h:65536/", "rtsp://h:x/", "rtsp://[::1/p", "rtsp://[]/p", "rtsp://[::1]x/p",
                                "rtsp://h h/p", "rtsp://h/p\t", "rtsp://h<x>/p"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
}

TEST(Url, TruncatedAnywhereIsUrlOrError) {
  std::string_view text = "rtsp://user:pass@[::1]:8554/a/b?x=1/trackID=1";
  for (size_t size = 0; size < text.size(); size++) {
    Result<Url> url = parse_url(text.substr(0, size));
    if (!url) continue;
    EXPECT_EQ(url_of(url->text()), *url);
  }
}

TEST(PathName, IsRefusedWithAReason) {
  auto error_of = [](std::string_view name) {
    Result<void> result = check_path_name(name);
    return result ? "" : result.error().message;
  };
  EXPECT_EQ(error_of("a/B-0_.~"), "");
  EXPECT_EQ(error_of(""), "invalid path name: cannot be empty ()");
  EXPECT_EQ(error_of("/a"), "invalid path name: can't begin with a slash (/a)");
  EXPECT_EQ(error_of("a/"), "invalid path name: can't end with a slash (a/)");
  EXPECT_EQ(error_of("a b"), "invalid path name: can contain only alphanumeric characters, underscore, dot, tilde, "
                             "minus or slash (a b)");
  EXPECT_NE(error_of("a\xc3\xa4"), "");
}

TEST(PlayTarget, IsTheLastTrackId) {
  struct Case {
    std::string_view url;
    uint32_t track;
    std::string_view path, query;
  };
  for (const Case &one : {
           Case{"rtsp://h/p/trackID=0", 0, "p", ""},
           Case{"rtsp://h/a/b/trackID=12", 12, "a/b", ""},
           Case{"rtsp://h/p/trackID=1/", 1, "p", ""},
           Case{"rtsp://h/p?k=v/trackID=1", 1, "p", "k=v"},
           Case{"rtsp://h/p/trackID=1?k=v", 1, "p", "k=v"},
           Case{"rtsp://h/p/trackID=1?k=v/", 1, "p", "k=v"},
           Case{"rtsp://h/trackID=5/trackID=1", 1, "trackID=5", ""},
           Case{"rtsp://h/p/", 0, "p", ""},
           Case{"rtsp://h/p?k=v/", 0, "p", "k=v"},
       }) {
    Result<PlayTarget> target = parse_play_target(url_of(one.url));
    ASSERT_TRUE(target.has_value()) << one.url;
    EXPECT_EQ(target->track, one.track) << one.url;
    EXPECT_EQ(target->path, one.path) << one.url;
    EXPECT_EQ(target->query, one.query) << one.url;
  }
}

TEST(PlayTarget, IsRefusedWithAReason) {
  auto error_of = [](std::string_view text) {
    Result<PlayTarget> target = parse_play_target(url_of(text));
    return target ? "" : target.error().message;
  };
  EXPECT_EQ(error_of("rtsp://h"), "invalid path");
  EXPECT_TRUE(error_of("rtsp://h/p").starts_with("path of a SETUP request must end with a slash"));
  EXPECT_EQ(error_of("rtsp://h/p/trackID="), "unable to parse track ID (p/trackID=)");
  EXPECT_EQ(error_of("rtsp://h/p/trackID=-1"), "unable to parse track ID (p/trackID=-1)");
  EXPECT_EQ(error_of("rtsp://h/p/trackID=1x"), "unable to parse track ID (p/trackID=1x)");
  EXPECT_EQ(error_of("rtsp://h/p/trackID=4294967296"), "unable to parse track ID (p/trackID=4294967296)");
}

TEST(ControlUrl, IsRelativeToTheWholeBaseOrAbsolute) {
  Url base = url_of("rtsp://h:8554/p");
  Url with_query = url_of("rtsp://h/p?k=v");
  EXPECT_EQ(control_path_and_query(base, "streamid=0"), "p/streamid=0");
  EXPECT_EQ(control_path_and_query(url_of("rtsp://h/p/"), "streamid=0"), "p/streamid=0");
  EXPECT_EQ(control_path_and_query(with_query, "streamid=0"), "p?k=v/streamid=0");
  EXPECT_EQ(control_path_and_query(base, "?ctype=video"), "p?ctype=video");
  EXPECT_EQ(control_path_and_query(base, ""), "p");
  EXPECT_EQ(control_path_and_query(base, "*"), "p");
  EXPECT_EQ(control_path_and_query(base, "rtsp://other/p/x"), "p/x");
  EXPECT_EQ(control_path_and_query(base, "rtsp://other"), std::nullopt);
  EXPECT_EQ(control_path_and_query(base, "a b"), std::nullopt);
}

} // namespace
} // namespace sluice::rtsp
