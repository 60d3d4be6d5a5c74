#include "tests/bench/fanout/interleaved.h"

#include <optional>

namespace sluice::fanout {
namespace {

constexpr size_t kFrameHeaderSize = 4;
constexpr size_t kMaxReply = 16384;

// Bytes of the packet or reply (without body) at the front, 0 when more are needed; empty when broken.
std::optional<size_t> measure(Bytes input) {
  if (input[0] == '$') {
    if (input.size() < kFrameHeaderSize) return 0;
    size_t size = kFrameHeaderSize + load_be16(input.data() + 2);
    return input.size() < size ? 0 : size;
  }
  if (input[0] != 'R') return std::nullopt;
  std::string_view text = as_text(input);
  size_t end = text.find("\r\n\r\n");
  if (end != std::string_view::npos) return end + 4;
  return text.size() > kMaxReply ? std::nullopt : std::optional<size_t>(0);
}

} // namespace

bool InterleavedParser::feed(Bytes input, const OnPacket &on_packet) {
  Bytes rest = input;
  if (!partial_.empty()) {
    partial_.insert(partial_.end(), input.begin(), input.end());
    rest = partial_;
  }
  while (!rest.empty()) {
    std::optional<size_t> size = measure(rest);
    if (!size) return false;
    if (*size == 0) break;
    if (rest[0] == '$') on_packet(rest[1], rest.subspan(kFrameHeaderSize, *size - kFrameHeaderSize));
    rest = rest.subspan(*size);
  }
  partial_ = ByteVector(rest.begin(), rest.end());
  return true;
}

void SequenceCheck::on_packet(Bytes head) {
  if (head.size() < kFrameHeaderSize) return;
  uint16_t sequence = load_be16(head.data() + 2);
  uint16_t ahead = static_cast<uint16_t>(sequence - next_);
  packets++;
  if (started_ && ahead >= 0x8000) {
    disordered++;
    return;
  }
  if (started_) lost += ahead;
  started_ = true;
  next_ = static_cast<uint16_t>(sequence + 1);
}

} // namespace sluice::fanout
