#include "tests/bench/fanout/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace sluice::fanout {
namespace {

SSL_CTX *client_context() {
  static SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  return context;
}

Result<SSL_CTX *> server_context(const std::string &identity) {
  static SSL_CTX *context = nullptr;
  if (context != nullptr) return context;
  context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, (identity + ".crt").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, (identity + ".key").c_str(), SSL_FILETYPE_PEM) != 1)
    return Error{tls_error(identity.c_str())};
  return context;
}

Result<Tls> tls_on(const Fd &socket, SSL_CTX *context) {
  Tls tls(SSL_new(context));
  if (tls == nullptr || SSL_set_fd(tls.get(), socket.get()) != 1) return Error{tls_error("SSL_new")};
  return tls;
}

} // namespace

void FreeTls::operator()(SSL *tls) const {
  SSL_free(tls);
}

std::string tls_error(const char *what) {
  const char *reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return std::string(what) + ": " + (reason != nullptr ? reason : "failed");
}

Result<void> set_blocking(const Fd &socket, bool blocking) {
  int flags = fcntl(socket.get(), F_GETFL);
  flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (fcntl(socket.get(), F_SETFL, flags) != 0) return os_error("fcntl");
  return {};
}

std::string cipher_of(const SSL &tls) {
  return std::string(SSL_get_version(&tls)) + " " + SSL_get_cipher_name(&tls);
}

Result<Tls> tls_connect(const Fd &socket) {
  Tls tls = TRY(tls_on(socket, client_context()));
  if (SSL_connect(tls.get()) != 1) return Error{tls_error("TLS handshake")};
  return tls;
}

Result<TlsPair> tls_pair(const Fd &server, const Fd &client, const std::string &identity) {
  SSL_CTX *context = TRY(server_context(identity));
  TlsPair pair{TRY(tls_on(server, context)), TRY(tls_on(client, client_context()))};
  SSL_set_accept_state(pair.server.get());
  SSL_set_connect_state(pair.client.get());
  for (const Fd *fd : {&server, &client}) TRY(set_blocking(*fd, false));
  constexpr int kMostTurns = 1000;
  int done = 0;
  for (int i = 0; i < kMostTurns && done < 2; i++)
    done = (SSL_do_handshake(pair.client.get()) == 1) + (SSL_do_handshake(pair.server.get()) == 1);
  if (done < 2) return Error{tls_error("TLS handshake")};
  for (const Fd *fd : {&server, &client}) TRY(set_blocking(*fd, true));
  return pair;
}

} // namespace sluice::fanout
