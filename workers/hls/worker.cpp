#include "workers/hls/worker.h"

#include "workers/base/process.h"
#include "workers/hls/server.h"

namespace sluice::hls {

void run_worker(int control_fd) {
  worker::run<Server>(control_fd, "HLS");
}

} // namespace sluice::hls
