#include "workers/rtsp/protocol/response.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

Response example() {
  Response response;
  response.cseq = "3";
  response.headers.add("Session", "42");
  response.headers.add("Content-Type", "application/sdp");
  response.headers.add("Content-Base", "rtsp://h/p/");
  response.body = "v=0\r\n";
  return response;
}

constexpr std::string_view kExample = "RTSP/1.0 200 OK\r\n"
                                      "CSeq: 3\r\n"
                                      "Content-Base: rtsp://h/p/\r\n"
                                      "Content-Length: 5\r\n"
                                      "Content-Type: application/sdp\r\n"
                                      "Server: sluice\r\n"
                                      "Session: 42\r\n"
                                      "\r\n"
                                      "v=0\r\n";

TEST(Response, IsWrittenWithSortedHeaders) {
  ByteVector out;
  serialise(example(), out);
  EXPECT_EQ(as_text(out), kExample);
}

TEST(Response, IsAppended) {
  ByteVector out{'x'};
  Response response;
  response.status = Status::BadRequest;
  serialise(response, out);
  EXPECT_EQ(as_text(out), "xRTSP/1.0 400 Bad Request\r\nServer: sluice\r\n\r\n");
}

TEST(Response, FitsTheCallersBufferOrIsNotWritten) {
  ByteVector buffer(kExample.size(), 0);
  EXPECT_EQ(serialise(example(), MutableBytes(buffer)), kExample.size());
  EXPECT_EQ(as_text(buffer), kExample);
  ByteVector small(kExample.size() - 1, 0);
  EXPECT_EQ(serialise(example(), MutableBytes(small)), std::nullopt);
  EXPECT_EQ(small, ByteVector(kExample.size() - 1, 0));
}

TEST(Response, OfAPeerIsParsedOnceComplete) {
  ParseHint hint;
  for (size_t size = 0; size < kExample.size(); size++) {
    auto parsed = parse_response(as_bytes(kExample.substr(0, size)), hint);
    ASSERT_TRUE(parsed.has_value() && !*parsed) << size;
  }
  auto parsed = parse_response(as_bytes(kExample), hint);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->status, 200);
  EXPECT_EQ((*parsed)->consumed, kExample.size());
  EXPECT_EQ(*(*parsed)->headers.find("session"), "42");
}

TEST(Response, OfAPeerIsRefusedWhenMalformed) {
  for (std::string_view text :
       {"RTSP/1.0 20 OK\r\n\r\n", "RTSP/1.0 2000 OK\r\n\r\n", "RTSP/1.0 abc\r\n\r\n", "RTSP/2.0 200 OK\r\n\r\n"}) {
    EXPECT_FALSE(parse_response(as_bytes(text)).has_value()) << text;
  }
  auto bare = parse_response(as_bytes("RTSP/1.0 404\r\n\r\n"));
  ASSERT_TRUE(bare && *bare);
  EXPECT_EQ((*bare)->status, 404);
}

} // namespace
} // namespace sluice::rtsp
