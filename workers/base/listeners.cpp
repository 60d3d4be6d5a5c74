#include "workers/base/listeners.h"

#include "common/base/log.h"
#include "common/base/secret.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace sluice::worker {

Listeners::~Listeners() = default;

void Listeners::listen(std::vector<Fd> listeners, size_t tls) {
  for (const Fd &fd : listeners_) accept_connections(fd.get());
  polls_.clear();
  tls_fds_.clear();
  listeners_ = std::move(listeners);
  for (size_t i = listeners_.size() - tls; i < listeners_.size(); i++) tls_fds_.insert(listeners_[i].get());
  if (tls == 0) tls_.reset(); // a key that nobody needs
  watch();
}

void Listeners::watch() {
  polls_.clear();
  if (!accepting_) return;
  for (const Fd &fd : listeners_) {
    if (tls_fds_.contains(fd.get()) && !tls_) continue;
    polls_.push_back(std::make_unique<loop::Poll>(loop_, fd.get(), *this));
    polls_.back()->watch(loop::Poll::kReadable);
  }
}

void Listeners::stop_accepting() {
  accepting_ = false;
  polls_.clear();
}

void Listeners::retry() {
  if (!std::exchange(failed_, false)) return;
  for (auto &poll : polls_) poll->watch(loop::Poll::kReadable);
}

void Listeners::on_poll(int fd, int) {
  accept_connections(fd);
}

void Listeners::accept_connections(int listener) {
  Transport transport = tls_fds_.contains(listener) ? Transport::Tls : Transport::Plain;
  if (!accepting_ || (transport == Transport::Tls && !tls_)) return;
  for (int i = 0; i < kAcceptsPerTurn; i++) {
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        log(LogLevel::Error, "[{}] can't accept connections for now: {}", label_, os_error("accept").message);
        failed_ = true; // else the listeners would stay readable and keep the loop busy
        for (auto &poll : polls_) poll->watch(0);
      }
      return; // or EAGAIN, or a connection that is gone again
    }
    owner_.on_accepted(std::move(fd), transport);
  }
}

void Listeners::set_certificate(control::Certificate &certificate) {
  auto made = loop::TlsServerContext::create(certificate.chain, certificate.key, certificate.ticket_keys, protocols_);
  wipe(certificate.key);
  for (std::string &key : certificate.ticket_keys) wipe(key);
  if (!made) return log(LogLevel::Error, "[{}S] {}", label_, made.error().message);
  bool first = !tls_;
  tls_ = std::move(*made);
  if (first) watch();
}

} // namespace sluice::worker
