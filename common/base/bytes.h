// Spans of bytes and big-endian access to them. All reads are bounds-checked by the caller's choice of
// ByteReader; nothing here owns memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sluice {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;
using ByteVector = std::vector<uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

inline uint16_t load_be16(const uint8_t *p) {
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}
inline uint32_t load_be32(const uint8_t *p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 | static_cast<uint32_t>(p[2]) << 8 |
         p[3];
}
inline uint64_t load_be64(const uint8_t *p) {
  return static_cast<uint64_t>(load_be32(p)) << 32 | load_be32(p + 4);
}
inline void store_be16(uint8_t *p, uint16_t v) {
  p[0] = static_cast<uint8_t>(v >> 8);
  p[1] = static_cast<uint8_t>(v);
}
inline void store_be32(uint8_t *p, uint32_t v) {
  store_be16(p, static_cast<uint16_t>(v >> 16));
  store_be16(p + 2, static_cast<uint16_t>(v));
}
inline void store_be64(uint8_t *p, uint64_t v) {
  store_be32(p, static_cast<uint32_t>(v >> 32));
  store_be32(p + 4, static_cast<uint32_t>(v));
}

// Reads big-endian fields from the front; each read is empty when too few bytes are left.
class ByteReader {
public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  std::optional<uint8_t> u8() { return rest_.empty() ? std::nullopt : std::optional(take(1)[0]); }
  std::optional<uint16_t> u16() { return rest_.size() < 2 ? std::nullopt : std::optional(load_be16(take(2).data())); }
  std::optional<uint32_t> u32() { return rest_.size() < 4 ? std::nullopt : std::optional(load_be32(take(4).data())); }
  std::optional<uint64_t> u64() { return rest_.size() < 8 ? std::nullopt : std::optional(load_be64(take(8).data())); }
  std::optional<Bytes> bytes(size_t count) { return rest_.size() < count ? std::nullopt : std::optional(take(count)); }
  Bytes rest() const { return rest_; }

private:
  Bytes take(size_t count) {
    Bytes front = rest_.first(count);
    rest_ = rest_.subspan(count);
    return front;
  }

  Bytes rest_;
};

} // namespace sluice
