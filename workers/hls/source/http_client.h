// What a source fetches, over HTTP/1.1 or HTTP/2 with libcurl: redirects are followed within http and https,
// credentials of the source's URL go to its own origin only, servers are verified as the source says. Nothing of the
// environment counts, neither proxies nor files. One for each source, so that no connection is shared by those that
// trust others. Owned by the source; outlives its downloads.
#pragma once

#include "common/loop/curl_loop.h"
#include "common/loop/socket.h"
#include "common/loop/tls.h"
#include "workers/hls/playlist/source_playlist.h"

#include <optional>
#include <string>
#include <vector>

namespace sluice::hls {

class HttpClient {
public:
  struct Settings {
    std::string url;                            // of the source; with credentials perhaps
    std::vector<loop::SocketAddress> addresses; // of its host
    std::optional<loop::TlsClientContext> tls;  // for all servers; empty: no certificate is trusted
    Nanoseconds connect_timeout_ns = 0;
  };

  // Error: the URL is malformed.
  static Result<std::unique_ptr<HttpClient>> create(loop::Loop &loop, Settings settings);
  ~HttpClient();
  HttpClient(const HttpClient &) = delete;
  HttpClient &operator=(const HttpClient &) = delete;

  // That it may have open.
  static constexpr ptrdiff_t kDescriptors = 8;

  // The source's, without credentials.
  const std::string &url() const { return url_; }
  const std::string &host() const { return host_; }

private:
  friend class Download;
  static constexpr long kMaxConnections = 6, kMaxIdle = 3; // libcurl has two descriptors of its own

  HttpClient(loop::Loop &loop, Settings settings);

  Result<void> take_apart(const std::string &url);
  // Whether the credentials are for this URL.
  bool is_at_home(const std::string &url) const;
  void prepare(CURL *easy, const std::string &url) const;
  static CURLcode set_trust(CURL *, void *ssl_context, void *self);

  loop::CurlLoop curl_;
  Settings settings_;
  std::string url_, host_, origin_; // scheme, host and port
  std::string user_, password_;
  curl_slist *resolved_ = nullptr;
  std::string wrong_fingerprint_; // that a server has shown
};

// One GET at a time. May be started again when it is over. Its listener owns it.
class Download final : loop::CurlLoop::Listener {
public:
  struct Listener {
    // What came, called within libcurl: nothing may be started or stopped. False: it is of no use, and on_done()
    // follows.
    virtual bool on_data(Download &download, Bytes data) = 0;
    // Nothing more should come for now; resume() is to be called.
    virtual bool has_room(Download &download) = 0;
    // Anything may be done here.
    virtual void on_done(Download &download, Result<void> result) = 0;

  protected:
    ~Listener() = default;
  };
  struct Request {
    std::string url;
    std::optional<ByteRange> range;
    uint64_t max_bytes = 0;
    bool compressed = false; // it may be
  };

  Download(HttpClient &client, Listener &listener) : client_(client), listener_(listener) {}
  ~Download() override { cancel(); }

  void start(Request request, Nanoseconds now);
  void cancel();
  void resume(Nanoseconds now);
  bool active() const { return active_; }
  // For how long nothing has come that was wanted.
  Nanoseconds silence(Nanoseconds now) const { return active_ && !paused_ ? now - last_progress_ns_ : 0; }
  Nanoseconds started_at() const { return started_ns_; }
  // Where it came from in the end, without credentials.
  std::string effective_url() const;

private:
  static constexpr long kMaxRedirects = 5;
  static constexpr size_t kMaxHeaderBytes = 64 << 10; // of all answers

  static size_t on_body(char *data, size_t size, size_t count, void *self);
  static size_t on_header(char *data, size_t size, size_t count, void *self);
  size_t take(Bytes data);
  void on_transfer_done(CURLcode code) override;
  Result<void> result(CURLcode code) const;

  HttpClient &client_;
  Listener &listener_;
  Request request_;
  loop::CurlHandle easy_;
  char error_[CURL_ERROR_SIZE] = {};
  bool active_ = false, paused_ = false;
  bool too_large_ = false, refused_ = false;
  uint64_t to_skip_ = 0, to_take_ = 0; // of a body that is more than the range
  bool begun_ = false;
  uint64_t received_ = 0;
  size_t header_bytes_ = 0;
  Nanoseconds started_ns_ = 0, last_progress_ns_ = 0;
};

} // namespace sluice::hls
