#include "supervisor/sources/source_url.h"

#include <gtest/gtest.h>

namespace sluice {
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
  EXPECT_EQ(text_of("http://camera/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp:///x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://[::1/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://camera:99999/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://camera:8x/x"), "not a valid RTSP URL");
  EXPECT_EQ(text_of("rtsp://[fe80::1%eth0]/x"), "fe80::1%eth0 554");
  EXPECT_EQ(text_of("rubbish"), "not a valid RTSP URL");
}

TEST(SourceUrl, CredentialsFollowARedirectButDoNotLeaveTls) {
  EXPECT_EQ(redirected_url("rtsp://u:p@a/x", "rtsp://b/y"), "rtsp://u:p@b/y");
  EXPECT_EQ(redirected_url("rtsp://u:p@a/x", "rtsp://v:q@b/y"), "rtsp://v:q@b/y");
  EXPECT_EQ(redirected_url("rtsps://u:p@a/x", "rtsp://b/y"), "rtsp://b/y");
  EXPECT_EQ(redirected_url("rtsps://u:p@a/x", "rtsps://b/y"), "rtsps://u:p@b/y");
  EXPECT_EQ(redirected_url("rtsp://a/x", "rtsp://b/y"), "rtsp://b/y");
  EXPECT_EQ(redirected_url("rtsp://a/x?u=b@c", "rtsp://b/y"), "rtsp://b/y");
}

} // namespace
} // namespace sluice
