#include "common/loop/tls.h"

#include "common/base/check.h"
#include "common/base/secret.h"

#include <fmt/format.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace sluice::loop {
namespace {

// Forward secrecy and authenticated encryption; TLS 1.3 has its own list, which is that already.
constexpr const char *kServerCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr size_t kMaxCertificates = 100; // of a chain
constexpr size_t kMaxTrusted = 10'000;

template <class T, void (*Free)(T *)> struct FreeWith {
  void operator()(T *object) const { Free(object); }
};
using Certificate = std::unique_ptr<X509, FreeWith<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY, EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, FreeWith<BIO, BIO_free_all>>;

Memory memory_of(std::string_view text) {
  const char *data = text.empty() ? "" : text.data(); // null is no memory to OpenSSL
  Memory memory(BIO_new_mem_buf(data, static_cast<int>(text.size())));
  CHECK(memory != nullptr);
  return memory;
}

bool at_end_of_pem() {
  unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

Result<std::vector<Certificate>> parse_certificates(std::string_view text, size_t most) {
  ERR_clear_error();
  Memory memory = memory_of(text);
  std::vector<Certificate> certificates;
  while (certificates.size() < most) {
    Certificate next(PEM_read_bio_X509_AUX(memory.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  if (certificates.size() == most) return Error{fmt::format("more than {} certificates", most - 1)};
  bool ended = at_end_of_pem();
  std::string reason = take_tls_error("not readable");
  if (!ended) return Error{fmt::format("certificate {} is damaged: {}", certificates.size() + 1, reason)};
  if (certificates.empty()) return Error{"no PEM certificate in it"};
  return certificates;
}

thread_local bool reading_key = false;

void free_memory(void *memory, const char *, int) {
  if (reading_key && memory != nullptr) ::explicit_bzero(memory, ::malloc_usable_size(memory));
  std::free(memory);
}

// Nobody is there to be asked for a pass phrase.
int note_pass_phrase(char *, int, int, void *asked) {
  *static_cast<bool *>(asked) = true;
  return -1;
}

Result<Key> parse_key(std::string_view text) {
  if (text.find("PRIVATE KEY-----") == text.npos) return Error{"no PEM private key in it"};
  ERR_clear_error();
  Memory memory = memory_of(text);
  bool encrypted = false;
  reading_key = true; // its text and its DER would stay in freed memory
  Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, note_pass_phrase, &encrypted));
  reading_key = false;
  std::string reason = take_tls_error("not readable");
  if (key != nullptr) return key;
  if (encrypted) return Error{"it is protected by a pass phrase"};
  return Error{"it is damaged: " + reason};
}

// --- tickets ---

struct TicketKeys {
  std::vector<std::array<uint8_t, kTicketKeyBytes>> keys; // the newest first
  ~TicketKeys() {
    for (auto &key : keys) wipe(key);
  }
};

constexpr size_t kNameBytes = 16, kSecretBytes = 32;

int ticket_keys_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void *, void *keys, CRYPTO_EX_DATA *, int, long, void *) { delete static_cast<TicketKeys *>(keys); });
  return index;
}

int set_up_ticket(const std::array<uint8_t, kTicketKeyBytes> &key, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, bool encrypts) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<uint8_t *>(&key[kNameBytes + kSecretBytes]),
                                        kSecretBytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  bool done = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, &key[kNameBytes], iv, encrypts ? 1 : 0) == 1 &&
              EVP_MAC_CTX_set_params(mac, parameters) == 1;
  return done ? 1 : -1;
}

// 1: go on; 2: likewise, with a new ticket; 0: not ours; -1: failed.
int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
              int encrypts) {
  const auto &keys =
      static_cast<const TicketKeys *>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ticket_keys_index()))->keys;
  if (encrypts != 0) {
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::memcpy(name, keys.front().data(), kNameBytes);
    return set_up_ticket(keys.front(), iv, cipher, mac, true);
  }
  for (size_t i = 0; i < keys.size(); i++) {
    if (std::memcmp(name, keys[i].data(), kNameBytes) != 0) continue;
    int done = set_up_ticket(keys[i], iv, cipher, mac, false);
    return done == 1 && i > 0 ? 2 : done;
  }
  return 0;
}

Result<void> use_ticket_keys(SSL_CTX *context, std::span<const std::string> given) {
  if (given.empty()) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    return {};
  }
  auto keys = std::make_unique<TicketKeys>();
  keys->keys.resize(given.size());
  for (size_t i = 0; i < given.size(); i++) {
    if (given[i].size() != kTicketKeyBytes) return Error{"a ticket key of the wrong length"};
    std::copy(given[i].begin(), given[i].end(), keys->keys[i].begin());
  }
  CHECK(SSL_CTX_set_ex_data(context, ticket_keys_index(), keys.release()) == 1);
  CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1);
  SSL_CTX_set_num_tickets(context, 1);
  return {};
}

// --- what is spoken inside (ALPN) ---

int protocols_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void *, void *list, CRYPTO_EX_DATA *, int, long, void *) { delete static_cast<std::string *>(list); });
  return index;
}

int on_protocols(SSL *, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                 unsigned int offered_length, void *list) {
  const auto &ours = *static_cast<const std::string *>(list);
  int result = SSL_select_next_proto(const_cast<unsigned char **>(chosen), length,
                                     reinterpret_cast<const unsigned char *>(ours.data()),
                                     static_cast<unsigned int>(ours.size()), offered, offered_length);
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Result<void> offer_protocols(SSL_CTX *context, std::span<const std::string> protocols) {
  if (protocols.empty()) return {};
  auto list = std::make_unique<std::string>(); // each with its length before it
  for (const std::string &name : protocols) {
    if (name.empty() || name.size() > UINT8_MAX) return Error{"a protocol's name of no usable length"};
    list->push_back(static_cast<char>(name.size()));
    *list += name;
  }
  SSL_CTX_set_alpn_select_cb(context, on_protocols, list.get());
  CHECK(SSL_CTX_set_ex_data(context, protocols_index(), list.release()) == 1);
  return {};
}

// --- contexts ---

TlsContextPointer make_context(const SSL_METHOD *method) {
  TlsContextPointer context(SSL_CTX_new(method));
  CHECK(context != nullptr);
  CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
  // The peer's end without close_notify is an end like any: RTSP knows how long its messages are.
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_clear_mode(context.get(), SSL_MODE_AUTO_RETRY); // else key updates in a row keep one read() busy
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

std::string sha256_of(const X509 &certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  CHECK(X509_digest(&certificate, EVP_sha256(), digest, &length) == 1);
  return {reinterpret_cast<const char *>(digest), length};
}

} // namespace

void wipe_what_reading_keys_leaves() {
  auto allocate = [](size_t bytes, const char *, int) { return std::malloc(bytes); };
  auto resize = [](void *memory, size_t bytes, const char *, int) { return std::realloc(memory, bytes); };
  CHECK(CRYPTO_set_mem_functions(allocate, resize, free_memory) == 1);
}

void FreeTlsContext::operator()(SSL_CTX *context) const {
  SSL_CTX_free(context);
}

std::string take_tls_error(const char *otherwise) {
  unsigned long error = ERR_peek_error();
  const char *reason = ERR_reason_error_string(error);
  std::string text = ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error))
                     : reason != nullptr     ? reason
                                             : otherwise;
  ERR_clear_error();
  return text;
}

Result<TlsServerContext> TlsServerContext::create(std::string_view chain, std::string_view key,
                                                  std::span<const std::string> ticket_keys,
                                                  std::span<const std::string> protocols) {
  auto certificates = parse_certificates(chain, kMaxCertificates);
  if (!certificates) return Error{"the certificate can't be used: " + certificates.error().message};
  auto private_key = parse_key(key);
  if (!private_key) return Error{"the private key can't be used: " + private_key.error().message};
  X509 *own = certificates->front().get();
  bool match = X509_check_private_key(own, private_key->get()) == 1;
  ERR_clear_error();
  if (!match) return Error{"the private key does not belong to the certificate"};

  TlsContextPointer context = make_context(TLS_server_method());
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  CHECK(SSL_CTX_set_cipher_list(context.get(), kServerCiphers) == 1);
  if (SSL_CTX_use_certificate(context.get(), own) != 1)
    return Error{"the certificate can't be used: " + take_tls_error("refused")};
  for (size_t i = 1; i < certificates->size(); i++)
    if (SSL_CTX_add1_chain_cert(context.get(), (*certificates)[i].get()) != 1)
      return Error{fmt::format("certificate {} can't be used: {}", i + 1, take_tls_error("refused"))};
  if (SSL_CTX_use_PrivateKey(context.get(), private_key->get()) != 1)
    return Error{"the private key can't be used: " + take_tls_error("refused")};
  // Whoever knows another certificate of this server does not resume, but sees the new one.
  std::string id = sha256_of(*own);
  static_assert(SSL_MAX_SID_CTX_LENGTH == 32);
  CHECK(SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char *>(id.data()),
                                       static_cast<unsigned int>(id.size())) == 1);
  TRY(use_ticket_keys(context.get(), ticket_keys));
  TRY(offer_protocols(context.get(), protocols));
  return TlsServerContext(std::move(context));
}

Result<TlsClientContext> TlsClientContext::trusting(std::string_view certificates) {
  auto trusted = parse_certificates(certificates, kMaxTrusted);
  if (!trusted) return Error{"the trusted certificates can't be used: " + trusted.error().message};
  TlsContextPointer context = make_context(TLS_client_method());
  X509_STORE *store = SSL_CTX_get_cert_store(context.get());
  for (const Certificate &certificate : *trusted)
    if (X509_STORE_add_cert(store, certificate.get()) != 1)
      return Error{"the trusted certificates can't be used: " + take_tls_error("refused")};
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return TlsClientContext(std::move(context), "");
}

TlsClientContext TlsClientContext::share() const {
  SSL_CTX_up_ref(context_.get());
  return {TlsContextPointer(context_.get()), fingerprint_};
}

Result<TlsClientContext> TlsClientContext::with_fingerprint(std::string_view fingerprint) {
  std::string digits;
  for (char c : fingerprint) {
    if (c == ':') continue;
    char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    bool hex = (lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f');
    if (!hex) return Error{"a fingerprint is 64 hexadecimal digits"};
    digits.push_back(lower);
  }
  if (digits.size() != 64) return Error{"a fingerprint is 64 hexadecimal digits"};
  static const TlsContextPointer kUnverified =
      [] { // the fingerprint is compared by each session: one context serves all
        TlsContextPointer context = make_context(TLS_client_method());
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
        return context;
      }();
  SSL_CTX_up_ref(kUnverified.get());
  return TlsClientContext(TlsContextPointer(kUnverified.get()), std::move(digits));
}

} // namespace sluice::loop
