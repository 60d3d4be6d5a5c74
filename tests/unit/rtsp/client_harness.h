// A Client and what it does, as text, for tests that play its server.
#pragma once

#include "workers/rtsp/protocol/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::rtsp {

struct ClientHarness final : ClientMedia {
  explicit ClientHarness(const std::string &url = "rtsp://host/cam", ClientTransport transport = ClientTransport::Tcp,
                         bool any_port = false)
      : client({.url = *parse_url(url),
                .transport = transport,
                .any_port = any_port,
                .read_timeout = 10 * kSecond,
                .client_nonce = "0a4f113b"}) {}

  // --- events ---

  void connect() {
    client.on_connected(now, effects);
    take();
  }
  // To the last request.
  void answer(const std::string &status, const std::string &headers = "", const std::string &body = "") {
    std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    receive("RTSP/1.0 " + status + "\r\nCSeq: " + std::to_string(cseq) + "\r\n" + headers + length + "\r\n" + body);
  }
  void ok(const std::string &headers = "", const std::string &body = "") { answer("200 OK", headers, body); }
  void receive(const std::string &text) {
    input += text;
    size_t step = bytes_at_once == 0 ? input.size() : bytes_at_once;
    for (size_t seen = std::min(step, input.size()); !input.empty();) {
      size_t taken = client.on_input(as_bytes(std::string_view(input).substr(0, seen)), now, *this, effects);
      take();
      input.erase(0, taken);
      seen -= taken;
      if (taken == 0 && seen == input.size()) break;
      if (taken == 0) seen = std::min(seen + step, input.size());
    }
  }
  void ports(PortPair pair) {
    client.on_ports(pair, now, effects);
    take();
  }
  void play() {
    client.play(now, effects);
    take();
  }
  void stop() {
    client.stop(now, effects);
    take();
  }
  // Time goes on to the deadline.
  void wait() {
    ASSERT_TRUE(client.deadline().has_value());
    now = std::max(now, *client.deadline());
    client.on_time(now, effects);
    take();
  }
  // Up to the answer to OPTIONS, DESCRIBE.
  void describe(const std::string &sdp, const std::string &headers = "") {
    connect();
    ok();
    ok(headers, sdp);
  }

  // --- effects ---

  Result<void> on_interleaved(size_t track, bool rtcp, Bytes packet) override {
    frames.push_back(std::to_string(track) + (rtcp ? "c " : " ") + std::string(as_text(packet)));
    return {};
  }
  void take() {
    for (ClientEffect &effect : effects) std::visit([this](const auto &which) { note(which); }, effect);
    effects.clear();
  }
  void note(const client::Send &send) {
    done.push_back(send.bytes.substr(0, send.bytes.find(" RTSP/1.0")));
    request = send.bytes;
    if (send.bytes.starts_with("RTSP/")) return;
    size_t at = request.find("CSeq: ") + 6;
    cseq = std::stoi(request.substr(at));
  }
  void note(const client::OpenPorts &open) { done.push_back("open " + std::to_string(open.track)); }
  void note(const client::TrackSetUp &set_up) {
    done.push_back("set up " + std::to_string(set_up.track));
    route = set_up.route;
  }
  void note(const client::Ready &) { done.push_back("ready"); }
  void note(const client::StartOver &) {
    done.push_back("start over");
    input.clear();
  }
  void note(const client::Moved &moved) { done.push_back("moved " + moved.url.text()); }
  void note(const client::Failed &failed) { done.push_back("failed " + failed.reason); }
  std::string last() const { return done.empty() ? "" : done.back(); }

  Client client;
  ClientEffects effects;
  Nanoseconds now = kSecond;
  size_t bytes_at_once = 0; // 0: all there are
  std::string input;
  std::vector<std::string> done, frames;
  std::string request; // the last one sent, or answer
  int cseq = 0;
  MediaRoute route; // the last
};

inline const std::string kAudioSdp = "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n";
inline const std::string kTwoTracksSdp =
    "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"
    "m=audio 0 RTP/AVP 0\r\na=control:trackID=1\r\n";

} // namespace sluice::rtsp
