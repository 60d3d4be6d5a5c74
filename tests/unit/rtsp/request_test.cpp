#include "workers/rtsp/protocol/request.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

const std::string kAnnounce = "ANNOUNCE rtsp://localhost:8554/demo RTSP/1.0\r\n"
                              "Content-Type: application/sdp\r\n"
                              "CSeq: 2\r\n"
                              "User-Agent: Lavf59.27.100\r\n"
                              "Content-Length: 5\r\n"
                              "\r\n"
                              "v=0\r\n";

std::string error_of(const std::string &text) {
  Result<std::optional<ParsedRequest>> result = parse_request(as_bytes(text));
  return result ? "" : result.error().message;
}

TEST(Request, IsParsedWithHeadersAndBody) {
  auto parsed = parse_request(as_bytes(kAnnounce));
  ASSERT_TRUE(parsed && *parsed);
  const Request &request = (*parsed)->request;
  EXPECT_EQ(request.method, Method::Announce);
  EXPECT_EQ(request.url_text, "rtsp://localhost:8554/demo");
  EXPECT_EQ(request.url->path, "/demo");
  EXPECT_EQ(*request.headers.find("content-type"), "application/sdp");
  EXPECT_EQ(*request.headers.find("cseq"), "2");
  EXPECT_EQ(request.headers.find("Session"), nullptr);
  EXPECT_EQ(as_text(request.body), "v=0\r\n");
  EXPECT_EQ((*parsed)->consumed, kAnnounce.size());
}

TEST(Request, IsIncompleteUntilItsLastByte) {
  ParseHint hint;
  for (size_t size = 0; size < kAnnounce.size(); size++) {
    std::string_view part = std::string_view(kAnnounce).substr(0, size);
    auto with_hint = parse_request(as_bytes(part), hint);
    auto without_hint = parse_request(as_bytes(part));
    ASSERT_TRUE(with_hint && without_hint) << size;
    EXPECT_FALSE(*with_hint || *without_hint) << size;
  }
  auto parsed = parse_request(as_bytes(kAnnounce), hint);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->consumed, kAnnounce.size());
}

TEST(Request, LeavesWhatFollowsIt) {
  auto parsed = parse_request(as_bytes(kAnnounce + "$\x00junk"));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->consumed, kAnnounce.size());
}

TEST(Request, MayFollowEmptyLinesButNotMany) {
  std::string options = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
  ParseHint hint;
  std::string text = "\r\n\r\n" + options;
  for (size_t size = 0; size < text.size(); size++) {
    auto partial = parse_request(as_bytes(std::string_view(text).substr(0, size)), hint);
    ASSERT_TRUE(partial.has_value() && !*partial) << size;
  }
  auto parsed = parse_request(as_bytes(text), hint);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->request.method, Method::Options);
  EXPECT_EQ((*parsed)->consumed, text.size());
  EXPECT_EQ(error_of(std::string(kMaxLeadingLineEndBytes, '\n') + options), "");
  EXPECT_EQ(error_of(std::string(kMaxLeadingLineEndBytes + 1, '\n') + options), "too many empty lines");
}

TEST(Request, TakesAsteriskForUrl) {
  auto parsed = parse_request(as_bytes("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->request.url_text, "*");
  EXPECT_FALSE((*parsed)->request.url);
}

TEST(Request, OfUnknownMethodIsParsed) {
  auto parsed = parse_request(as_bytes("FLY_AWAY rtsp://h/p RTSP/1.0\r\nCSeq: 1\r\n\r\n"));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->request.method, Method::Other);
  EXPECT_EQ((*parsed)->request.method_name, "FLY_AWAY");
}

TEST(Request, MayHaveBareLineFeeds) {
  auto parsed = parse_request(as_bytes("PLAY rtsp://h/p RTSP/1.0\nCSeq:1\nSession :  7;timeout=60 \n\n"));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ(*(*parsed)->request.headers.find("Session"), "7;timeout=60");
}

TEST(Request, StaysWithinItsLimits) {
  auto with_header = [](const std::string &header) { return "OPTIONS * RTSP/1.0\r\n" + header + "\r\n\r\n"; };
  EXPECT_EQ(error_of(std::string(64, 'A') + " rtsp://h/p RTSP/1.0\r\n\r\n"), "");
  EXPECT_EQ(error_of(std::string(65, 'A') + " rtsp://h/p RTSP/1.0\r\n\r\n"), "method exceeds 64 bytes");
  std::string url = "rtsp://h/" + std::string(2039, 'p');
  EXPECT_EQ(error_of("PLAY " + url + " RTSP/1.0\r\n\r\n"), "");
  EXPECT_EQ(error_of("PLAY " + url + "p RTSP/1.0\r\n\r\n"), "URL exceeds 2048 bytes");
  EXPECT_EQ(error_of(with_header(std::string(512, 'k') + ": v")), "");
  EXPECT_EQ(error_of(with_header(std::string(513, 'k') + ": v")), "header name exceeds 512 bytes");
  EXPECT_EQ(error_of(with_header("k: " + std::string(2048, 'v'))), "");
  EXPECT_EQ(error_of(with_header("k: " + std::string(2049, 'v'))), "header value exceeds 2048 bytes");
  EXPECT_EQ(error_of(with_header("Content-Length: 131072")), "");
  EXPECT_EQ(error_of(with_header("Content-Length: 131073")), "Content-Length exceeds 131072 (it's 131073)");
  std::string headers;
  for (int i = 0; i < 255; i++) headers += "k: v\r\n";
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\n" + headers + "\r\n"), "");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\n" + headers + "k: v\r\n\r\n"), "headers count exceeds 255");
}

TEST(Request, IsRefusedBeforeItsEndWhenALimitIsExceeded) {
  EXPECT_EQ(error_of(std::string(3000, 'A')), "line exceeds 2576 bytes");
  std::string text = "OPTIONS * RTSP/1.0\r\n";
  while (text.size() <= kMaxHeadBytes) text += "k: " + std::string(2000, 'v') + "\r\n";
  EXPECT_EQ(error_of(text), "headers exceed 28672 bytes");
}

TEST(Request, LargestFitsTheStatedBound) {
  std::string text = "ANNOUNCE rtsp://h/p RTSP/1.0\r\nContent-Length: 131072\r\n";
  while (text.size() < kMaxHeadBytes - 300) text += "k: " + std::string(200, 'v') + "\r\n";
  text += "\r\n" + std::string(kMaxBodyBytes, 'b');
  ASSERT_LE(text.size(), kMaxMessageBytes);
  auto parsed = parse_request(as_bytes(text));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->request.body.size(), kMaxBodyBytes);
}

TEST(Request, IsRefusedWhenMalformed) {
  EXPECT_EQ(error_of("OPTIONS *\r\n\r\n"), "invalid request line");
  EXPECT_EQ(error_of("OPTIONS * RTSP/2.0\r\n\r\n"), "expected 'RTSP/1.0'");
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\n\r\n"), "expected 'RTSP/1.0'");
  EXPECT_EQ(error_of(" * RTSP/1.0\r\n\r\n"), "invalid method");
  EXPECT_EQ(error_of("PLAY http://h/p RTSP/1.0\r\n\r\n"), "unsupported URL scheme");
  EXPECT_EQ(error_of("PLAY rtsp://h/p#x RTSP/1.0\r\n\r\n"), "URLs with fragments are not supported");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\nnocolon\r\n\r\n"), "header without colon");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\n: v\r\n\r\n"), "invalid header name");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\na b: v\r\n\r\n"), "invalid header name");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\na: v\rX: y\r\n\r\n"), "invalid character in a header");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n"), "invalid Content-Length");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\nContent-Length:\r\n\r\n"), "invalid Content-Length");
  EXPECT_EQ(error_of("OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            "Content-Length provided multiple times");
}

TEST(Request, AnyHintIsSafe) {
  for (uint32_t scanned : {0u, 5u, 40u, 1'000'000u, 0xffffffffu}) {
    for (uint32_t line_start : {0u, 7u, 0xffffffffu}) {
      ParseHint hint{scanned, line_start, 0xffffffff};
      auto parsed = parse_request(as_bytes(kAnnounce), hint);
      ASSERT_TRUE(parsed && *parsed) << scanned << " " << line_start;
      EXPECT_EQ((*parsed)->consumed, kAnnounce.size());
    }
  }
}

} // namespace
} // namespace sluice::rtsp
