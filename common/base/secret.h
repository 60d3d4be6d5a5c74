// Text that must not stay in memory once it was used: a client's credentials.
#pragma once

#include "common/base/bytes.h"

#include <string>

namespace sluice {

void wipe(MutableBytes bytes);
void wipe(std::string &text); // all of its capacity; it is empty afterwards

} // namespace sluice
