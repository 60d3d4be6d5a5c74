// The body of a response: text of its own, or bytes in memory that somebody else keeps, which are sent from where they
// lie. Pure. Copies of a body in shared memory are cheap, and a thousand responses may have the same.
#pragma once

#include "common/base/bytes.h"

#include <memory>
#include <string>

namespace sluice::http {

// Keeps a body's bytes where they are as long as it lives: a mapping, a text.
class BodyMemory {
public:
  BodyMemory() = default;
  BodyMemory(const BodyMemory &) = delete;
  BodyMemory &operator=(const BodyMemory &) = delete;
  virtual ~BodyMemory() = default;
  // False once the bytes may be others than they were. It is asked each time when some were read; what was passed on
  // may be torn then, so the response is not completed.
  virtual bool intact() const { return true; }
};

class Body {
public:
  Body() = default;
  Body(std::string text) : text_(std::move(text)) {}
  Body(const char *text) : text_(text) {}
  // `bytes` lie in what `memory` keeps.
  Body(std::shared_ptr<const BodyMemory> memory, Bytes bytes) : memory_(std::move(memory)), bytes_(bytes) {}
  // In memory that all copies share.
  static Body shared(std::string text);

  size_t size() const { return bytes().size(); }
  bool empty() const { return bytes().empty(); }
  Bytes bytes() const { return memory_ != nullptr ? bytes_ : as_bytes(text_); }
  const std::shared_ptr<const BodyMemory> &memory() const { return memory_; } // null: text of its own
  // `begin` and `count` lie within it.
  Body part(size_t begin, size_t count) const;
  // The same as shared memory; costs no copy.
  Body into_shared() &&;

private:
  std::string text_;
  std::shared_ptr<const BodyMemory> memory_;
  Bytes bytes_;
};

} // namespace sluice::http
