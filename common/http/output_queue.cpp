#include "common/http/output_queue.h"

#include "common/base/check.h"

#include <algorithm>

namespace sluice::http {
namespace {

constexpr size_t kKeptBytes = 16 * 1024; // of memory, while nothing is to be sent
constexpr size_t kMaxGoneSegments = 64;  // before their places are given back

} // namespace

std::string &OutputQueue::text() {
  return text_;
}

// What was appended to the text since belongs to the last segment.
void OutputQueue::count_text() {
  size_t fresh = text_.size() - text_end_;
  if (fresh == 0) return;
  if (first_ == segments_.size() || !segments_.back().span.empty()) segments_.emplace_back();
  segments_.back().text_bytes += fresh;
  text_end_ = text_.size();
}

bool OutputQueue::append(Body body, uint64_t owner) {
  if (body.size() > kLargestCopy) {
    Body shared = std::move(body).into_shared();
    append_span(shared.memory(), shared.bytes(), owner);
    return true;
  }
  append(as_text(body.bytes()));
  return body.memory() == nullptr || body.memory()->intact();
}

void OutputQueue::append_span(const std::shared_ptr<const BodyMemory> &memory, Bytes bytes, uint64_t owner) {
  if (bytes.empty()) return;
  count_text();
  if (first_ == segments_.size() || !segments_.back().span.empty()) segments_.emplace_back();
  Segment &segment = segments_.back();
  segment.span = bytes;
  segment.memory = memory;
  segment.owner = owner;
  span_bytes_ += bytes.size();
}

size_t OutputQueue::gather(std::span<Bytes> places, size_t most) const {
  size_t used = 0, text_at = text_begin_;
  auto add = [&](Bytes bytes) {
    bytes = bytes.first(std::min(bytes.size(), most));
    most -= bytes.size();
    if (!bytes.empty()) places[used++] = bytes;
  };
  for (size_t i = first_; i < segments_.size() && most > 0 && used < places.size(); i++) {
    add(as_bytes(text_).subspan(text_at, segments_[i].text_bytes));
    text_at += segments_[i].text_bytes;
    if (used < places.size())
      add(segments_[i].span);
    else
      return used;
  }
  if (used < places.size()) add(as_bytes(text_).subspan(text_end_));
  return used;
}

std::optional<uint64_t> OutputQueue::consume(size_t bytes) {
  CHECK(bytes <= size());
  count_text();
  std::optional<uint64_t> torn;
  while (bytes > 0) {
    Segment &segment = segments_[first_];
    size_t of_text = std::min(bytes, segment.text_bytes);
    segment.text_bytes -= of_text;
    text_begin_ += of_text;
    bytes -= of_text;
    size_t of_span = std::min(bytes, segment.span.size());
    if (of_span > 0 && !segment.memory->intact()) torn = segment.owner;
    segment.span = segment.span.subspan(of_span);
    span_bytes_ -= of_span;
    bytes -= of_span;
    if (segment.text_bytes > 0 || !segment.span.empty()) break;
    segment.memory.reset();
    first_++;
  }
  tidy();
  return torn;
}

void OutputQueue::tidy() {
  if (empty()) return clear();
  if (first_ >= kMaxGoneSegments) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
  if (text_begin_ < kKeptBytes) return;
  text_.erase(0, text_begin_);
  text_end_ -= text_begin_;
  text_begin_ = 0;
}

void OutputQueue::clear() {
  text_.clear();
  segments_.clear();
  if (text_.capacity() > kKeptBytes) text_ = {};
  if (segments_.capacity() > kMaxGoneSegments) segments_ = {};
  text_begin_ = text_end_ = first_ = span_bytes_ = 0;
}

} // namespace sluice::http
