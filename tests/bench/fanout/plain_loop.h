// The plain loop that the server is compared with: one buffer, as many sockets, nothing else. It runs in
// a process of its own on the server's core and sends a replay again and again until it is killed.
#pragma once

#include "tests/bench/fanout/process.h"
#include "tests/bench/fanout/recording.h"
#include "tests/bench/fanout/tls.h"

namespace sluice::fanout {

// One side sends, the other receives; reader i has the sockets i * replay.sockets and following.
struct LoopSockets {
  std::vector<Fd> senders;
  std::vector<Fd> receivers;
  std::vector<TlsPair> tls; // of each reader, or none
};

Result<LoopSockets> tcp_sockets(size_t readers);
Result<LoopSockets> tls_sockets(size_t readers, const std::string &identity);
Result<LoopSockets> udp_sockets(size_t readers, size_t sockets_per_reader);
Result<LoopSockets> multicast_sockets(size_t groups); // one receiver for all readers

// The replay begins at `start`, at its end first for `lead` so that the window after it is a whole one.
Result<Child> start_plain_loop(Replay &replay, const LoopSockets &sockets, Nanoseconds start, Nanoseconds lead);

} // namespace sluice::fanout
