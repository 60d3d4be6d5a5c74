// A server's bytes to a Client that pulls from it: it never takes more than there is, its effects come in an order that
// makes sense, and it ends. The first byte chooses transport and how many bytes come at once; a line "\x01P", "\x01T"
// or "\x01S" of the input is an event: packets came, time passes, stop.
#include "common/base/check.h"
#include "workers/rtsp/protocol/client.h"
#include "workers/rtsp/protocol/client_urls.h"

#include <algorithm>

namespace {

using namespace sluice;
using namespace sluice::rtsp;

struct Player final : ClientMedia {
  explicit Player(uint8_t choice)
      : client({.url = *parse_url(choice & 8 ? "rtsps://u:p@h/a?b" : "rtsp://u:p@h/a/"),
                .transport = static_cast<ClientTransport>(choice & 3),
                .any_port = (choice & 4) != 0,
                .read_timeout = 10 * kSecond,
                .client_nonce = "c"}) {
    client.on_connected(now, effects);
    perform();
  }

  Result<void> on_interleaved(size_t track, bool, Bytes) override {
    CHECK(track < client.description().tracks.size());
    return {};
  }

  void perform() {
    while (!effects.empty()) {
      ClientEffects current = std::exchange(effects, {});
      for (ClientEffect &effect : current) std::visit([this](auto &which) { on(which); }, effect);
    }
  }
  void on(const client::Send &send) {
    CHECK(!send.bytes.empty() && send.bytes.ends_with("\r\n\r\n"));
    CHECK(send.bytes.size() < 64 * 1024);
  }
  void on(const client::OpenPorts &open) {
    CHECK(open.track < media::kMaxTracks);
    client.on_ports({10000, 10001}, now, effects);
  }
  void on(const client::TrackSetUp &set_up) {
    CHECK(set_up.track < media::kMaxTracks);
    CHECK(set_up.route.transport != ClientTransport::Automatic);
  }
  void on(const client::Ready &) {
    CHECK(media::is_valid(client.description()));
    client.play(now, effects);
  }
  void on(const client::StartOver &) {
    CHECK(++restarts == 1);
    client.on_connected(now, effects);
  }
  void on(const client::Moved &) { end(); }
  void on(const client::Failed &failed) {
    CHECK(!failed.reason.empty());
    end();
  }
  void end() {
    CHECK(!ended);
    ended = true;
    CHECK(!client.deadline());
  }

  // Whether it was an event; then two bytes are gone.
  bool on_event(Bytes rest) {
    if (rest.size() < 2 || rest[0] != 1) return false;
    now += kSecond;
    if (rest[1] == 'P') client.on_packet(now);
    if (rest[1] == 'T' && client.deadline()) {
      now = std::max(now, *client.deadline());
      client.on_time(now, effects);
    }
    if (rest[1] == 'S') client.stop(now, effects);
    perform();
    return rest[1] == 'P' || rest[1] == 'T' || rest[1] == 'S';
  }

  Client client;
  ClientEffects effects;
  Nanoseconds now = 1;
  int restarts = 0;
  bool ended = false;
};

void check_challenges(Bytes input) {
  auto challenges = parse_challenges(as_text(input.first(std::min<size_t>(input.size(), 2048))));
  ClientCredentials credentials("u:p", "c");
  if (challenges && credentials.accept(*challenges)) CHECK(!credentials.authorization("GET", "*").empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes rest(data + 1, size - 1);
  check_challenges(rest);
  Player player(data[0]);
  size_t step = data[0] >> 4 == 0 ? rest.size() : data[0] >> 4, seen = std::min(step, rest.size());
  while (!rest.empty() && !player.ended) {
    size_t taken = 2;
    if (!player.on_event(rest.first(seen))) {
      taken = player.client.on_input(rest.first(seen), player.now, player, player.effects);
      CHECK(taken <= seen);
      player.perform();
    }
    rest = rest.subspan(taken);
    seen -= taken;
    if (taken == 0 && seen == rest.size()) break;
    if (taken == 0 || seen == 0) seen = std::min(seen + std::max<size_t>(step, 1), rest.size());
  }
  return 0;
}
