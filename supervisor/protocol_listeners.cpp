#include "supervisor/protocol_listeners.h"

#include "supervisor/config/worker_slots.h"

namespace sluice {
namespace {

// Addresses that are empty: nothing is to be opened.
struct Wanted {
  std::string plain, tls;
  ServerCertificate::Files files;
};

Wanted wanted(const config::Configuration &configuration, config::Protocol protocol) {
  using config::Encryption;
  if (!config::serves(configuration, protocol)) return {};
  Wanted wanted;
  Encryption encryption = Encryption::No;
  switch (protocol) {
  case config::Protocol::Rtsp:
    encryption = configuration.encryption;
    wanted = {
        configuration.rtsp_address, configuration.rtsps_address, {configuration.server_cert, configuration.server_key}};
    break;
  case config::Protocol::Rtmp:
    encryption = configuration.rtmp_encryption;
    wanted = {configuration.rtmp_address,
              configuration.rtmps_address,
              {configuration.rtmp_server_cert, configuration.rtmp_server_key}};
    break;
  case config::Protocol::Hls: // one address, for either
    encryption = configuration.hls_encryption ? Encryption::Strict : Encryption::No;
    wanted = {configuration.hls_address,
              configuration.hls_address,
              {configuration.hls_server_cert, configuration.hls_server_key}};
  }
  if (encryption == Encryption::Strict) wanted.plain.clear();
  if (encryption == Encryption::No) wanted.tls.clear();
  return wanted;
}

} // namespace

ProtocolListeners::ProtocolListeners(loop::Loop &loop, config::Protocol protocol, Listener &listener)
    : protocol_(protocol), listener_(listener),
      certificate_(loop, std::string(config::label_of(protocol, true)), *this) {}

Result<ProtocolListeners::Opened> ProtocolListeners::open(const config::Configuration &next,
                                                          control::SlotSet slots) const {
  Wanted wants = wanted(next, protocol_);
  Opened opened;
  opened.plain = TRY(plain_.open(wants.plain, slots.size()));
  opened.tls = TRY(tls_.open(wants.tls, slots.size()));
  if (opened.tls.text.empty() || certificate_.uses(wants.files)) return opened;
  auto loaded = ServerCertificate::load(wants.files);
  if (!loaded) return Error{std::string(config::label_of(protocol_, true)) + ": " + loaded.error().message};
  opened.certificate = std::move(*loaded);
  return opened;
}

void ProtocolListeners::apply(Opened opened, control::SlotSet slots) {
  plain_.apply(std::move(opened.plain), slots);
  tls_.apply(std::move(opened.tls), slots);
  if (opened.certificate) certificate_.use(std::move(*opened.certificate));
  if (!tls_.is_open()) certificate_.forget();
}

} // namespace sluice
