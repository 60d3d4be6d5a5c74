// Little-endian binary form of plain structs, for messages between our own processes and for shared memory.
// A struct takes part by a free function  template <class A> void visit(A &a, T &value)  that passes its
// members to `a` in order. The decoder treats its input as a stranger's: every length is checked.
#pragma once

#include "common/base/bytes.h"

#include <concepts>
#include <cstring>
#include <string>
#include <type_traits>

namespace sluice {

class Encoder {
public:
  Encoder() = default;
  // With so much memory at once: growing would leave copies behind.
  explicit Encoder(size_t capacity) { out_.reserve(capacity); }

  template <class T> void operator()(const T &value) {
    if constexpr (std::is_enum_v<T>) {
      number(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::integral<T>) {
      number(value);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, ByteVector>) {
      number(static_cast<uint32_t>(value.size()));
      out_.insert(out_.end(), value.begin(), value.end());
    } else if constexpr (requires { typename T::value_type; }) {
      number(static_cast<uint32_t>(value.size()));
      for (const auto &element : value) (*this)(element);
    } else {
      visit(*this, const_cast<T &>(value)); // one visitor serves both directions; this one only reads
    }
  }

  ByteVector take() { return std::move(out_); }

private:
  template <std::integral T> void number(T value) {
    uint64_t bits = static_cast<uint64_t>(value);
    for (size_t i = 0; i < sizeof(T); i++) out_.push_back(static_cast<uint8_t>(bits >> (8 * i)));
  }

  ByteVector out_;
};

// After any failed read everything that follows is left as it was, and ok() is false.
class Decoder {
public:
  explicit Decoder(Bytes input) : rest_(input) {}

  template <class T> void operator()(T &value) {
    if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> raw{};
      number(raw);
      if (ok_) value = static_cast<T>(raw); // callers check the range of enums (is_valid)
      if constexpr (requires { is_valid(value); }) ok_ = ok_ && is_valid(value);
    } else if constexpr (std::is_same_v<T, bool>) {
      uint8_t raw = 0;
      number(raw);
      ok_ = ok_ && raw <= 1;
      if (ok_) value = raw == 1;
    } else if constexpr (std::integral<T>) {
      number(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      Bytes bytes = take(count(1));
      if (ok_) value.assign(as_text(bytes)); // of iterators it would make another copy, and secrets may be in it
    } else if constexpr (std::is_same_v<T, ByteVector>) {
      Bytes bytes = take(count(1));
      if (ok_) value.assign(bytes.begin(), bytes.end());
    } else if constexpr (requires { typename T::value_type; }) {
      size_t elements = count(1); // each element takes a byte at least, so the count is bounded by the input
      value.clear();
      for (size_t i = 0; i < elements && ok_; i++) {
        typename T::value_type element{};
        (*this)(element);
        if (ok_) value.push_back(std::move(element));
      }
    } else {
      visit(*this, value);
    }
  }

  bool ok() const { return ok_; }
  // All was read and nothing is left over.
  bool complete() const { return ok_ && rest_.empty(); }

private:
  template <std::integral T> void number(T &value) {
    Bytes bytes = take(sizeof(T));
    if (!ok_) return;
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); i++) bits |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    value = static_cast<T>(bits);
  }

  size_t count(size_t smallest_element) {
    uint32_t value = 0;
    number(value);
    if (value > rest_.size() / smallest_element) ok_ = false;
    return ok_ ? value : 0;
  }

  Bytes take(size_t size) {
    if (!ok_ || rest_.size() < size) {
      ok_ = false;
      return {};
    }
    Bytes front = rest_.first(size);
    rest_ = rest_.subspan(size);
    return front;
  }

  Bytes rest_;
  bool ok_ = true;
};

} // namespace sluice
