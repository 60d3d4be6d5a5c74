// A connected TCP socket of a loop that polls its descriptor, whose owner closes it. Never blocks.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <sys/uio.h>

#include <optional>
#include <span>

namespace sluice::loop {

class StreamSocket {
public:
  explicit StreamSocket(int fd) : fd_(fd) {}

  // Bytes moved; empty: none now, poll for it. 0 bytes read: the peer's end. Errors: "read: reason", "write: reason".
  Result<std::optional<size_t>> read(MutableBytes into);
  Result<std::optional<size_t>> write(Bytes bytes);
  Result<std::optional<size_t>> write(std::span<const iovec> parts);

private:
  int fd_;
};

} // namespace sluice::loop
