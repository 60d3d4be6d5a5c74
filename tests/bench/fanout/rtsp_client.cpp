#include "tests/bench/fanout/rtsp_client.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace sluice::fanout {
namespace {

constexpr size_t kMaxHead = 16384;
constexpr size_t kMaxBody = 65536;
constexpr size_t kMaxTracks = 4;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string_view trim(std::string_view text) {
  size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

template <class OnLine> void each_line(std::string_view text, OnLine on_line) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    on_line(trim(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// RTSP/1.0 200 OK, then header lines.
Result<Reply> parse_head(std::string_view head) {
  Reply reply;
  constexpr std::string_view kVersion = "RTSP/1.0 ";
  if (!head.starts_with(kVersion)) return Error{"not an RTSP reply"};
  const char *digits = head.data() + kVersion.size();
  if (std::from_chars(digits, head.data() + head.size(), reply.status).ec != std::errc{})
    return Error{"no status in the reply"};
  each_line(head, [&](std::string_view line) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    reply.headers[lower(std::string(line.substr(0, colon)))] = trim(line.substr(colon + 1));
  });
  return reply;
}

Result<std::vector<MediaTrack>> tracks_of(const Reply &described, const std::string &url) {
  auto base_header = described.headers.find("content-base");
  std::string base = base_header == described.headers.end() ? url : base_header->second;
  if (!base.ends_with('/')) base += '/';
  std::vector<MediaTrack> tracks;
  each_line(described.body, [&](std::string_view line) {
    constexpr std::string_view kControl = "a=control:";
    if (line.starts_with("m=")) tracks.push_back({line.starts_with("m=video"), {}});
    if (tracks.empty() || !line.starts_with(kControl)) return;
    std::string control(line.substr(kControl.size()));
    tracks.back().url = lower(control).starts_with("rtsp://") ? control : base + control;
  });
  if (tracks.empty() || tracks.size() > kMaxTracks) return Error{"the description has no tracks, or too many"};
  return tracks;
}

// RTP/AVP;multicast;destination=ADDRESS;port=N-M;...
Result<MulticastGroup> group_of(const std::string &transport) {
  auto value = [&](std::string_view key) -> std::string {
    size_t begin = transport.find(key);
    if (begin == std::string::npos) return {};
    begin += key.size();
    return transport.substr(begin, transport.find_first_of(";-", begin) - begin);
  };
  MulticastGroup group{value(";destination="), 0};
  std::string port = value(";port=");
  std::from_chars(port.data(), port.data() + port.size(), group.port);
  if (group.address.empty() || group.port == 0) return Error{"no group in " + transport};
  return group;
}

} // namespace

Result<RtspClient> RtspClient::open(uint16_t port, const std::string &path, bool over_tls) {
  Fd fd = TRY(tcp_connect(port));
  Tls tls = over_tls ? TRY(tls_connect(fd)) : nullptr;
  return RtspClient(std::move(fd), std::move(tls),
                    fmt::format("{}://127.0.0.1:{}/{}", over_tls ? "rtsps" : "rtsp", port, path));
}

Result<void> RtspClient::send(const std::string &method, const std::string &url, const Headers &headers,
                              const std::string &body) {
  std::string text = fmt::format("{} {} RTSP/1.0\r\nCSeq: {}\r\n", method, url, ++sequence_);
  if (!session_.empty()) text += fmt::format("Session: {}\r\n", session_);
  for (const auto &[name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
  text += "\r\n" + body;
  if (tls_ != nullptr) {
    if (SSL_write(tls_.get(), text.data(), static_cast<int>(text.size())) > 0) return {};
    return Error{tls_error("SSL_write")};
  }
  if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    return os_error("send of " + method);
  return {};
}

Result<Reply> RtspClient::request(const std::string &method, const std::string &url, const Headers &headers,
                                  const std::string &body) {
  TRY(send(method, url, headers, body));
  return receive();
}

Result<Reply> RtspClient::succeed(const std::string &method, const std::string &url, const Headers &headers,
                                  const std::string &body) {
  Reply reply = TRY(request(method, url, headers, body));
  if (reply.status != 200) return Error{fmt::format("{} {} answered {}", method, url, reply.status)};
  return reply;
}

Result<Reply> RtspClient::receive() {
  std::string text;
  size_t wanted = 0; // head and body, once the head is there
  Reply reply;
  while (wanted == 0 || text.size() < wanted) {
    char chunk[4096];
    ssize_t got =
        tls_ != nullptr ? SSL_read(tls_.get(), chunk, sizeof(chunk)) : recv(fd_.get(), chunk, sizeof(chunk), 0);
    if (got == 0) return Error{"the server closed the connection"};
    if (got < 0) return os_error("recv of a reply");
    text.append(chunk, static_cast<size_t>(got));
    size_t end = text.find("\r\n\r\n");
    if (wanted != 0) continue;
    if (end == std::string::npos && text.size() > kMaxHead) return Error{"endless reply"};
    if (end == std::string::npos) continue;
    reply = TRY(parse_head(std::string_view(text).substr(0, end)));
    const std::string &length = reply.headers["content-length"];
    size_t body = 0;
    std::from_chars(length.data(), length.data() + length.size(), body);
    if (body > kMaxBody) return Error{"reply with too long a body"};
    wanted = end + 4 + body;
  }
  reply.body = text.substr(text.find("\r\n\r\n") + 4);
  if (auto session = reply.headers.find("session"); session != reply.headers.end())
    session_ = session->second.substr(0, session->second.find(';'));
  return reply;
}

Result<Reader> set_up_reader(uint16_t port, const std::string &path, Transport transport) {
  RtspClient client = TRY(RtspClient::open(port, path, transport == Transport::kTls));
  Reply described = TRY(client.succeed("DESCRIBE", client.url(), {{"Accept", "application/sdp"}}));
  std::vector<MediaTrack> tracks = TRY(tracks_of(described, client.url()));
  std::vector<UdpPair> udp;
  std::vector<MulticastGroup> groups;
  for (size_t i = 0; i < tracks.size(); i++) {
    std::string value = fmt::format("RTP/AVP/TCP;unicast;interleaved={}-{}", 2 * i, 2 * i + 1);
    if (transport == Transport::kUdp) {
      udp.push_back(TRY(udp_pair()));
      value = fmt::format("RTP/AVP;unicast;client_port={}-{}", udp[i].rtp_port, udp[i].rtp_port + 1);
    }
    if (transport == Transport::kMulticast) value = "RTP/AVP;multicast";
    Reply reply = TRY(client.succeed("SETUP", tracks[i].url, {{"Transport", value}}));
    if (transport == Transport::kMulticast) groups.push_back(TRY(group_of(reply.headers["transport"])));
  }
  return Reader{std::move(client), std::move(tracks), std::move(udp), std::move(groups)};
}

Result<void> play(Reader &reader) {
  TRY(reader.client.send("PLAY", reader.client.url(), {{"Range", "npt=0.000-"}}));
  if (reader.client.tls() == nullptr) return {};
  Reply reply = TRY(reader.client.receive()); // a record of its own
  if (reply.status != 200) return Error{fmt::format("PLAY answered {}", reply.status)};
  return {};
}

} // namespace sluice::fanout
