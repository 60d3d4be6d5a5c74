#include "workers/rtmp/worker.h"

#include "workers/base/process.h"
#include "workers/rtmp/server.h"

namespace sluice::rtmp {

void run_worker(int control_fd) {
  worker::run(
      control_fd,
      [](loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table,
         worker::ServerParts parts) -> std::unique_ptr<worker::Server> {
        return std::make_unique<Server>(loop, supervisor, table, std::move(parts));
      },
      "RTMP");
}

} // namespace sluice::rtmp
