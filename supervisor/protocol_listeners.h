// What one protocol is served on: the listeners of its slots, plain and over TLS, and the certificate of the latter,
// which only its own workers are told. A change is made in two steps: open() may fail, apply() can't. Loop and listener
// outlive it.
#pragma once

#include "supervisor/config/configuration.h"
#include "supervisor/server_certificate.h"
#include "supervisor/slot_listeners.h"

#include <optional>

namespace sluice {

class ProtocolListeners : ServerCertificate::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_certificate_changed(config::Protocol protocol) = 0;
  };

  ProtocolListeners(loop::Loop &loop, config::Protocol protocol, Listener &listener);

  // What a configuration needs beyond what there is.
  struct Opened {
    SlotListeners::Opened plain, tls;
    std::optional<ServerCertificate::Loaded> certificate; // another than there is
  };
  Result<Opened> open(const config::Configuration &next, control::SlotSet slots) const;
  void apply(Opened opened, control::SlotSet slots);

  const SlotListeners &plain() const { return plain_; }
  const SlotListeners &tls() const { return tls_; }
  // A Certificate, for the workers.
  const control::Message &certificate() const { return certificate_.message(); }

private:
  void on_certificate_changed() override { listener_.on_certificate_changed(protocol_); }

  config::Protocol protocol_;
  Listener &listener_;
  SlotListeners plain_, tls_;
  ServerCertificate certificate_;
};

} // namespace sluice
