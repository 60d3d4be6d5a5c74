#include "common/loop/next_turn.h"

#include "common/base/check.h"

namespace sluice::loop {

NextTurn::NextTurn(Loop &loop, Listener &listener) : handle_(new uv_async_t), listener_(listener) {
  int error = uv_async_init(loop.raw(), handle_.get(), [](uv_async_t *handle) {
    auto *self = static_cast<NextTurn *>(handle->data);
    if (self != nullptr) self->listener_.on_next_turn();
  });
  CHECK(error == 0);
  handle_->data = this;
}

void NextTurn::request() {
  CHECK(uv_async_send(handle_.get()) == 0);
}

} // namespace sluice::loop
