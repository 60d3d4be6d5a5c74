// Text that is overwritten when it goes: what a client sent to prove who it is. Its memory is never reallocated.
#pragma once

#include <openssl/crypto.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::auth {

class SecretText {
public:
  SecretText() = default;
  explicit SecretText(std::string_view text) : bytes_(text.begin(), text.end()) {}
  SecretText(const SecretText &) = default;
  SecretText(SecretText &&) noexcept = default;
  SecretText &operator=(SecretText other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  ~SecretText() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  // Overwrites the source, too.
  static SecretText take(std::string &source) {
    SecretText text{std::string_view(source)};
    OPENSSL_cleanse(source.data(), source.size());
    source.clear();
    return text;
  }

  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
  bool empty() const { return bytes_.empty(); }

private:
  std::vector<char> bytes_;
};

} // namespace sluice::auth
