// Digests as authentication needs them. Parts are hashed where they stand, without a copy of secrets.
#pragma once

#include "common/base/bytes.h"

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sluice::auth {

using Hash = std::array<uint8_t, 32>;
using HashKey = std::array<uint8_t, 32>;

Hash sha256(std::string_view text);

// HMAC-SHA256 over the parts, each with its length before it.
Hash keyed_hash(const HashKey &key, std::initializer_list<std::string_view> parts);

HashKey random_key();
const HashKey &process_key(); // drawn at the first call

// MD5 of the parts joined by ':', as 32 lower-case hex digits (RFC 2069).
std::string md5_hex(std::initializer_list<std::string_view> parts);

std::string to_hex(Bytes bytes);

// Tells nothing about the contents by the time that it takes.
bool equal_in_constant_time(std::string_view a, std::string_view b);

} // namespace sluice::auth
