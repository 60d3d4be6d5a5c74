#include "common/base/result.h"

#include <cerrno>
#include <cstring>

namespace sluice {

Error os_error(const std::string &what) {
  return Error{what + ": " + std::strerror(errno)};
}

} // namespace sluice
