#include "workers/rtsp/worker.h"

#include "workers/base/process.h"
#include "workers/rtsp/server.h"

namespace sluice::rtsp {

void run_worker(int control_fd) {
  worker::run<Server>(control_fd, "RTSP");
}

} // namespace sluice::rtsp
