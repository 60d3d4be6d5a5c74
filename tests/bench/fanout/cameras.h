// Synthetic cameras that publish to a server, all from one process on the clients' core, until it is ended or all of
// them were cut off. Their groups of pictures begin at different times.
#pragma once

#include "tests/bench/fanout/process.h"
#include "tests/bench/fanout/shared_counts.h"
#include "tests/bench/fanout/synthetic_publisher.h"

namespace sluice::fanout {

struct Cameras {
  Child process;
  SharedCounts sent; // of all of them together, and how many were cut off
};

// Camera i publishes to camera_path(i).
Result<Cameras> start_cameras(uint16_t port, size_t cameras, const Pace &pace);
std::string camera_path(size_t camera);

} // namespace sluice::fanout
