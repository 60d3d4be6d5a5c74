#include "common/media/nal_unit.h"

namespace sluice::media {

RawPayload::RawPayload(Bytes nal_unit) {
  size_t zeros = 0;
  for (uint8_t byte : nal_unit) {
    if (size_ == buffer_.size()) break;
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    buffer_[size_++] = byte;
  }
}

} // namespace sluice::media
