#include "supervisor/config/source_url.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

std::string text_of(const std::string &url) {
  auto host = host_of_source(url);
  if (!host) return host.error().message;
  return host->host + " " + std::to_string(host->port) + (host->tls ? " tls" : "");
}

TEST(SourceUrl, NamesTheHost) {
  EXPECT_EQ(text_of("rtsp://camera/x"), "camera 554");
  EXPECT_EQ(text_of("rtsps://camera/x?a=b"), "camera 322 tls");
  EXPECT_EQ(text_of("rtsp://user:p@ss:w@10.0.0.1:8554/x"), "10.0.0.1 8554");
  EXPECT_EQ(text_of("rtsp://[fe80::1]:8554/x"), "fe80::1 8554");
  EXPECT_EQ(text_of("rtsp://camera"), "camera 554");
  EXPECT_EQ(text_of("rtsp:///x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://[::1/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://camera:99999/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://camera:8x/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://[fe80::1%eth0]/x"), "fe80::1%eth0 554");
  for (const char *other : {"ftp://camera/x", "rubbish", "rtmpt://camera/x", "rtsp:/camera"})
    EXPECT_EQ(text_of(other), "not a valid source URL");
}

TEST(SourceUrl, KnowsRtmp) {
  EXPECT_EQ(text_of("rtmp://host/app/stream"), "host 1935");
  EXPECT_EQ(text_of("rtmps://host/app/stream"), "host 443 tls");
  EXPECT_EQ(text_of("rtmp://user:pass@[::1]:19350/app/stream?token=a@b"), "::1 19350");
  EXPECT_EQ(text_of("rtmp:///app"), "not a valid RTMP URL");
  EXPECT_EQ(text_of("rtmps://host:0/app"), "not a valid RTMP URL");
  EXPECT_EQ(host_of_source("rtmps://host/app")->protocol, Protocol::Rtmp);
  EXPECT_EQ(host_of_source("rtsps://host/app")->protocol, Protocol::Rtsp);
}

TEST(SourceUrl, KnowsHls) {
  EXPECT_EQ(text_of("http://host/live/index.m3u8?a=b"), "host 80");
  EXPECT_EQ(text_of("https://host/index.m3u8"), "host 443 tls");
  EXPECT_EQ(text_of("https://user:pass@[::1]:8443/index.m3u8"), "::1 8443 tls");
  EXPECT_EQ(text_of("http:///index.m3u8"), "not a valid HLS URL");
  EXPECT_EQ(text_of("http://host:0/index.m3u8"), "not a valid HLS URL");
  EXPECT_EQ(host_of_source("https://host/index.m3u8")->protocol, Protocol::Hls);
}

TEST(SourceUrl, TellsHalfCredentials) {
  for (const char *whole : {"rtmp://host/x", "rtmp://u:p@host/x", "rtmp://u:p:q@host/x", "rtmp://:@host/x",
                            "rtmp://@host/x", "rtmp://host/x:y@z"})
    EXPECT_TRUE(has_whole_credentials(whole)) << whole;
  for (const char *half : {"rtmp://u@host/x", "rtmp://u:@host/x", "rtmp://:p@host/x"})
    EXPECT_FALSE(has_whole_credentials(half)) << half;
}

TEST(SourceUrl, CredentialsFollowARedirectButDoNotLeaveTls) {
  EXPECT_EQ(redirected_url("rtsp://u:p@a/x", "rtsp://b/y"), "rtsp://u:p@b/y");
  EXPECT_EQ(redirected_url("rtsp://u:p@a/x", "rtsp://v:q@b/y"), "rtsp://v:q@b/y");
  EXPECT_EQ(redirected_url("rtsps://u:p@a/x", "rtsp://b/y"), "rtsp://b/y");
  EXPECT_EQ(redirected_url("rtsps://u:p@a/x", "rtsps://b/y"), "rtsps://u:p@b/y");
  EXPECT_EQ(redirected_url("rtsp://a/x", "rtsp://b/y"), "rtsp://b/y");
  EXPECT_EQ(redirected_url("rtsp://a/x?u=b@c", "rtsp://b/y"), "rtsp://b/y");
  EXPECT_EQ(redirected_url("rtmps://u:p@a/x", "rtmp://b/y"), "rtmp://b/y");
  EXPECT_EQ(redirected_url("rtmps://u:p@a/x", "rtmps://b/y"), "rtmps://u:p@b/y");
}

} // namespace
} // namespace sluice::config
