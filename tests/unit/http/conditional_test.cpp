#include "common/http/conditional.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

Request get(std::initializer_list<Header> headers, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  request.headers = headers;
  return request;
}

Response whole() {
  return {.headers = {{"ETag", "\"v1\""}, {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}, .body = "0123456789"};
}

struct Part {
  uint16_t status;
  std::string text, range;
  bool operator==(const Part &) const = default;
};
std::ostream &operator<<(std::ostream &out, const Part &part) {
  return out << part.status << " '" << part.text << "' " << part.range;
}

Part part_of(const Request &request, Response response = whole()) {
  answer_range(request, response);
  const std::string *range = response.headers.find("Content-Range");
  return {response.status, std::string(as_text(response.body.bytes())), range ? *range : ""};
}

TEST(Ranges, AreCutOutOfTheWhole) {
  EXPECT_EQ(part_of(get({{"Range", "bytes=2-4"}})), (Part{206, "234", "bytes 2-4/10"}));
  EXPECT_EQ(part_of(get({{"Range", "bytes=0-0"}})), (Part{206, "0", "bytes 0-0/10"}));
  EXPECT_EQ(part_of(get({{"Range", "bytes=7-"}})), (Part{206, "789", "bytes 7-9/10"}));
  EXPECT_EQ(part_of(get({{"Range", "bytes=8-99999999999999999999999"}})), (Part{206, "89", "bytes 8-9/10"}));
  EXPECT_EQ(part_of(get({{"Range", "bytes=-3"}})), (Part{206, "789", "bytes 7-9/10"}));
  EXPECT_EQ(part_of(get({{"Range", "bytes=-30"}})), (Part{206, "0123456789", "bytes 0-9/10"}));
}

TEST(Ranges, BeyondTheEndAreRefused) {
  for (const char *range : {"bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"})
    EXPECT_EQ(part_of(get({{"Range", range}})), (Part{416, "", "bytes */10"})) << range;
  Response empty{.body = ""};
  EXPECT_EQ(part_of(get({{"Range", "bytes=-1"}}), empty).status, 416);
}

TEST(Ranges, ThatAreNoneGetTheWhole) {
  for (const char *range : {"bytes=4-2", "bytes=", "bytes=-", "bytes=a-2", "bytes=1-2,4-5", "bytes=1", "lines=1-2",
                            "bytes=+1-2", "bytes=1-2x", "byte"})
    EXPECT_EQ(part_of(get({{"Range", range}})), (Part{200, "0123456789", ""})) << range;
  EXPECT_EQ(part_of(get({{"Range", "bytes=1-2"}}, "HEAD")).status, 200);
  EXPECT_EQ(part_of(get({{"Range", "bytes=1-2"}}), {.status = 404, .body = "no"}), (Part{404, "no", ""}));
}

TEST(Ranges, AreOfferedInEveryAnswer) {
  Response response = whole();
  answer_range(get({}), response);
  EXPECT_EQ(*response.headers.find("Accept-Ranges"), "bytes");
}

TEST(Ranges, OfAnotherVersionGetTheWhole) {
  auto with = [](const char *condition) {
    return part_of(get({{"Range", "bytes=2-4"}, {"If-Range", condition}})).status;
  };
  EXPECT_EQ(with("\"v1\""), 206);
  EXPECT_EQ(with("\"v2\""), 200);
  EXPECT_EQ(with("W/\"v1\""), 200);
  EXPECT_EQ(with("Sun, 06 Nov 1994 08:49:37 GMT"), 206);
  EXPECT_EQ(with("Sun, 06 Nov 1994 08:49:38 GMT"), 200);
}

TEST(Ranges, OfSharedMemoryAreNotCopied) {
  Response response{.body = Body::shared("0123456789")};
  const uint8_t *at = response.body.bytes().data();
  answer_range(get({{"Range", "bytes=2-4"}}), response);
  EXPECT_EQ(response.body.bytes().data(), at + 2);
}

TEST(Conditions, NotModifiedWhenTheTagIsKnown) {
  auto status = [](const char *known, const char *method = "GET") {
    Response response = whole();
    bool answered = answer_not_modified(get({{"If-None-Match", known}}, method), response);
    EXPECT_EQ(answered, response.status == 304);
    EXPECT_EQ(response.body.empty(), answered);
    return response.status;
  };
  EXPECT_EQ(status("\"v1\""), 304);
  EXPECT_EQ(status("W/\"v1\""), 304);
  EXPECT_EQ(status("\"a,b\", \"v1\""), 304);
  EXPECT_EQ(status("*"), 304);
  EXPECT_EQ(status("\"v1\"", "HEAD"), 304);
  EXPECT_EQ(status("\"v1\"", "POST"), 200);
  EXPECT_EQ(status("\"v2\""), 200);
  EXPECT_EQ(status("v1"), 200);
  EXPECT_EQ(status("\"v1"), 200);
  EXPECT_EQ(status(""), 200);
}

} // namespace
} // namespace sluice::http
