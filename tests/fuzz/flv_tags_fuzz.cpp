// Bodies of RTMP's audio and video messages: byte 0 chooses, the rest is a message. What is understood becomes a track,
// its configuration is written again, and its frames are split and put together.

#include "common/base/check.h"
#include "workers/rtmp/protocol/tracks.h"

using namespace sluice;

namespace {

void use_frame(const rtmp::MediaTag &tag, uint8_t length_size) {
  std::vector<Bytes> units;
  if (!rtmp::split_units(tag.codec, length_size, tag.body, units)) return;
  (void)rtmp::is_random_access(tag, units);
  ByteVector body;
  rtmp::append_units(tag.codec, units, {}, body);
  std::vector<Bytes> again;
  CHECK(rtmp::split_units(tag.codec, 4, body, again) && again.size() == units.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes message(data + 1, size - 1);
  std::vector<rtmp::MediaTag> tags;
  auto parsed = (data[0] & 1) != 0 ? rtmp::parse_video_tag(message, tags) : rtmp::parse_audio_tag(message, tags);
  if (!parsed) return 0;
  CHECK(tags.size() <= rtmp::kMaxTagsOfMessage);
  for (const rtmp::MediaTag &tag : tags) {
    CHECK(tag.body.size() < size && tag.nanoseconds < 1'000'000 && !rtmp::codec_name(tag).empty());
    auto facts = rtmp::describe_track(tag);
    use_frame(tag, static_cast<uint8_t>(1 + (data[0] >> 1 & 3)));
    if (!facts) continue;
    media::StreamDescription description{{facts->track}};
    CHECK(media::is_valid(description));
    auto sets = media::parse_parameter_sets(facts->track);
    CHECK(sets.has_value());
    if (tag.codec == media::Codec::Av1 && !facts->configuration.empty()) sets->sps = facts->configuration[0];
    auto body = rtmp::make_configuration(facts->track, *sets);
    if (!body || body->empty()) continue;
    rtmp::MediaTag written = tag;
    written.kind = rtmp::TagKind::Configuration;
    written.body = *body;
    CHECK(rtmp::describe_track(written).has_value());
  }
  return 0;
}
