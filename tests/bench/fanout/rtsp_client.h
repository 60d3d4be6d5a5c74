// A minimal RTSP client over loopback: blocking requests, one connection, one session. Enough to read and
// to publish; each wait is bounded by the 5 s timeout of the socket.
#pragma once

#include "tests/bench/fanout/socket.h"
#include "tests/bench/fanout/tls.h"

#include <map>
#include <string>
#include <vector>

namespace sluice::fanout {

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers; // names in lower case
  std::string body;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

enum class Transport { kTcp, kUdp, kTls, kMulticast, kRtmp };

class RtspClient {
public:
  static Result<RtspClient> open(uint16_t port, const std::string &path, bool over_tls = false);

  // The reply, whatever its status.
  Result<Reply> request(const std::string &method, const std::string &url, const Headers &headers = {},
                        const std::string &body = {});
  // An Error unless the status is 200.
  Result<Reply> succeed(const std::string &method, const std::string &url, const Headers &headers = {},
                        const std::string &body = {});
  // Leaves the reply to whoever reads the connection next.
  Result<void> send(const std::string &method, const std::string &url, const Headers &headers = {},
                    const std::string &body = {});

  const std::string &url() const { return url_; }
  const Fd &socket() const { return fd_; }
  int fd() const { return fd_.get(); }
  SSL *tls() const { return tls_.get(); } // null: plain
  Result<Reply> receive();

private:
  RtspClient(Fd fd, Tls tls, std::string url) : fd_(std::move(fd)), tls_(std::move(tls)), url_(std::move(url)) {}

  Fd fd_;
  Tls tls_;
  std::string url_;
  std::string session_;
  int sequence_ = 0;
};

struct MediaTrack {
  bool video = false;
  std::string url; // of SETUP
};

struct MulticastGroup {
  std::string address;
  uint16_t port = 0; // of RTP
};

// A session that is set up and not playing yet.
struct Reader {
  RtspClient client;
  std::vector<MediaTrack> tracks; // track i is on channels 2i and 2i+1, on udp[i], or sent to groups[i]
  std::vector<UdpPair> udp;
  std::vector<MulticastGroup> groups;
};

Result<Reader> set_up_reader(uint16_t port, const std::string &path, Transport transport);
// Sends PLAY; the reply comes before the media, and is taken here if it is encrypted.
Result<void> play(Reader &reader);

} // namespace sluice::fanout
