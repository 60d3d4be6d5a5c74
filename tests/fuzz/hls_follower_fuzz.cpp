// Playlists of a source one after the other, with a NUL between them, and what is fetched because of them: only what is
// on the web, in order, and in finitely many steps. What segments hold is made of the same bytes.

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "workers/hls/playlist/parser.h"
#include "workers/hls/pull/follower.h"
#include "workers/hls/pull/media_buffer.h"
#include "workers/hls/pull/segment_reader.h"

using namespace sluice;

namespace {

constexpr size_t kMaxSteps = 4 * hls::kMaxSourceSegments;

struct Puller {
  hls::Follower follower{"http://host/a/b.m3u8?q"};
  hls::MediaBuffer buffer{1};
  hls::SegmentReader reader;

  void read(const hls::Fetch &fetch, Bytes bytes) {
    hls::DemuxSink &sink = buffer.sink(0);
    if (!reader.begin(fetch, sink)) return;
    buffer.set_discontinuity(0, fetch.discontinuity);
    if (reader.push(bytes, sink)) (void)reader.finish(sink);
  }

  // What is there to be fetched; `bytes`: what each of it holds.
  void fetch(Bytes bytes) {
    for (size_t step = 0; step < kMaxSteps; step++) {
      auto next = follower.next();
      if (!next || !*next) return;
      hls::Fetch fetch = **next;
      CHECK(fetch.url.starts_with("http://") || fetch.url.starts_with("https://"));
      if (fetch.kind == hls::Fetch::Kind::Key) {
        CHECK(follower.on_key(ByteVector(hls::kAesBlock)));
        continue;
      }
      if (step < 4) read(fetch, bytes);
      follower.done();
    }
    CHECK(false);
  }

  void play() {
    if (!buffer.settle(true)) return;
    buffer.begin_together();
    std::vector<std::optional<Nanoseconds>> times(buffer.tracks().size());
    while (auto track = buffer.next()) {
      Nanoseconds time = buffer.take(*track).dts_ns;
      CHECK(!times[*track] || *times[*track] < time);
      times[*track] = time;
    }
    CHECK(buffer.empty());
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Puller puller;
  std::string_view text = as_text(Bytes(data, size));
  Nanoseconds now = kSecond;
  while (!text.empty()) {
    std::string_view one = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    auto playlist = hls::parse_playlist(one);
    auto *media = playlist ? std::get_if<hls::SourceMedia>(&*playlist) : nullptr;
    if (media == nullptr) continue;
    puller.follower.on_load(now);
    puller.follower.on_playlist(std::move(*media), "https://host/c/d.m3u8", now);
    puller.fetch(as_bytes(text));
    CHECK(puller.follower.hold_back() >= 0);
    if (auto reload = puller.follower.reload()) CHECK(reload->due >= now);
    (void)puller.follower.finished();
    now += kSecond;
  }
  puller.play();
  return 0;
}
