// RTMP's handshake (section 5.2), and Adobe's way to sign it with digests, which FFmpeg and Flash do:
//   C0 = S0 = version(1);  C1, S1 = time(4) zero-or-product-version(4) random(1528);  C2, S2 = echo, or random and
//   digest
// In a signed C1 or S1, 32 of the random bytes are the HMAC-SHA256 of all others. Where they stand is told by four
// bytes, which are at 8 ("schema 1") or 772 ("schema 0"). Pure; randomness only pads, and comes of a seed.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <array>
#include <optional>

namespace sluice::rtmp {

constexpr uint8_t kRtmpVersion = 3;
constexpr size_t kHandshakeBytes = 1536; // of C1, C2, S1, S2

class ServerHandshake {
public:
  ServerHandshake(uint64_t seed, uint32_t time_ms) : seed_(seed), time_ms_(time_ms) {}

  // Takes C0 and C1 in one piece, upon which S0, S1 and S2 are appended to `out`, then C2, in any pieces and whatever
  // it says. The bytes taken; 0: more are needed, or it is done. Error: another version.
  Result<size_t> on_input(Bytes input, ByteVector &out);
  bool done() const { return answered_ && c2_left_ == 0; }

private:
  uint64_t seed_;
  uint32_t time_ms_;
  bool answered_ = false;
  size_t c2_left_ = kHandshakeBytes;
};

class ClientHandshake {
public:
  // Signed: with digests, which a server may or may not answer likewise; Adobe's demand it for H264.
  ClientHandshake(uint64_t seed, bool is_signed) : seed_(seed), signed_(is_signed) {}

  // C0 and C1.
  void start(ByteVector &out) const;
  // Takes S0 and S1 in one piece, upon which C2 is appended to `out`, then S2, in any pieces and whatever it says. The
  // bytes taken; 0: more are needed, or it is done. Error: another version.
  Result<size_t> on_input(Bytes input, ByteVector &out);
  bool done() const { return answered_ && s2_left_ == 0; }

private:
  uint64_t seed_;
  bool signed_;
  bool answered_ = false;
  size_t s2_left_ = kHandshakeBytes;
};

// Where the digest of a signed C1 stands, or of an S1 that a server signed; empty: it is not signed.
enum class HandshakeSide : uint8_t { Client, Server };
std::optional<size_t> find_handshake_digest(Bytes block, HandshakeSide signer);

} // namespace sluice::rtmp
