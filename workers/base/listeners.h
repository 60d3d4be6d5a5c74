// The listening sockets of a worker, plain and for TLS, and what TLS shows. A TLS listener accepts nobody before there
// is a certificate. Owned by the Server.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "common/loop/tls.h"
#include "ipc/control/messages.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace sluice::worker {

enum class Transport : uint8_t { Plain, Tls };

class Listeners final : public loop::Poll::Listener {
public:
  struct Owner {
    virtual void on_accepted(Fd fd, Transport transport) = 0;

  protected:
    ~Owner() = default;
  };

  // `label`: of log lines. `protocols`: that are offered inside TLS (ALPN).
  Listeners(loop::Loop &loop, Owner &owner, const char *label, std::vector<std::string> protocols = {})
      : loop_(loop), owner_(owner), label_(label), protocols_(std::move(protocols)) {}
  ~Listeners() override;

  // Those there are from now on, the last `tls` of them for TLS. Who waits in one that goes is accepted first.
  void listen(std::vector<Fd> listeners, size_t tls);
  bool empty() const { return listeners_.empty(); }
  void stop_accepting(); // until the end
  void retry();          // when descriptors may have become free; now and then

  // For connections from now on; the others keep what they began with.
  void set_certificate(control::Certificate &certificate); // whose secrets are wiped
  // Only while a connection over TLS is being accepted.
  const loop::TlsServerContext &tls() const { return *tls_; }

private:
  static constexpr int kAcceptsPerTurn = 64;

  void on_poll(int fd, int events) override;
  void accept_connections(int listener);
  void watch();

  loop::Loop &loop_;
  Owner &owner_;
  const char *label_;
  const std::vector<std::string> protocols_;
  std::vector<Fd> listeners_;
  std::vector<std::unique_ptr<loop::Poll>> polls_;
  std::unordered_set<int> tls_fds_;
  std::optional<loop::TlsServerContext> tls_;
  bool accepting_ = true;
  bool failed_ = false; // no descriptors
};

} // namespace sluice::worker
