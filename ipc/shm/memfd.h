// Anonymous shared memory: memfds of fixed, sealed size.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"

#include <cstddef>

namespace sluice::shm {

// All zero, mode 0600, CLOEXEC; its size can never change.
Result<Fd> create_memfd(const char *name, size_t bytes);
// Another descriptor of the same memory, for reading only.
Result<Fd> reopen_read_only(int fd);
// Its size; an Error unless that is sealed, so that no access to a mapping can ever fault.
Result<size_t> sealed_size(int fd);

} // namespace sluice::shm
