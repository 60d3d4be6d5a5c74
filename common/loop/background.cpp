#include "common/loop/background.h"

#include "common/base/check.h"

namespace sluice::loop {
namespace {

struct Work {
  uv_work_t request;
  std::unique_ptr<BackgroundJob> job;
};

} // namespace

void run_in_background(Loop &loop, std::unique_ptr<BackgroundJob> job) {
  auto *work = new Work{{}, std::move(job)};
  work->request.data = work;
  int error = uv_queue_work(
      loop.raw(), &work->request, [](uv_work_t *request) { static_cast<Work *>(request->data)->job->run(); },
      [](uv_work_t *request, int) {
        std::unique_ptr<Work> finished(static_cast<Work *>(request->data));
        finished->job->done();
      });
  CHECK(error == 0);
}

} // namespace sluice::loop
