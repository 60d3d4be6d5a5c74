// The tables that are printed. A figure stands beside its target and nothing judges it.
#pragma once

#include "tests/bench/fanout/fanout.h"
#include "tests/bench/fanout/latency.h"
#include "tests/bench/fanout/publish.h"
#include "tests/bench/fanout/pull.h"

namespace sluice::fanout {

void print_heading(const std::string &heading);
void print_fanout_columns();
const char *name_of(Transport transport);
// One line for the server (with the ratio), one for it with writeMerge if that was measured, and one for the plain
// loop beside it.
void print_fanout(Transport transport, size_t readers, const ServerFanout &server, const Window &loop,
                  const Window *merged = nullptr);
void print_memory(Transport transport, size_t readers, const ServerFanout &server);
void print_pull_columns();
// The server without and with readers, and the plain loop; then the server's memory.
void print_pulling(Transport transport, size_t sources, const Pulling &pulling);
void print_publishing(size_t publishers, const Publishing &publishing);
void print_latency(Transport transport, size_t readers, const PacedStream &stream);
void print_share(const std::string &what, double share_of_core, const std::string &target);
void print_failure(const std::string &what, const Error &error);

} // namespace sluice::fanout
