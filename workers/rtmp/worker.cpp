#include "workers/rtmp/worker.h"

#include "workers/base/process.h"
#include "workers/rtmp/server.h"

namespace sluice::rtmp {

void run_worker(int control_fd) {
  worker::run<Server>(control_fd, "RTMP");
}

} // namespace sluice::rtmp
