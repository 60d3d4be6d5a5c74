#include "workers/rtmp/protocol/track_selection.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {
namespace {

using media::Codec;
using media::MediaKind;
using testing::ElementsAre;
using testing::IsEmpty;

media::StreamDescription stream(std::vector<Codec> codecs) {
  media::StreamDescription description;
  for (Codec codec : codecs) {
    bool video = codec == Codec::H264 || codec == Codec::H265 || codec == Codec::Av1 || codec == Codec::Jpeg;
    media::Track track;
    track.kind = video ? MediaKind::Video : codec == Codec::Other ? MediaKind::Application : MediaKind::Audio;
    track.codec = codec;
    track.clock_rate = codec == Codec::Pcmu ? 8000 : 90000;
    track.channels = 1;
    description.tracks.push_back(track);
  }
  return description;
}

ClientFacts enhanced(std::vector<std::string> four_ccs, uint32_t caps_ex = 0) {
  ClientFacts client;
  client.enhanced = true;
  client.four_ccs = std::move(four_ccs);
  client.caps_ex = caps_ex;
  return client;
}

TEST(TrackSelection, EverybodyTakesTheClassicCodecs) {
  for (const ClientFacts &client : {ClientFacts{}, enhanced({"hvc1"})}) {
    auto selection = select_tracks(stream({Codec::Other, Codec::H264, Codec::Aac}), client);
    ASSERT_TRUE(selection);
    EXPECT_EQ(selection->video, 1);
    EXPECT_THAT(selection->audio, ElementsAre(2));
  }
  EXPECT_THAT(select_tracks(stream({Codec::Pcmu}), {})->audio, ElementsAre(0));
  EXPECT_THAT(select_tracks(stream({Codec::MpegAudio}), {})->audio, ElementsAre(0));
}

TEST(TrackSelection, OthersOnlyWhereTheyAreAnnounced) {
  media::StreamDescription description = stream({Codec::H265, Codec::H264, Codec::Opus});
  auto classic = select_tracks(description, {});
  EXPECT_EQ(classic->video, 1);
  EXPECT_THAT(classic->audio, IsEmpty());
  auto hevc = select_tracks(description, enhanced({"hvc1"}));
  EXPECT_EQ(hevc->video, 0);
  EXPECT_THAT(hevc->audio, IsEmpty());
  auto all = select_tracks(description, enhanced({"*"}));
  EXPECT_EQ(all->video, 0);
  EXPECT_THAT(all->audio, ElementsAre(2));
}

TEST(TrackSelection, SeveralAudioTracksForThoseWhoTakeThem) {
  media::StreamDescription description = stream({Codec::Aac, Codec::Opus, Codec::Pcmu, Codec::H264, Codec::Aac});
  EXPECT_THAT(select_tracks(description, enhanced({"*"}))->audio, ElementsAre(0));
  EXPECT_THAT(select_tracks(description, enhanced({"*"}, 2))->audio, ElementsAre(0, 1, 4)); // G.711 has no FourCC
  EXPECT_THAT(select_tracks(description, enhanced({"mp4a"}, 2))->audio, ElementsAre(0, 4));
  EXPECT_EQ(select_tracks(description, enhanced({"*"}, 2))->video, 3);
}

TEST(TrackSelection, NothingIsAnError) {
  const char *error = "the stream contains no track that can be read with RTMP by this client";
  EXPECT_EQ(select_tracks(stream({Codec::H265, Codec::Opus}), {}).error().message, error);
  EXPECT_EQ(select_tracks(stream({Codec::Jpeg, Codec::Other}), enhanced({"*"}, 2)).error().message, error);
  EXPECT_EQ(select_tracks({}, {}).error().message, error);
}

TEST(TrackSelection, EqualOnesShareAMuxer) {
  media::StreamDescription description = stream({Codec::H264, Codec::Aac});
  EXPECT_EQ(*select_tracks(description, {}), *select_tracks(description, enhanced({"*"}, 2)));
}

} // namespace
} // namespace sluice::rtmp
