#include "workers/rtmp/protocol/media_message.h"

#include "workers/rtmp/protocol/aggregate.h"
#include "workers/rtmp/protocol/messages.h"

namespace sluice::rtmp {

int64_t MediaInput::unwrapped(uint32_t timestamp) const {
  if (!last_ms_) return timestamp;
  return *last_ms_ + static_cast<int32_t>(timestamp - static_cast<uint32_t>(*last_ms_));
}

Result<void> MediaInput::on_message(const Message &message, MediaSink &sink) {
  if (message.type != MessageType::Aggregate) return on_single(message, sink);
  AggregateParser parser(message);
  while (auto part = TRY(parser.next())) TRY(on_single(*part, sink));
  return {};
}

Result<void> MediaInput::on_single(const Message &message, MediaSink &sink) {
  MediaMessage media{message.type, unwrapped(message.timestamp), message.payload};
  if (message.type == MessageType::Audio || message.type == MessageType::Video) {
    last_ms_ = media.timestamp_ms;
    return sink.on_media(media);
  }
  if (message.type != MessageType::DataAmf0 && message.type != MessageType::DataAmf3) return {};
  auto values = script_data(message);
  if (!values) return {};
  media.type = MessageType::DataAmf0;
  media.payload = *values;
  return sink.on_media(media);
}

} // namespace sluice::rtmp
