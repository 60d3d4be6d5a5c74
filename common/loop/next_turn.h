// To go on in the next turn of the loop, after what is ready by then: long work in pieces. (A timer without delay is
// called in the same turn when it is started by another timer.)
#pragma once

#include "common/loop/loop.h"

namespace sluice::loop {

class NextTurn {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_next_turn() = 0;
  };

  NextTurn(Loop &loop, Listener &listener);
  void request(); // one call, however often

private:
  Owned<uv_async_t> handle_;
  Listener &listener_;
};

} // namespace sluice::loop
