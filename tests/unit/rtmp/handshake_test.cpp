#include "workers/rtmp/protocol/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace sluice::rtmp {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kFlashPlayer = "Genuine Adobe Flash Player 001";

ByteVector simple_c0_c1() {
  ByteVector bytes(1 + kHandshakeBytes);
  bytes[0] = kRtmpVersion;
  for (size_t i = 9; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(i * 7);
  return bytes;
}

// As Flash players of the older kind sign it: the digest's place is told by the bytes at 772.
ByteVector c0_c1_of_schema_0() {
  ByteVector bytes = simple_c0_c1();
  uint8_t *c1 = bytes.data() + 1;
  size_t place = 776 + (c1[772] + c1[773] + c1[774] + c1[775]) % 728U;
  ByteVector rest(c1, c1 + place);
  rest.insert(rest.end(), c1 + place + 32, c1 + kHandshakeBytes);
  unsigned length = 0;
  HMAC(EVP_sha256(), kFlashPlayer.data(), static_cast<int>(kFlashPlayer.size()), rest.data(), rest.size(), c1 + place,
       &length);
  return bytes;
}

TEST(ServerHandshake, AnswersASimpleClientWithItsEcho) {
  ServerHandshake handshake(1, 0x01020304);
  ByteVector input = simple_c0_c1(), out;
  EXPECT_EQ(*handshake.on_input(input, out), input.size());
  ASSERT_EQ(out.size(), 1 + 2 * kHandshakeBytes);
  EXPECT_EQ(out[0], 3);
  EXPECT_EQ(load_be32(&out[1]), 0x01020304u);
  EXPECT_EQ(load_be32(&out[5]), 0u);
  EXPECT_TRUE(std::equal(input.begin() + 1, input.end(), out.begin() + 1 + kHandshakeBytes));
  Bytes random = Bytes(out).subspan(9, kHandshakeBytes - 8);
  EXPECT_GT(std::count_if(random.begin(), random.end(), [](uint8_t b) { return b != 0; }), 1400);
  EXPECT_FALSE(find_handshake_digest(Bytes(out).subspan(1, kHandshakeBytes), HandshakeSide::Server));
  EXPECT_FALSE(handshake.done());
}

TEST(ServerHandshake, TakesItsInputByteByByte) {
  ByteVector whole = simple_c0_c1(), input, out;
  whole.resize(1 + 2 * kHandshakeBytes + 5, 9); // C2, and what is behind it
  ServerHandshake handshake(1, 0);
  size_t consumed = 0;
  for (uint8_t byte : whole) {
    input.push_back(byte);
    size_t taken = *handshake.on_input(input, out);
    input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(taken));
    consumed += taken;
    EXPECT_EQ(out.empty(), consumed == 0);
    EXPECT_EQ(handshake.done(), consumed == 1 + 2 * kHandshakeBytes);
  }
  EXPECT_EQ(input.size(), 5u);
}

TEST(ServerHandshake, SignsItsAnswerToASignedClientOfEitherSchema) {
  ByteVector of_schema_1;
  ClientHandshake(77, true).start(of_schema_1);
  for (const ByteVector &c0_c1 : {of_schema_1, c0_c1_of_schema_0()}) {
    ServerHandshake handshake(3, 5);
    ByteVector out;
    EXPECT_TRUE(find_handshake_digest(Bytes(c0_c1).subspan(1), HandshakeSide::Client));
    EXPECT_EQ(*handshake.on_input(c0_c1, out), c0_c1.size());
    Bytes s1 = Bytes(out).subspan(1, kHandshakeBytes), s2 = Bytes(out).subspan(1 + kHandshakeBytes);
    EXPECT_EQ(load_be32(s1.data() + 4), 0x0d0e0a0du);
    auto place = find_handshake_digest(s1, HandshakeSide::Server);
    ASSERT_TRUE(place);
    EXPECT_EQ(*place, 12 + (s1[8] + s1[9] + s1[10] + s1[11]) % 728u);
    EXPECT_FALSE(std::equal(s2.begin(), s2.end(), c0_c1.begin() + 1));
  }
}

// Signed answers differ with the digest that they answer, so a client can tell that it was read.
TEST(ServerHandshake, SignsWithTheDigestOfTheClient) {
  ByteVector one, other, out_one, out_other;
  ClientHandshake(1, true).start(one);
  ClientHandshake(2, true).start(other);
  ASSERT_TRUE(ServerHandshake(3, 5).on_input(one, out_one));
  ASSERT_TRUE(ServerHandshake(3, 5).on_input(other, out_other));
  EXPECT_TRUE(std::equal(out_one.begin(), out_one.end() - 32, out_other.begin()));
  EXPECT_FALSE(std::equal(out_one.end() - 32, out_one.end(), out_other.end() - 32));
}

TEST(ServerHandshake, TellsWhichVersionItRefuses) {
  ByteVector out;
  uint8_t http = 'G', encrypted = 6;
  EXPECT_THAT(ServerHandshake(1, 0).on_input({&http, 1}, out).error().message, HasSubstr("version 71"));
  EXPECT_THAT(ServerHandshake(1, 0).on_input({&encrypted, 1}, out).error().message, HasSubstr("RTMPE"));
  EXPECT_TRUE(out.empty());
}

TEST(ClientHandshake, GoesThroughWithAServer) {
  for (bool is_signed : {false, true}) {
    ClientHandshake client(7, is_signed);
    ServerHandshake server(8, 9);
    ByteVector to_server, to_client, more;
    client.start(to_server);
    size_t taken = *server.on_input(to_server, to_client);
    EXPECT_EQ(taken, to_server.size());
    to_server.clear();
    taken = *client.on_input(to_client, to_server);
    EXPECT_EQ(taken, 1 + kHandshakeBytes);
    EXPECT_EQ(*client.on_input(Bytes(to_client).subspan(taken), more), kHandshakeBytes);
    EXPECT_EQ(*server.on_input(to_server, more), kHandshakeBytes);
    EXPECT_TRUE(client.done() && server.done() && more.empty());
    bool echoes = std::equal(to_server.begin(), to_server.end(), to_client.begin() + 1);
    EXPECT_EQ(echoes, !is_signed);
  }
}

TEST(ClientHandshake, AnswersAServerThatDoesNotSignWithItsEcho) {
  ClientHandshake client(7, true);
  ByteVector server = simple_c0_c1(), out; // of the same shape
  ASSERT_TRUE(client.on_input(server, out));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), server.begin() + 1));
}

TEST(ClientHandshake, RefusesAnotherVersion) {
  ByteVector out;
  uint8_t version = 'H';
  EXPECT_FALSE(ClientHandshake(7, true).on_input({&version, 1}, out));
}

} // namespace
} // namespace sluice::rtmp
