#include "workers/hls/verdicts.h"

#include "common/base/check.h"
#include "common/base/random.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>

namespace sluice::hls {

Verdicts::Verdicts() {
  for (uint8_t &byte : secret_) byte = static_cast<uint8_t>(secure_random());
}

// Lengths come first, so that no two askers give the same text.
Verdicts::Key Verdicts::key_of(const Asker &asker) const {
  std::string text;
  for (std::string_view part : {asker.address, asker.path, asker.query, asker.authorization}) {
    uint64_t size = part.size();
    text.append(reinterpret_cast<const char *>(&size), sizeof size);
    text += part;
  }
  Key key{};
  unsigned length = sizeof key;
  const uint8_t *made = ::HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
                               reinterpret_cast<const uint8_t *>(text.data()), text.size(),
                               reinterpret_cast<uint8_t *>(key.data()), &length);
  CHECK(made != nullptr && length == sizeof key);
  OPENSSL_cleanse(text.data(), text.size());
  return key;
}

bool Verdicts::is_accepted(const Key &key, Nanoseconds now) const {
  auto found = accepted_.find(key);
  return found != accepted_.end() && now - found->second < kValid;
}

void Verdicts::accept(const Key &key, Nanoseconds now) {
  if (accepted_.size() >= kMax) accepted_.clear(); // those are asked for again
  accepted_[key] = now;
}

void Verdicts::on_second(Nanoseconds now) {
  std::erase_if(accepted_, [now](const auto &entry) { return now - entry.second >= kValid; });
}

} // namespace sluice::hls
