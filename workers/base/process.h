// A worker's process: its loop, its control channel, its log and its sign of life. Ends when the supervisor is gone.
#pragma once

#include "workers/base/server.h"

#include <memory>
#include <utility>

namespace sluice::worker {

// Makes the protocol's server, when the supervisor has said what there is to serve.
using Create = std::unique_ptr<Server> (*)(loop::Loop &loop, Supervisor &supervisor, shm::SessionTable &table,
                                           ServerParts parts);

// `control_fd` is the worker's end of its control channel; `label`: of its log lines, "RTSP". Leaves only by _exit.
[[noreturn]] void run(int control_fd, Create create, const char *label);

// The same for a server that is made of these four.
template <class ProtocolServer> [[noreturn]] void run(int control_fd, const char *label) {
  run(
      control_fd,
      [](loop::Loop &loop, Supervisor &supervisor, shm::SessionTable &table,
         ServerParts parts) -> std::unique_ptr<Server> {
        return std::make_unique<ProtocolServer>(loop, supervisor, table, std::move(parts));
      },
      label);
}

} // namespace sluice::worker
