// Base64 with the standard alphabet (RFC 4648 section 4). Decoding is strict: padding is needed, no
// white space, and the unused bits of the last character are 0.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <string>
#include <string_view>

namespace sluice {

std::string base64_encode(Bytes bytes);
Result<ByteVector> base64_decode(std::string_view text);

} // namespace sluice
