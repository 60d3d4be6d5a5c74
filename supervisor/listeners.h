// The sockets that outlive workers: one TCP listener per slot, the base sockets of the shared UDP ports.
// Opened once, kept as long as their address is configured.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/loop/socket.h"

#include <string>
#include <vector>

namespace sluice {

// Resolves "host:port"; the host may be a name.
Result<loop::SocketAddress> resolve(const std::string &address);

// Error if anybody else has the address. (Our own sockets share their port, so binding alone would not show it.)
Result<std::vector<Fd>> open_tcp_listeners(const loop::SocketAddress &address, size_t count);
Result<Fd> open_udp_base(const loop::SocketAddress &address);

} // namespace sluice
