#include "workers/rtsp/worker.h"

#include "workers/base/process.h"
#include "workers/rtsp/server.h"

namespace sluice::rtsp {

void run_worker(int control_fd) {
  worker::run(
      control_fd,
      [](loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table,
         worker::ServerParts parts) -> std::unique_ptr<worker::Server> {
        return std::make_unique<Server>(loop, supervisor, table, std::move(parts));
      },
      "RTSP");
}

} // namespace sluice::rtsp
