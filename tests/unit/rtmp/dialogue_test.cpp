// What clients in the field send, up to some of their media, as tests/fuzz/corpus/rtmp_machine has it.
#include "tests/unit/rtmp/machine_harness.h"

#include <fstream>
#include <iterator>

namespace sluice::rtmp {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Behind the corpus's first byte.
ByteVector dialogue(const std::string &name) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/tests/fuzz/corpus/rtmp_machine/" + name, std::ios::binary);
  ByteVector bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_GT(bytes.size(), 3000u) << name;
  if (!bytes.empty()) bytes.erase(bytes.begin());
  return bytes;
}

// From the handshake on, answered as it goes.
void follow(MachineHarness &h, const std::string &name) {
  ByteVector bytes = dialogue(name);
  size_t handshake = std::min(bytes.size(), 1 + kHandshakeBytes);
  h.receive(ByteVector(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(handshake)));
  h.out.clear();
  h.receive(ByteVector(bytes.begin() + static_cast<ptrdiff_t>(handshake), bytes.end()));
  ASSERT_EQ(h.done.size(), 1u) << name << " " << h.error;
  if (h.done[0].starts_with("publish"))
    h.accept_publish();
  else
    h.accept_play();
  h.receive({});
  EXPECT_EQ(h.error, "") << name;
}

TEST(Dialogue, PublishersAreUnderstood) {
  struct Case {
    const char *name, *request;
  };
  for (const Case &c : {Case{"ffmpeg_publishes", "publish live/cam ? user=u&pass=p at "},
                        Case{"ffmpeg_publishes_without_app", "publish mystream ?  at "},
                        Case{"ffmpeg_publishes_g711", "publish a/b/c/d ? x at "},
                        Case{"rtmp2sink_publishes", "publish app/key ? a=b at "},
                        Case{"rtmpsink_publishes", "publish app/key2 ?  at "}}) {
    for (size_t step : {0, 1}) {
      MachineHarness h;
      h.bytes_at_once = step;
      follow(h, c.name);
      EXPECT_THAT(h.done, ElementsAre(HasSubstr(c.request))) << c.name;
      ASSERT_GT(h.media.size(), 3u) << c.name;
      EXPECT_THAT(h.media[0], HasSubstr("18@0 "));
      size_t audio = 0, video = 0;
      int64_t last[2] = {};
      for (const std::string &text : h.media) {
        bool is_audio = text.starts_with("8@");
        if (!is_audio && !text.starts_with("9@")) continue;
        (is_audio ? audio : video)++;
        int64_t timestamp = std::stoll(text.substr(2));
        EXPECT_GE(timestamp, last[is_audio]) << c.name;
        EXPECT_LE(timestamp, last[is_audio] + 100) << c.name;
        last[is_audio] = timestamp;
      }
      EXPECT_GT(audio, 0u) << c.name;
      EXPECT_GT(video, 0u) << c.name;
    }
  }
}

TEST(Dialogue, ReadersAreUnderstood) {
  for (const char *name : {"ffmpeg_plays", "rtmpdump_plays", "rtmp2src_plays", "nginx_plays"}) {
    for (size_t step : {0, 1}) {
      MachineHarness h;
      h.bytes_at_once = step;
      follow(h, name);
      EXPECT_THAT(h.done[0], AnyOf(HasSubstr("play live/cam ?  at "), HasSubstr("play app/key ?  at "))) << name;
      EXPECT_TRUE(h.machine.playing() || h.done.back() == "finished") << name;
    }
  }
}

} // namespace
} // namespace sluice::rtmp
