// Names of this executable's functions, from the symbol table of its file: also of those that are not exported. Read
// when it is needed, which is when a worker has crashed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::processes {

// The function that each address (relative to where the executable is loaded) lies in; "" if that is unknown, as in an
// executable without symbols. At most kMaxNameBytes each.
constexpr size_t kMaxNameBytes = 200;
std::vector<std::string> function_names(const std::vector<uint64_t> &offsets);

} // namespace sluice::processes
