#include "workers/hls/verdicts.h"

#include "common/base/check.h"
#include "common/base/random.h"

#include <sodium.h>

namespace sluice::hls {

Verdicts::Verdicts() {
  CHECK(::sodium_init() >= 0);
  for (uint8_t &byte : secret_) byte = static_cast<uint8_t>(secure_random());
}

// BLAKE2b with a key (RFC 7693). Lengths come first, so that no two askers give the same text.
Verdicts::Key Verdicts::key_of(const Asker &asker) const {
  crypto_generichash_state state;
  Key key{};
  ::crypto_generichash_init(&state, secret_.data(), secret_.size(), sizeof key);
  for (std::string_view part : {asker.address, asker.path, asker.query, asker.authorization}) {
    uint64_t size = part.size();
    ::crypto_generichash_update(&state, reinterpret_cast<const uint8_t *>(&size), sizeof size);
    ::crypto_generichash_update(&state, reinterpret_cast<const uint8_t *>(part.data()), part.size());
  }
  ::crypto_generichash_final(&state, reinterpret_cast<uint8_t *>(key.data()), sizeof key);
  ::sodium_memzero(&state, sizeof state);
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
