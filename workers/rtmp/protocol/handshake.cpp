#include "workers/rtmp/protocol/handshake.h"

#include "common/base/check.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace sluice::rtmp {
namespace {

constexpr uint8_t kEncryptedVersion = 6; // RTMPE
constexpr size_t kDigestBytes = 32;
constexpr size_t kSchema1 = 8, kSchema0 = 772; // where the four bytes stand that tell the digest's place
constexpr size_t kDigestPlaces = 728;
constexpr uint8_t kClientVersion[] = {0x0a, 0x00, 0x2d, 0x02}; // of a Flash player that knows digests
constexpr uint8_t kServerVersion[] = {0x0d, 0x0e, 0x0a, 0x0d};

// Known to everybody: they prove nothing but that both know Adobe's form of the handshake.
constexpr std::string_view kClientName = "Genuine Adobe Flash Player 001";
constexpr std::string_view kServerName = "Genuine Adobe Flash Media Server 001";
constexpr uint8_t kCommonKey[] = {0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0,
                                  0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80,
                                  0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae};

using Digest = std::array<uint8_t, kDigestBytes>;
using Block = std::array<uint8_t, kHandshakeBytes>;

std::string_view name_of(HandshakeSide side) {
  return side == HandshakeSide::Client ? kClientName : kServerName;
}

Digest hmac_sha256(Bytes key, Bytes data) {
  Digest digest;
  unsigned bytes = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), digest.data(), &bytes) !=
        nullptr);
  CHECK(bytes == kDigestBytes);
  return digest;
}

size_t digest_place(Bytes block, size_t schema) {
  size_t sum = 0;
  for (size_t i = 0; i < 4; i++) sum += block[schema + i];
  return schema + 4 + sum % kDigestPlaces;
}

// Of all bytes but those at `place`.
Digest block_digest(Bytes block, size_t place, HandshakeSide signer) {
  std::array<uint8_t, kHandshakeBytes - kDigestBytes> rest;
  auto end = std::copy_n(block.begin(), place, rest.begin());
  std::copy(block.begin() + static_cast<ptrdiff_t>(place + kDigestBytes), block.end(), end);
  return hmac_sha256(as_bytes(name_of(signer)), rest);
}

// Of the last block, C2 or S2, that answers the one whose digest is `answered`.
Digest answer_digest(Bytes block, Bytes answered, HandshakeSide signer) {
  std::array<uint8_t, kServerName.size() + sizeof kCommonKey> key;
  std::string_view name = name_of(signer);
  auto end = std::copy(name.begin(), name.end(), key.begin());
  end = std::copy(std::begin(kCommonKey), std::end(kCommonKey), end);
  Digest inner = hmac_sha256(Bytes(key).first(static_cast<size_t>(end - key.begin())), answered);
  return hmac_sha256(inner, block.first(kHandshakeBytes - kDigestBytes));
}

// Padding that can't be compressed; splitmix64, whose state is the seed.
void fill(MutableBytes bytes, uint64_t seed) {
  for (size_t i = 0; i < bytes.size(); i++) {
    if (i % 8 == 0) seed += 0x9e3779b97f4a7c15;
    uint64_t mixed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    bytes[i] = static_cast<uint8_t>(mixed >> (8 * (i % 8)));
  }
}

Block first_block(uint64_t seed, uint32_t time_ms) {
  Block block{};
  store_be32(block.data(), time_ms);
  fill(MutableBytes(block).subspan(8), seed);
  return block;
}

void sign(Block &block, Bytes version, HandshakeSide signer) {
  std::copy(version.begin(), version.end(), block.begin() + 4);
  size_t place = digest_place(block, kSchema1);
  Digest digest = block_digest(block, place, signer);
  std::copy(digest.begin(), digest.end(), block.begin() + static_cast<ptrdiff_t>(place));
}

// The answer to a signed block.
Block answer_block(Bytes answered_digest, uint64_t seed, HandshakeSide signer) {
  Block block;
  fill(block, ~seed);
  Digest digest = answer_digest(block, answered_digest, signer);
  std::copy(digest.begin(), digest.end(), block.end() - kDigestBytes);
  return block;
}

void append(ByteVector &out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Result<void> check_version(uint8_t version) {
  if (version == kRtmpVersion) return {};
  if (version == kEncryptedVersion) return Error{"RTMPE (version 6) is not supported"};
  return Error{fmt::format("invalid RTMP version {}", version)};
}

} // namespace

std::optional<size_t> find_handshake_digest(Bytes block, HandshakeSide signer) {
  CHECK(block.size() == kHandshakeBytes);
  for (size_t schema : {kSchema0, kSchema1}) {
    size_t place = digest_place(block, schema);
    Digest expected = block_digest(block, place, signer);
    if (std::equal(expected.begin(), expected.end(), block.begin() + static_cast<ptrdiff_t>(place))) return place;
  }
  return std::nullopt;
}

Result<size_t> ServerHandshake::on_input(Bytes input, ByteVector &out) {
  if (answered_) {
    size_t taken = std::min(input.size(), c2_left_);
    c2_left_ -= taken;
    return taken;
  }
  if (input.empty()) return 0;
  TRY(check_version(input[0]));
  if (input.size() < 1 + kHandshakeBytes) return 0;
  Bytes c1 = input.subspan(1, kHandshakeBytes);
  out.push_back(kRtmpVersion);
  Block s1 = first_block(seed_, time_ms_);
  if (auto place = find_handshake_digest(c1, HandshakeSide::Client)) {
    sign(s1, kServerVersion, HandshakeSide::Server);
    append(out, s1);
    append(out, answer_block(c1.subspan(*place, kDigestBytes), seed_, HandshakeSide::Server));
  } else {
    append(out, s1);
    append(out, c1);
  }
  answered_ = true;
  return 1 + kHandshakeBytes;
}

void ClientHandshake::start(ByteVector &out) const {
  Block c1 = first_block(seed_, 0);
  if (signed_) sign(c1, kClientVersion, HandshakeSide::Client);
  out.push_back(kRtmpVersion);
  append(out, c1);
}

Result<size_t> ClientHandshake::on_input(Bytes input, ByteVector &out) {
  if (answered_) {
    size_t taken = std::min(input.size(), s2_left_);
    s2_left_ -= taken;
    return taken;
  }
  if (input.empty()) return 0;
  TRY(check_version(input[0]));
  if (input.size() < 1 + kHandshakeBytes) return 0;
  Bytes s1 = input.subspan(1, kHandshakeBytes);
  std::optional<size_t> place = signed_ ? find_handshake_digest(s1, HandshakeSide::Server) : std::nullopt;
  if (place)
    append(out, answer_block(s1.subspan(*place, kDigestBytes), seed_, HandshakeSide::Client));
  else
    append(out, s1);
  answered_ = true;
  return 1 + kHandshakeBytes;
}

} // namespace sluice::rtmp
