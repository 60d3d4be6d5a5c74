#include "workers/rtsp/protocol/client_urls.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

Url url(std::string_view text) {
  return *parse_url(text);
}

std::string track(std::string_view base, std::string_view control) {
  auto found = track_url(url(base), control);
  return found ? found->text() : "error: " + found.error().message;
}

std::string base_of(std::string_view request, std::string_view session_control, const std::string &content_base = "",
                    const std::string &content_location = "") {
  Headers headers;
  if (!content_base.empty()) headers.add("content-base", content_base);
  if (!content_location.empty()) headers.add("Content-Location", content_location);
  return base_url(url(request), headers, session_control).text();
}

TEST(BaseUrl, IsTheFirstThatTheServerNames) {
  EXPECT_EQ(base_of("rtsp://h/cam", ""), "rtsp://h/cam");
  EXPECT_EQ(base_of("rtsp://u:p@h:5/cam", "*"), "rtsp://h:5/cam");
  EXPECT_EQ(base_of("rtsp://h/cam", "*", "rtsp://h/cam/"), "rtsp://h/cam/");
  EXPECT_EQ(base_of("rtsp://h/cam", "", "", "rtsp://h/other/"), "rtsp://h/other/");
  EXPECT_EQ(base_of("rtsp://h/cam", "", "rtsp://h/a/", "rtsp://h/b/"), "rtsp://h/a/");
  EXPECT_EQ(base_of("rtsp://h/cam", "rtsp://h/c", "rtsp://h/a/"), "rtsp://h/c");
  EXPECT_EQ(base_of("rtsp://h/x/cam", "", "/y/"), "rtsp://h/y/");
  EXPECT_EQ(base_of("rtsp://h/x/cam", "", "cam/"), "rtsp://h/x/cam/");
  EXPECT_EQ(base_of("rtsp://h/cam", "", "http://h/cam"), "rtsp://h/cam");
  EXPECT_EQ(base_of("rtsp://h/cam", "rtsp://[bad", "rtsp://h/a/"), "rtsp://h/a/");
}

TEST(BaseUrl, IsAlwaysAtTheServerThatWasAsked) {
  EXPECT_EQ(base_of("rtsp://public:8554/cam", "", "rtsp://192.168.0.10:554/cam/"), "rtsp://public:8554/cam/");
  EXPECT_EQ(base_of("rtsps://public/cam", "rtsp://10.0.0.1/cam", ""), "rtsps://public/cam");
}

TEST(TrackUrl, ContinuesTheWholeOfTheBase) {
  EXPECT_EQ(track("rtsp://h/cam", "trackID=1"), "rtsp://h/cam/trackID=1");
  EXPECT_EQ(track("rtsp://h/cam/", "trackID=1"), "rtsp://h/cam/trackID=1");
  EXPECT_EQ(track("rtsp://h", "trackID=1"), "rtsp://h/trackID=1");
  EXPECT_EQ(track("rtsp://h/cam?a=b", "trackID=1"), "rtsp://h/cam?a=b/trackID=1");
  EXPECT_EQ(track("rtsp://h/cam?a=b/", "trackID=1"), "rtsp://h/cam?a=b/trackID=1");
  EXPECT_EQ(track("rtsp://h/cam", "?track=1"), "rtsp://h/cam?track=1");
  EXPECT_EQ(track("rtsp://h/cam", "track1?x=y"), "rtsp://h/cam/track1?x=y");
  EXPECT_EQ(track("rtsp://h/cam/", "/track1"), "rtsp://h/cam/track1");
  EXPECT_EQ(track("rtsp://h/cam", "/track1"), "rtsp://h/cam/track1");
}

TEST(TrackUrl, AbsoluteOnesStandForThemselves) {
  EXPECT_EQ(track("rtsp://h:5/cam", "rtsp://h/else/1"), "rtsp://h:5/else/1");
  EXPECT_EQ(track("rtsp://h:5/cam", "rtsp://10.0.0.1/cam/1"), "rtsp://h:5/cam/1");
  EXPECT_EQ(track("rtsp://h/cam", "/cam/trackID=2"), "rtsp://h/cam/trackID=2");
  EXPECT_EQ(track("rtsp://h/cam/", "/cam/trackID=2"), "rtsp://h/cam/trackID=2");
  EXPECT_EQ(track("rtsp://h/cam", "/camera"), "rtsp://h/cam/camera");
}

TEST(TrackUrl, MayBeThatOfTheWhole) {
  EXPECT_EQ(track("rtsp://h/cam", ""), "rtsp://h/cam");
  EXPECT_EQ(track("rtsp://h/cam", "*"), "rtsp://h/cam");
}

TEST(TrackUrl, OrNone) {
  EXPECT_EQ(track("rtsp://h/cam", "a b").substr(0, 6), "error:");
  EXPECT_EQ(track("rtsp://h/cam", "http://h/1").substr(0, 6), "error:");
}

} // namespace
} // namespace sluice::rtsp
