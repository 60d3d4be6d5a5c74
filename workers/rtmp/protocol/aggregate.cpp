#include "workers/rtmp/protocol/aggregate.h"

namespace sluice::rtmp {

Result<std::optional<Message>> AggregateParser::next() {
  if (reader_.rest().empty()) return std::optional<Message>();
  auto type_and_length = reader_.u32();
  auto times = reader_.u32();
  if (!type_and_length || !times || !reader_.bytes(3)) return Error{"aggregate message ends within a header"};
  auto payload = reader_.bytes(*type_and_length & 0xffffff);
  if (!payload) return Error{"aggregate message ends within a message"};
  if (!reader_.bytes(4)) reader_.bytes(reader_.rest().size());

  uint32_t timestamp = *times >> 8 | *times << 24;
  if (!first_timestamp_) first_timestamp_ = timestamp;
  Message message = aggregate_;
  message.type = static_cast<MessageType>(*type_and_length >> 24);
  message.timestamp += timestamp - *first_timestamp_;
  message.payload = *payload;
  return std::optional(message);
}

} // namespace sluice::rtmp
