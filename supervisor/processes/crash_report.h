// What the log says about a worker that died of a fault: signal, address and the stack, a line for each frame:
//   [rtsp-0] #1 sluice+0x1b2c3 sluice::rtsp::Connection::receive()
// `addr2line -Cife sluice 0x1b2c3` tells the line of the source.
#pragma once

#include "ipc/shm/crash_record.h"

#include <string>
#include <vector>

namespace sluice::processes {

// `signal`: that the worker died of, as the keeper says. Nothing if the record is of no such crash.
std::vector<std::string> crash_report(const shm::CrashRecord &record, int signal);

} // namespace sluice::processes
