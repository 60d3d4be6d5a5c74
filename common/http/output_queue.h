// What is to be sent, in order: bytes of its own (heads, frame headers) and spans of memory that is kept by others.
// Owned by a Protocol. Pure; its bound is its owner's affair.
#pragma once

#include "common/http/body.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

class OutputQueue {
public:
  // Shorter bodies are copied: that is cheaper than a part of their own in a send.
  static constexpr size_t kLargestCopy = 4 * 1024;

  // To be appended to; nothing else is done with it.
  std::string &text();
  void append(std::string_view bytes) { text() += bytes; }
  // `owner`: who is named if it turns out to be torn. False: it was copied, and is.
  [[nodiscard]] bool append(Body body, uint64_t owner);
  // Never copied.
  void append_span(const std::shared_ptr<const BodyMemory> &memory, Bytes bytes, uint64_t owner);

  bool empty() const { return size() == 0; }
  size_t size() const { return text_.size() - text_begin_ + span_bytes_; }
  // The next bytes, at most `most` of them in at most as many parts as there are places; how many places were used.
  // Valid until something is appended or consumed.
  size_t gather(std::span<Bytes> places, size_t most) const;
  // So many were taken. The owner of a span of which some were taken and that is not intact.
  std::optional<uint64_t> consume(size_t bytes);
  void clear();

private:
  // Some of the queue's text, then a span.
  struct Segment {
    size_t text_bytes = 0;
    Bytes span;
    std::shared_ptr<const BodyMemory> memory;
    uint64_t owner = 0;
  };

  std::string text_;                     // of all segments, in a row
  size_t text_begin_ = 0, text_end_ = 0; // sent, and counted by segments; what is behind that is the last one's
  std::vector<Segment> segments_;
  size_t first_ = 0; // in segments_
  size_t span_bytes_ = 0;

  void count_text();
  void tidy();
};

} // namespace sluice::http
