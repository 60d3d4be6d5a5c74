// Addresses that are about to be listened on.
#pragma once

#include "common/base/result.h"
#include "common/loop/socket.h"

#include <string>

namespace sluice {

// Resolves "host:port"; the host may be a name.
Result<loop::SocketAddress> resolve(const std::string &address);

// Error if anybody has the address already, SOCK_STREAM or SOCK_DGRAM. (Our own sockets share their port, so binding
// them alone would not show it.)
Result<void> check_unused(const loop::SocketAddress &address, int type);

} // namespace sluice
