#include "tests/unit/rtmp/chunks.h"
#include "workers/rtmp/protocol/metadata.h"
#include "workers/rtmp/protocol/track_finder.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {
namespace {

using media::Codec;
using testing::ElementsAre;

const ByteVector kAvc =
    hex("17 00 000000 014d400dffe1001a674d400de982a10f111180880000030008000003019078a149c001000468ce0fc8");
const ByteVector kPicture = hex("27 01 000000 00000002 41bb");
const ByteVector kAac = hex("af 00 1190"), kAacFrame = hex("af 01 2111");
const ByteVector kMp3Frame = hex("2f fffb90640000");

struct Finding : testing::Test {
  Result<void> send(MessageType type, int64_t time_ms, const ByteVector &payload) {
    return finder.on_media({.type = type, .timestamp_ms = time_ms, .payload = payload});
  }
  void video(int64_t time_ms, const ByteVector &payload) { EXPECT_TRUE(send(MessageType::Video, time_ms, payload)); }
  void audio(int64_t time_ms, const ByteVector &payload) { EXPECT_TRUE(send(MessageType::Audio, time_ms, payload)); }
  void announce(std::optional<std::string> video_codec, std::optional<std::string> audio_codec) {
    Metadata metadata{.video = std::move(video_codec), .audio = std::move(audio_codec)};
    EXPECT_TRUE(send(MessageType::DataAmf0, 0, write_metadata(metadata)));
  }
  std::vector<Codec> codecs() const {
    std::vector<Codec> found;
    for (const TrackFinder::Found &track : finder.tracks()) found.push_back(track.facts.track.codec);
    return found;
  }

  TrackFinder finder;
};

TEST_F(Finding, IsDoneOnceWhatIsAnnouncedHasCome) {
  announce("avc1", "mp4a");
  audio(0, kAac);
  video(0, kAvc);
  EXPECT_FALSE(finder.done()); // another audio track may follow
  video(0, kPicture);
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264, Codec::Aac)); // video first
  EXPECT_EQ(finder.tracks()[0].facts.track.payload_type, kVideoPayloadType);
  EXPECT_EQ(finder.tracks()[1].facts.track.payload_type, kAudioPayloadType);
}

TEST_F(Finding, WaitsForNothingThatIsNotAnnounced) {
  announce("avc1", "");
  video(0, kAvc);
  video(0, kPicture);
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264));
}

TEST_F(Finding, WithoutMetadataWaitsForBothKindsForASecond) {
  video(5'000, kAvc);
  video(5'999, kPicture);
  EXPECT_FALSE(finder.done());
  video(6'000, kPicture);
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264));
}

TEST_F(Finding, WithMetadataWaitsThreeSeconds) {
  announce("avc1", "mp4a");
  audio(0, kAac);
  audio(2'999, kAacFrame);
  EXPECT_FALSE(finder.done());
  audio(3'000, kAacFrame);
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::Aac));
}

TEST_F(Finding, DoesNotWaitWhenTimeGoesBack) {
  video(5'000, kAvc);
  video(0, kPicture);
  EXPECT_TRUE(finder.done());
}

TEST_F(Finding, FramesTellWhereThereIsNoConfiguration) {
  audio(0, kMp3Frame);
  video(0, kAvc);
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264, Codec::MpegAudio));
}

TEST_F(Finding, FramesThatCanNotBeUnderstoodTellNothing) {
  video(0, kPicture);
  EXPECT_THAT(codecs(), ElementsAre());
  auto late = send(MessageType::Video, 1'000, kPicture);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message, "no tracks found");
}

TEST_F(Finding, TheLastConfigurationCounts) {
  audio(0, kAac);
  audio(10, hex("af 00 1210")); // 44.1 kHz
  video(10, kAvc);
  audio(10, kAacFrame);
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264, Codec::Aac));
  EXPECT_EQ(finder.tracks()[1].facts.track.clock_rate, 44'100u);
}

TEST_F(Finding, SeveralAudioTracksHaveTheirOwnPayloadTypes) {
  audio(0, hex("95 00 6d703461 01 1190")); // one track of a multitrack message, sequence start, mp4a, id 1
  audio(0, kAac);
  video(0, kAvc);
  audio(0, hex("95 01 6d703461 01 2111"));
  audio(0, kAacFrame);
  EXPECT_FALSE(finder.done()); // there may be more
  video(0, kPicture);
  ASSERT_TRUE(finder.done());
  ASSERT_EQ(finder.tracks().size(), 3u);
  EXPECT_EQ(finder.tracks()[1].track_id, 0);
  EXPECT_EQ(finder.tracks()[2].track_id, 1);
  EXPECT_EQ(finder.tracks()[1].facts.track.payload_type, kAudioPayloadType);
  EXPECT_EQ(finder.tracks()[2].facts.track.payload_type, kAudioPayloadType + 1);
}

// As FFmpeg does: without a word of enhanced RTMP before.
TEST_F(Finding, FurtherTracksAreFoundBehindClassicOnes) {
  announce("avc1", "mp4a");
  video(0, kAvc);
  audio(0, kAac);
  audio(0, hex("95 00 6d703461 01 1190"));
  video(0, kPicture);
  audio(0, kAacFrame);
  EXPECT_FALSE(finder.done());
  audio(0, hex("95 01 6d703461 01 2111"));
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264, Codec::Aac, Codec::Aac));
}

TEST_F(Finding, EnhancedPublishersMayHaveMoreTracksThanTheFirst) {
  finder.expect_enhanced();
  announce("avc1", "mp4a");
  video(0, kAvc);
  audio(0, kAac);
  EXPECT_FALSE(finder.done());
  audio(0, hex("95 00 6d703461 01 1190"));
  audio(0, kAacFrame);
  video(0, kPicture);
  EXPECT_FALSE(finder.done());
  audio(0, hex("95 01 6d703461 01 2111"));
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264, Codec::Aac, Codec::Aac));
}

TEST_F(Finding, EnhancedPublishersWhoseTracksDoNotBeginAreNotWaitedForLonger) {
  finder.expect_enhanced();
  video(0, kAvc);
  audio(0, kAac);
  audio(999, kAacFrame);
  EXPECT_FALSE(finder.done());
  audio(1'000, kAacFrame);
  EXPECT_TRUE(finder.done());
  EXPECT_THAT(codecs(), ElementsAre(Codec::H264, Codec::Aac));
}

TEST_F(Finding, RefusesCodecsThatAreNotSupported) {
  Metadata metadata{.video = "vvc1"};
  auto announced = send(MessageType::DataAmf0, 0, write_metadata(metadata));
  ASSERT_FALSE(announced);
  EXPECT_EQ(announced.error().message, "unsupported video codec vvc1");
  auto sent = send(MessageType::Audio, 0, hex("bf 00"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "unsupported audio codec 11");
}

TEST_F(Finding, FinishNeedsATrack) {
  EXPECT_EQ(finder.finish().error().message, "no tracks found");
  audio(0, kAac);
  EXPECT_TRUE(finder.finish());
  EXPECT_TRUE(finder.done());
}

TEST_F(Finding, BoundsTheTracks) {
  Result<void> sent;
  for (int id = 0; id <= static_cast<int>(media::kMaxTracks) && sent; id++) {
    ByteVector payload = hex("95 00 6d703461 00 1190");
    payload[6] = static_cast<uint8_t>(id);
    sent = send(MessageType::Audio, 0, payload);
  }
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().message, "too many tracks");
}

} // namespace
} // namespace sluice::rtmp
