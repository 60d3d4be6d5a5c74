// Entry point of an HLS worker process.
#pragma once

namespace sluice::hls {

// `control_fd` is the worker's end of its control channel. Leaves only by _exit.
[[noreturn]] void run_worker(int control_fd);

} // namespace sluice::hls
