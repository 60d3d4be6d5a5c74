// Configuration files that only the holder of a key can read:
//   base64( nonce(24 bytes) || secretbox(text) )     RFC 4648 with padding; CR and LF may stand anywhere
// where secretbox is NaCl's XSalsa20-Poly1305 with its 16-byte tag first. The key is up to 32 bytes as they are:
// a shorter one is filled with zero bytes, of a longer one the rest does not count. Pure, but for the memory it wipes.
#pragma once

#include "common/base/result.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::config {

using EncryptionNonce = std::array<uint8_t, 24>; // must differ for each text with the same key
EncryptionNonce random_encryption_nonce();

// One line, ended by a newline.
std::string encrypt(std::string_view text, std::string_view key, const EncryptionNonce &nonce);

// Errors: "not valid base64, …", "decryption error …".
Result<std::string> decrypt(std::string_view encrypted, std::string_view key);

} // namespace sluice::config
