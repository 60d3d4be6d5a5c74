// Starts a keeper: this executable again, with an empty environment, the orders' socket and stdio.
#pragma once

#include "common/base/result.h"

#include <sys/types.h>

#include <string>

namespace sluice::processes {

// argv[1] of a keeper; argv[2] is the slot's name.
constexpr const char *kKeeperArgument = "keeper";

Result<pid_t> spawn_keeper(const std::string &slot, int order_socket);

} // namespace sluice::processes
