// What a client sends on a connection of HTTP/2, whole and in pieces: the same requests and the same refusals, within
// the bounds. Once the machine takes nothing more the rest is not looked at, which in pieces may be sooner. The first
// byte says how requests are answered; the preface need not be in the input.
#include "common/base/check.h"
#include "common/http/http2.h"

#include <algorithm>
#include <vector>

namespace {

using namespace sluice;
using namespace sluice::http;

constexpr ProtocolOptions kOptions{.max_body_bytes = 1000};
constexpr Now kNow{.monotonic = kSecond, .wall = kSecond};
constexpr size_t kMaxOutputBytes = 1024 * 1024; // that is looked at

struct Run final : Protocol::Listener {
  Run(Bytes input, size_t piece, uint8_t how) : how_(how) {
    feed(as_bytes(kHttp2Preface), kHttp2Preface.size());
    feed(input, piece);
    seen = requests;
    ended = http_.end() != Protocol::End::No || !http_.takes_input();
    if (how_ & 1) tick(kOptions.read_timeout); // and who waits gets an answer late
    for (uint64_t number : http_.waiting()) CHECK(http_.respond(number, {.body = "late"}, kNow));
    if (how_ & 2) http_.finish(kNow);
    take();
    tick(kOptions.idle_timeout);
    take();
  }

  void on_request(uint64_t number, Request request) override {
    CHECK(request.body.size() <= kOptions.max_body_bytes && request.headers.all().size() <= kMaxHeaders);
    requests += std::to_string(number) + " " + request.method + " " + request.path + "?" + request.query + "\n";
    for (const Header &header : request.headers.all()) requests += header.name + ": " + header.value + "\n";
    requests += request.body;
    if (how_ & 4) return; // later
    Body body = how_ & 8 ? Body::shared(std::string(10'000, 'b')) : Body("small");
    CHECK(http_.respond(number, {.headers = {{"A", "b"}}, .body = std::move(body)}, kNow));
    CHECK(!http_.respond(number, {}, kNow));
  }
  void on_refused(const Refusal &refusal) override { requests += "refused " + std::to_string(refusal.status) + "\n"; }
  void on_withdrawn(uint64_t number) override { requests += "withdrawn " + std::to_string(number) + "\n"; }

  void feed(Bytes input, size_t piece) {
    while (!input.empty() && http_.end() == Protocol::End::No && http_.takes_input()) {
      size_t count = std::min(piece, input.size());
      http_.feed(input.first(count), kNow);
      input = input.subspan(count);
      CHECK(http_.waiting().size() <= Http2::kMaxStreams);
    }
  }
  void tick(Nanoseconds later) { http_.on_tick({kNow.monotonic + later, kNow.wall + later}); }
  void take() {
    for (size_t taken = 0; taken < kMaxOutputBytes;) {
      http_.fill();
      CHECK(http_.output().size() <= Http2::kMaxQueuedBytes + 64 * 1024);
      Bytes part;
      if (http_.output().gather({&part, 1}, kMaxOutputBytes) == 0) return;
      taken += part.size();
      CHECK(!http_.output().consume(part.size()));
      http_.on_sent(kNow);
    }
  }

  std::string requests;
  std::string seen; // of them, when the input had come
  bool ended = false;

private:
  const uint8_t how_;
  Http2 http_{static_cast<Protocol::Listener &>(*this), kOptions, kNow};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes input = Bytes(data, size).subspan(1);
  Run whole(input, input.size(), data[0]);
  for (size_t piece : {size_t{1}, size_t{7}}) {
    Run pieces(input, piece, data[0]);
    if (pieces.ended)
      CHECK(whole.seen.starts_with(pieces.seen));
    else
      CHECK(pieces.requests == whole.requests);
  }
  return 0;
}
