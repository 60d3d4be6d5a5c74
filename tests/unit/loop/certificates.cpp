#include "tests/unit/loop/certificates.h"

#include "common/base/check.h"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

namespace sluice::loop {
namespace {

std::string text_of(BIO *memory) {
  char *data = nullptr;
  long length = BIO_get_mem_data(memory, &data);
  std::string text(data, static_cast<size_t>(length));
  BIO_free(memory);
  return text;
}

X509 *parse(const std::string &pem) {
  BIO *memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509 *certificate = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
  BIO_free(memory);
  CHECK(certificate != nullptr);
  return certificate;
}

void add_extension(X509 *certificate, int id, const std::string &value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

} // namespace

TestIdentity make_identity(const TestCertificate &wanted) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  CHECK(key != nullptr && certificate != nullptr);
  static long serial = 1;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  constexpr long kDay = 24 * 3600;
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay + std::min(wanted.days, 0L) * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.days * kDay);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char *>(wanted.name.c_str()), -1, -1, 0);
  add_extension(certificate, NID_basic_constraints, "CA:TRUE");
  if (!wanted.alternatives.empty()) add_extension(certificate, NID_subject_alt_name, wanted.alternatives);
  if (wanted.issuer == nullptr) {
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
  } else {
    X509 *issuer = parse(wanted.issuer->certificate);
    BIO *memory = BIO_new_mem_buf(wanted.issuer->key.data(), static_cast<int>(wanted.issuer->key.size()));
    EVP_PKEY *issuer_key = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
    BIO_free(memory);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    CHECK(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    EVP_PKEY_free(issuer_key);
    X509_free(issuer);
  }
  TestIdentity made;
  BIO *memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  made.certificate = text_of(memory);
  memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(memory, key, nullptr, nullptr, 0, nullptr, nullptr);
  made.key = text_of(memory);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

std::string fingerprint_of(const TestIdentity &identity) {
  X509 *certificate = parse(identity.certificate);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), digest, &length) == 1);
  X509_free(certificate);
  std::string text;
  for (unsigned int i = 0; i < length; i++) text += fmt::format("{:02x}", digest[i]);
  return text;
}

} // namespace sluice::loop
