#include "common/http/response.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

struct Serialised {
  std::string head, body;
};

Serialised serialise(Response response, const Framing &framing) {
  OutputQueue output;
  EXPECT_TRUE(http::serialise(std::move(response), framing, output));
  std::string text;
  while (!output.empty()) {
    Bytes part;
    EXPECT_EQ(output.gather({&part, 1}, 100), 1U);
    text += as_text(part);
    EXPECT_FALSE(output.consume(part.size()));
  }
  size_t end = text.find("\r\n\r\n") + 4;
  return {text.substr(0, end), text.substr(end)};
}

TEST(Response, IsSerialisedWithItsLength) {
  Serialised sent = serialise({.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = "{}"}, {});
  EXPECT_EQ(sent.head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(sent.body, "{}");
}

TEST(Response, NamesServerAndDate) {
  Framing framing{.server = "sluice", .date = 784111777 * kSecond};
  Serialised sent =
      serialise({.status = 404, .headers = {{"server", "other"}, {"Date", "never"}}, .body = ""}, framing);
  EXPECT_EQ(sent.head, "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: sluice\r\n"
                       "Content-Length: 0\r\n\r\n");
}

TEST(Response, SaysWhatBecomesOfTheConnection) {
  auto connection = [](const Framing &framing, bool close) {
    std::string head = serialise({.status = 200, .body = "", .close = close}, framing).head;
    size_t found = head.find("Connection: ");
    return found == std::string::npos ? "" : head.substr(found + 12, head.find('\r', found) - found - 12);
  };
  EXPECT_EQ(connection({.keep_alive = true, .minor_version = 1}, false), "");
  EXPECT_EQ(connection({.keep_alive = true, .minor_version = 1}, true), "close");
  EXPECT_EQ(connection({.keep_alive = false, .minor_version = 1}, false), "close");
  EXPECT_EQ(connection({.keep_alive = true, .minor_version = 0}, false), "keep-alive");
  EXPECT_EQ(connection({.keep_alive = false, .minor_version = 0}, false), "close");
}

TEST(Response, ToHeadHasTheLengthButNotTheBody) {
  Serialised sent = serialise({.status = 200, .body = "12345"}, {.head_only = true});
  EXPECT_NE(sent.head.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(sent.body, "");
}

TEST(Response, WithoutContentHasNoLength) {
  for (uint16_t status : {uint16_t{204}, uint16_t{304}}) {
    Serialised sent = serialise({.status = status, .body = "x"}, {});
    EXPECT_EQ(sent.head.find("Content-Length"), std::string::npos);
    EXPECT_EQ(sent.body, "");
  }
}

TEST(Response, FramesItselfWhateverItsHeadersSay) {
  Headers headers{{"content-length", "7"}, {"Transfer-Encoding", "chunked"}, {"CONNECTION", "upgrade"}};
  EXPECT_EQ(serialise({.status = 200, .headers = headers, .body = "x"}, {}).head,
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
}

TEST(Response, CannotBeInjectedInto) {
  const std::string kEmpty500 = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
  for (const Header &header : std::initializer_list<Header>{{"Location", "/x\r\nSet-Cookie: a"},
                                                            {"Location", "/x\n"},
                                                            {"Location", "/x\r"},
                                                            {"Location", std::string("/\0", 2)},
                                                            {"Location: x\r\nY", "z"},
                                                            {"", "z"},
                                                            {"A B", "z"}}) {
    Serialised sent = serialise({.status = 301, .headers = {header}, .body = "secret"}, {});
    EXPECT_EQ(sent.head, kEmpty500);
    EXPECT_EQ(sent.body, "");
  }
  EXPECT_EQ(serialise({.status = 100, .body = ""}, {}).head, kEmpty500);
  EXPECT_EQ(serialise({.status = 600, .body = ""}, {}).head, kEmpty500);
}

TEST(Date, FollowsTheCalendar) {
  EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_date(951782400 * kSecond), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(format_date(1709251199 * kSecond), "Thu, 29 Feb 2024 23:59:59 GMT");
  EXPECT_EQ(format_date(1709251200 * kSecond), "Fri, 01 Mar 2024 00:00:00 GMT");
  EXPECT_EQ(format_date(4102444799 * kSecond + 999 * kMillisecond), "Thu, 31 Dec 2099 23:59:59 GMT");
  EXPECT_EQ(format_date(-kSecond), "Thu, 01 Jan 1970 00:00:00 GMT");
}

} // namespace
} // namespace sluice::http
