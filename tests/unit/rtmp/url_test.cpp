#include "workers/rtmp/protocol/url.h"

#include <gtest/gtest.h>

namespace sluice::rtmp {
namespace {

PathAndQuery of(std::string path, std::string query) {
  return {std::move(path), std::move(query)};
}

TEST(PathAndQuery, JoinsAppAndStream) {
  EXPECT_EQ(path_and_query("live", "cam"), of("live/cam", ""));
  EXPECT_EQ(path_and_query("live", "cam?user=u&pass=p"), of("live/cam", "user=u&pass=p"));
  EXPECT_EQ(path_and_query("a/b", "c/d"), of("a/b/c/d", ""));
  EXPECT_EQ(path_and_query("app", "/name/"), of("app/name", ""));
  EXPECT_EQ(path_and_query("app/", "name"), of("app/name", ""));
}

// OBS with a server of rtmp://host and a stream key, or one of rtmp://host/name and none.
TEST(PathAndQuery, DoesWithoutAnAppOrAStream) {
  EXPECT_EQ(path_and_query("", "mystream?user=u"), of("mystream", "user=u"));
  EXPECT_EQ(path_and_query("mystream", ""), of("mystream", ""));
  EXPECT_EQ(path_and_query("mystream", "?user=u"), of("mystream", "user=u"));
  EXPECT_EQ(path_and_query("", ""), of("", ""));
  EXPECT_EQ(path_and_query("///", "//"), of("", ""));
}

TEST(PathAndQuery, FindsAQueryInTheApp) {
  EXPECT_EQ(path_and_query("live?user=u&pass=p", "cam"), of("live/cam", "user=u&pass=p"));
  EXPECT_EQ(path_and_query("live?a=1", "cam?b=2"), of("live/cam", "b=2&a=1"));
  EXPECT_EQ(path_and_query("mystream?a=/b/", ""), of("mystream", "a=/b/"));
}

TEST(TcUrl, HasASchemeAndAHost) {
  for (const char *text :
       {"rtmp://host", "rtmp://host:1935/app", "rtmps://[::1]:1936/a", "rtmp://u:p@host/", "x://h?q"})
    EXPECT_TRUE(is_valid_tc_url(text)) << text;
  for (const char *text : {"", "host/app", "://host", "rtmp://", "rtmp:///app", "rtmp://:1935/app", "/rtmp://host",
                           "rtmp://u:p@/", "rtmp://[::1/app"})
    EXPECT_FALSE(is_valid_tc_url(text)) << text;
}

TEST(Url, IsTakenApartAsFfmpegDoes) {
  struct Case {
    const char *text, *app, *stream;
  };
  for (const Case &c : {Case{"rtmp://h/app/stream", "app", "stream"}, Case{"rtmp://h/a/b/c", "a/b", "c"},
                        Case{"rtmp://h/a/b/c/d", "a/b", "c/d"}, Case{"rtmp://h/stream", "stream", ""},
                        Case{"rtmp://h/app/s?x=/y&z", "app", "s?x=/y&z"}, Case{"rtmp://h/s?x", "s?x", ""},
                        Case{"rtmp://h/app/", "app", ""}}) {
    auto url = parse_url(c.text);
    ASSERT_TRUE(url) << c.text;
    EXPECT_EQ(url->app, c.app) << c.text;
    EXPECT_EQ(url->stream, c.stream) << c.text;
  }
}

TEST(Url, HasHostPortAndUserinfo) {
  auto url = parse_url("rtmps://us%40er:pa:ss@[fe80::1]:1936/app/stream");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "[fe80::1]");
  EXPECT_EQ(url->port, 1936);
  EXPECT_EQ(url->userinfo, "us%40er:pa:ss");
  EXPECT_EQ(url->tc_url(), "rtmps://[fe80::1]:1936/app");
  EXPECT_EQ(parse_url("rtmp://h/app?q")->tc_url(), "rtmp://h/app");
}

TEST(Url, IsTheTextThatItWas) {
  for (const char *text : {"rtmp://h/a", "rtmps://u:p@h:1936/a/b/c?d", "rtmp://[::1]/a?q"})
    EXPECT_EQ(parse_url(text)->text(), text);
  EXPECT_EQ(parse_tc_url("rtmp://h/a/b", "s?k")->text(), "rtmp://h/a/b/s?k");
  EXPECT_EQ(parse_tc_url("rtmp://h/a/b/c", "s")->app, "a/b/c");
  EXPECT_FALSE(parse_tc_url("rtmp://h", "s"));
}

TEST(Url, MayNotBeAnythingElse) {
  for (const char *text : {"", "rtsp://h/a", "rtmp://", "rtmp:///a", "rtmp://h", "rtmp://h/", "rtmp://h:0/a",
                           "rtmp://h:99999/a", "rtmp://h:x/a", "rtmp://h/a b", "rtmp://h/a\n", "rtmp://[::1/a"})
    EXPECT_FALSE(parse_url(text)) << text;
  EXPECT_FALSE(parse_url("rtmp://h/" + std::string(kMaxUrlBytes, 'a')));
}

TEST(StreamRequest, HasTheUserinfoInItsQuery) {
  auto request = [](const char *text) {
    StreamRequest result = stream_request(*parse_url(text));
    return result.app + " " + result.stream;
  };
  EXPECT_EQ(request("rtmp://h/app/s"), "app s");
  EXPECT_EQ(request("rtmp://u:p@h/app/s"), "app s?user=u&pass=p");
  EXPECT_EQ(request("rtmp://u:p@h/app/s?x=1"), "app s?x=1&user=u&pass=p");
  EXPECT_EQ(request("rtmp://u:p@h/s"), "s?user=u&pass=p ");
  EXPECT_EQ(request("rtmp://u@h/app/s"), "app s?user=u&pass=");
  EXPECT_EQ(request("rtmp://u%40:p&=+q@h/app/s"), "app s?user=u%40&pass=p%26%3D%2Bq");
  EXPECT_EQ(request("rtmp://u:p@h/app/s?user=other"), "app s?user=other");
}

} // namespace
} // namespace sluice::rtmp
