// Workers for tests, chosen by the name of their slot, and the main() that makes the test's executable its own
// keeper: see fake_worker.cpp.
#pragma once

namespace sluice::processes {

// serve-*   says Hello and serves: ticks, echoes each LogLine, gives one accepted connection per Describe
// hang-*    serves, then sleeps for ever when it is told to (LogLine "hang")
// mute-*    never says anything
// stale-*   says Hello in another version
// rubbish-* says Hello, then sends bytes that are no message
// deaf-*    serves, but never reads again after Welcome
// doomed-*  exits before it says anything
void run_fake_worker(int control_fd);

} // namespace sluice::processes
