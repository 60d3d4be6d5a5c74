#include "common/loop/tls_session.h"

#include "common/base/check.h"
#include "common/loop/stream_socket.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::loop {
namespace {

static_assert(TlsSession::kMaxWriteBytes == StreamSocket::kLargestTlsWrite);
constexpr size_t kRecordBytes = 16 * 1024; // plain bytes of a record, at most
constexpr size_t kRecordOverhead = 256;    // header, padding, tag; of any cipher
constexpr size_t kMaxRecords = TlsSession::kMaxWriteBytes / kRecordBytes;
// What one call may put out, and what a socket may keep: a write, or the answers to what was read (a server's flight
// of a handshake, say), and a little behind that.
constexpr size_t kMaxOutputBytes = TlsSession::kMaxWriteBytes + kMaxRecords * kRecordOverhead + 16 * 1024;

// One process, one thread: the records of the call that runs.
struct Output {
  std::array<uint8_t, kMaxOutputBytes> bytes;
  size_t used = 0;
};
Output output;

std::array<uint8_t, TlsSession::kMaxWriteBytes> gathered; // parts of one write

bool is_address(const std::string &host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::string hex_of(Bytes bytes) {
  std::string text;
  for (uint8_t byte : bytes)
    for (int digit : {byte >> 4, byte & 15}) text.push_back("0123456789abcdef"[digit]);
  return text;
}

} // namespace

struct TlsSession::Callbacks {
  static TlsSession &self(BIO *bio) { return *static_cast<TlsSession *>(BIO_get_data(bio)); }

  static int write(BIO *bio, const char *data, int length) {
    BIO_clear_retry_flags(bio);
    TlsSession &session = self(bio);
    size_t count = static_cast<size_t>(length);
    if (session.kept_.size() + output.used + count > kMaxOutputBytes) {
      BIO_set_retry_write(bio);
      return -1;
    }
    std::memcpy(output.bytes.data() + output.used, data, count);
    output.used += count;
    return length;
  }

  static int read(BIO *bio, char *data, int length) {
    BIO_clear_retry_flags(bio);
    TlsSession &session = self(bio);
    ssize_t count = ::recv(session.fd_, data, static_cast<size_t>(length), MSG_DONTWAIT);
    if (count > 0) return static_cast<int>(count);
    if (count == 0) {
      session.ended_ = true;
    } else if (errno == EAGAIN || errno == EINTR) {
      session.dry_ = true;
      BIO_set_retry_read(bio);
    } else {
      session.receive_error_ = errno;
    }
    return static_cast<int>(count);
  }

  static long control(BIO *bio, int command, long, void *) {
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF && self(bio).ended_ ? 1 : 0;
  }

  static const BIO_METHOD *method() {
    static const BIO_METHOD *made = [] {
      BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice socket");
      CHECK(method != nullptr);
      BIO_meth_set_write(method, write);
      BIO_meth_set_read(method, read);
      BIO_meth_set_ctrl(method, control);
      return method;
    }();
    return made;
  }
};

void TlsSession::FreeSsl::operator()(SSL *ssl) const {
  SSL_free(ssl);
}

TlsSession::TlsSession(int fd, SSL_CTX *context, std::string fingerprint)
    : fd_(fd), ssl_(SSL_new(context)), fingerprint_(std::move(fingerprint)) {
  CHECK(ssl_ != nullptr);
  BIO *bio = BIO_new(Callbacks::method());
  CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsSession::~TlsSession() = default;

std::unique_ptr<TlsSession> TlsSession::accept(int fd, const TlsServerContext &context) {
  std::unique_ptr<TlsSession> session(new TlsSession(fd, context.raw(), ""));
  SSL_set_accept_state(session->ssl_.get());
  return session;
}

Result<std::unique_ptr<TlsSession>> TlsSession::connect(int fd, const TlsClientContext &context,
                                                        const std::string &host) {
  std::unique_ptr<TlsSession> session(new TlsSession(fd, context.raw(), context.fingerprint()));
  SSL_set_connect_state(session->ssl_.get());
  TRY(session->expect(host));
  return session;
}

// Whose certificate the peer has to show, and which it is asked for.
Result<void> TlsSession::expect(const std::string &host) {
  std::string bare = host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
  bare = bare.substr(0, bare.find('%')); // the zone of a link-local address is nothing of the peer's
  if (bare.empty()) return Error{"TLS: no host name to be verified"};
  bool known;
  if (is_address(bare)) {
    known = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), bare.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    known = SSL_set_tlsext_host_name(ssl_.get(), bare.c_str()) == 1 && SSL_set1_host(ssl_.get(), bare.c_str()) == 1;
  }
  if (!known) return Error{"TLS: host name '" + host + "': " + take_tls_error("not usable")};
  return {};
}

std::string_view TlsSession::protocol() const {
  const unsigned char *name = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  return {reinterpret_cast<const char *>(name), length};
}

bool TlsSession::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

// --- between OpenSSL and the kernel ---

// What the call that ran put out goes to the kernel, behind what is kept.
Result<void> TlsSession::deliver() {
  Bytes fresh = Bytes(output.bytes).first(std::exchange(output.used, 0));
  if (kept_.empty() && !fresh.empty()) {
    ssize_t count = ::send(fd_, fresh.data(), fresh.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      failed_ = true;
      return os_error("write");
    }
    fresh = fresh.subspan(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  kept_.insert(kept_.end(), fresh.begin(), fresh.end());
  return {};
}

Result<bool> TlsSession::flush() {
  if (kept_.empty()) return false;
  ssize_t count = ::send(fd_, kept_.data(), kept_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count < 0) {
    failed_ = true;
    kept_ = {};
    return os_error("write");
  }
  kept_.erase(kept_.begin(), kept_.begin() + count);
  if (!kept_.empty()) return count > 0;
  kept_ = {}; // its memory goes, too
  if (std::exchange(stuck_, false)) unread_ = true;
  return true;
}

// Of a call that OpenSSL can't go on with.
Error TlsSession::failure(int result, const char *doing) {
  failed_ = true;
  if (receive_error_ != 0) {
    ERR_clear_error();
    errno = receive_error_;
    return os_error(doing);
  }
  long verified = SSL_get_verify_result(ssl_.get());
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_SSL && fingerprint_.empty() && verified != X509_V_OK &&
      ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    ERR_clear_error();
    return Error{std::string("TLS: certificate verify failed: ") + X509_verify_cert_error_string(verified)};
  }
  return Error{"TLS: " + take_tls_error("protocol error")};
}

Result<void> TlsSession::check_peer() {
  if (fingerprint_.empty()) return {};
  std::unique_ptr<X509, void (*)(X509 *)> certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
  std::string shown = "none";
  if (certificate != nullptr) {
    std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
    unsigned int length = 0;
    CHECK(X509_digest(certificate.get(), EVP_sha256(), digest.data(), &length) == 1);
    shown = hex_of(Bytes(digest).first(length));
  }
  if (shown == fingerprint_) return {};
  failed_ = true;
  return Error{"server fingerprint do not match: expected " + fingerprint_ + ", got " + shown};
}

// The handshake goes on; true: it is done.
Result<bool> TlsSession::establish() {
  if (established_) return true;
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_.get());
  int state = SSL_get_error(ssl_.get(), result);
  stuck_ = state == SSL_ERROR_WANT_WRITE;
  bool waits = stuck_ || state == SSL_ERROR_WANT_READ;
  bool closed = state == SSL_ERROR_ZERO_RETURN || (ended_ && !waits && result != 1);
  std::optional<Error> failed;
  if (result != 1 && !waits && !closed) failed = failure(result, "read");
  if (closed) failed_ = true, failed = Error{"TLS: closed by the peer during the handshake"};
  auto delivered = deliver(); // an alert, perhaps
  if (failed) return *failed;
  TRY(std::move(delivered));
  if (stuck_ && kept_.empty()) stuck_ = false, unread_ = true;
  if (waits) return false;
  TRY(check_peer());
  established_ = unread_ = true;
  return true;
}

// --- for the owner ---

Result<std::optional<size_t>> TlsSession::read(MutableBytes into) {
  if (failed_) return Error{"TLS: failed before"};
  if (established_ && into.empty()) return std::nullopt;
  unread_ = dry_ = false;
  if (!kept_.empty()) TRY(flush());
  if (!TRY(establish()) || into.empty()) return std::nullopt;
  ERR_clear_error();
  size_t count = 0;
  int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
  int state = SSL_get_error(ssl_.get(), result);
  stuck_ = state == SSL_ERROR_WANT_WRITE;
  std::optional<Error> failed;
  if (state == SSL_ERROR_SSL || state == SSL_ERROR_SYSCALL) failed = failure(result, "read");
  auto delivered = deliver();
  if (failed) return *failed;
  if (result == 1) {
    unread_ = SSL_has_pending(ssl_.get()) == 1; // of a record in part, perhaps; the next read tells
    return count;
  }
  TRY(std::move(delivered));
  if (state == SSL_ERROR_ZERO_RETURN) return 0;
  unread_ = !dry_; // a message of the protocol itself was dealt with
  if (kept_.empty()) stuck_ = false;
  return std::nullopt;
}

Result<std::optional<size_t>> TlsSession::write(Bytes bytes) {
  if (failed_) return Error{"TLS: failed before"};
  if (!kept_.empty()) TRY(flush());
  if (!kept_.empty()) return std::nullopt;
  if (!TRY(establish()) || !kept_.empty()) return std::nullopt;
  if (bytes.empty()) return 0;
  ERR_clear_error();
  size_t count = 0;
  Bytes now = bytes.first(std::min(bytes.size(), kMaxWriteBytes));
  int result = SSL_write_ex(ssl_.get(), now.data(), now.size(), &count);
  std::optional<Error> failed;
  if (result != 1) failed = failure(result, "write"); // not for want of room: nothing was kept
  auto delivered = deliver();
  if (failed) return *failed;
  TRY(std::move(delivered));
  CHECK(count == now.size());
  return count;
}

Result<std::optional<size_t>> TlsSession::write(std::span<const iovec> parts) {
  size_t length = 0;
  for (const iovec &part : parts) {
    size_t count = std::min(part.iov_len, gathered.size() - length);
    std::memcpy(gathered.data() + length, part.iov_base, count);
    length += count;
  }
  return write(Bytes(gathered).first(length));
}

void TlsSession::shutdown() {
  if (failed_ || !established_) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_.get()) < 0) ERR_clear_error(); // it was said, or there is no room to say it
  [[maybe_unused]] auto delivered = deliver();         // a peer that is gone need not be told
}

} // namespace sluice::loop
