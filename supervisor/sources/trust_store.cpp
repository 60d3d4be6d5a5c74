#include "supervisor/sources/trust_store.h"

#include <fcntl.h>
#include <openssl/x509.h>

#include <cstdlib>

namespace sluice {

Result<Fd> open_trust_store() {
  if (const char *named = std::getenv(X509_get_default_cert_file_env())) {
    Fd fd(::open(named, O_RDONLY | O_CLOEXEC));
    if (!fd) return os_error(std::string("trusted certificates: ") + named);
    return fd;
  }
  for (const char *path : {"/etc/ssl/certs/ca-certificates.crt", X509_get_default_cert_file(),
                           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}) {
    Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
    if (fd) return fd;
  }
  return Error{"no trusted certificates on this machine: install ca-certificates, or set sourceFingerprint"};
}

} // namespace sluice
