#include "workers/rtsp/protocol/rtp_info.h"
#include "workers/rtsp/protocol/session_header.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

TEST(SessionHeader, IsCutAtItsParameters) {
  EXPECT_EQ(parse_session_id("12345"), 12345u);
  EXPECT_EQ(parse_session_id("12345;timeout=60"), 12345u);
  EXPECT_EQ(parse_session_id(" 12345 ; timeout=60"), 12345u);
  EXPECT_EQ(parse_session_id("4294967295"), 4294967295u);
}

TEST(SessionHeader, OfAnotherServerIsNoSession) {
  for (std::string_view text : {"", ";", "0", "012", "+1", "-1", "4294967296", "12a", "A1B2C3", "1 2"}) {
    EXPECT_EQ(parse_session_id(text), 0u) << text;
  }
}

TEST(SessionHeader, IsWrittenWithOrWithoutTimeout) {
  EXPECT_EQ(write_session(7, false), "7");
  EXPECT_EQ(write_session(7, true), "7;timeout=60");
}

TEST(RtpInfoHeader, ListsTracksWithTheRequestsOrigin) {
  Url url = *parse_url("rtsp://u:p@h:8554/p/?k=v");
  RtpInfo tracks[] = {{0, 65535, 4294967295u}, {2, 1, 0}};
  EXPECT_EQ(write_rtp_info(url, "p", tracks), "url=rtsp://u:p@h:8554/p/trackID=0;seq=65535;rtptime=4294967295,"
                                              "url=rtsp://u:p@h:8554/p/trackID=2;seq=1;rtptime=0");
  EXPECT_EQ(write_rtp_info(url, "p", {}), "");
}

} // namespace
} // namespace sluice::rtsp
