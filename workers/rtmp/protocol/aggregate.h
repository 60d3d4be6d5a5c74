// Aggregate messages (section 7.1.6): audio, video and data as the tags of an FLV file, one behind the other.
//   aggregate = *( type(1) length(3) timestamp(3) upper-timestamp(1) stream(3) payload back-pointer(4) )
#pragma once

#include "common/base/result.h"
#include "workers/rtmp/protocol/message.h"

#include <optional>

namespace sluice::rtmp {

class AggregateParser {
public:
  // `aggregate` is a message of that type; its payload must stay until the last next().
  explicit AggregateParser(const Message &aggregate) : aggregate_(aggregate), reader_(aggregate.payload) {}

  // The next message within it, on its message stream, and so rebased that the first has the aggregate's timestamp.
  // Empty: that was all. Error: it ends within one. The last back pointer may be missing.
  Result<std::optional<Message>> next();

private:
  Message aggregate_;
  ByteReader reader_;
  std::optional<uint32_t> first_timestamp_;
};

} // namespace sluice::rtmp
