// bench_http_blobs DIRECTORY CERTIFICATE KEY PORT TLS_PORT: serves each file of a directory, from shared memory, with
// the HTTP server that workers use, until it is killed. tests/bench/http compares it with nginx. Requests for /wait
// wait until one for /release comes: its answer says how many did, and how many microseconds it took to answer them.
#include "common/base/check.h"
#include "common/http/conditional.h"
#include "common/http/server/server.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace {

using namespace sluice;

std::string read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// As a segment lies in a store: in a memfd, with a counter that tells whether it is still that segment.
class Segment final : public http::BodyMemory {
public:
  explicit Segment(const std::string &text) : size_(text.size()) {
    Fd fd(::memfd_create("segment", MFD_CLOEXEC));
    CHECK(::ftruncate(fd.get(), static_cast<off_t>(size_)) == 0);
    void *mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    CHECK(mapped != MAP_FAILED);
    base_ = static_cast<uint8_t *>(mapped);
    text.copy(static_cast<char *>(mapped), size_);
  }
  bool intact() const override { return generation_.load(std::memory_order_acquire) == 0; }
  Bytes bytes() const { return {base_, size_}; }

private:
  size_t size_;
  uint8_t *base_;
  std::atomic<uint64_t> generation_ = 0;
};

class Blobs final : http::HttpServer::Listener, loop::Poll::Listener {
public:
  Blobs(loop::Loop &loop, const std::string &folder, const std::string &certificate, const std::string &key, Fd plain,
        Fd tls)
      : tls_fd_(std::move(tls)), context_(make_context(certificate, key)),
        server_(loop, *this, std::move(plain), http::ServerOptions{{}, 10'000}),
        poll_(loop, tls_fd_.get(), static_cast<loop::Poll::Listener &>(*this)) {
    for (const auto &entry : std::filesystem::directory_iterator(folder))
      blobs_["/" + entry.path().filename().string()] = std::make_shared<Segment>(read_file(entry.path().string()));
    poll_.watch(loop::Poll::kReadable);
  }

private:
  static loop::TlsServerContext make_context(const std::string &certificate, const std::string &key) {
    const std::vector<std::string> protocols = {"h2", "http/1.1"};
    auto made = loop::TlsServerContext::create(read_file(certificate), read_file(key), {}, protocols);
    CHECK(made.has_value());
    return std::move(*made);
  }

  void on_poll(int, int) override {
    Fd fd(::accept4(tls_fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    auto peer = loop::SocketAddress::peer_of(fd.get());
    loop::prepare_stream_socket(fd.get());
    loop::StreamSocket socket = loop::StreamSocket::accept_tls(fd.get(), context_);
    if (peer) server_.adopt(std::move(fd), std::move(socket), *peer);
  }
  void on_access(http::HttpServer &, const loop::SocketAddress &, const http::Request &) override {}
  void on_request(http::HttpServer &server, const http::RequestKey &key, const loop::SocketAddress &,
                  http::Request request) override {
    if (request.path == "/wait") {
      server.set_answer_timeout(key, 0);
      waiting_.push_back(key);
      return;
    }
    if (request.path == "/release") {
      server.respond(key, {.body = release()});
      return;
    }
    auto found = blobs_.find(request.path);
    if (found == blobs_.end()) {
      server.respond(key, {.status = 404});
      return;
    }
    http::Response response{.headers = {{"Content-Type", "video/mp2t"},
                                        {"ETag", "\"5f0c-1\""},
                                        {"Cache-Control", "public, max-age=3600, immutable"},
                                        {"Access-Control-Allow-Origin", "*"}},
                            .body = {found->second, found->second->bytes()}};
    if (!http::answer_not_modified(request, response)) http::answer_range(request, response);
    server.respond(key, std::move(response));
  }

  // As a playlist is answered that many players wait for.
  std::string release() {
    constexpr size_t kPlaylistBytes = 1500;
    http::Body playlist = http::Body::shared(std::string(kPlaylistBytes, 'p'));
    Nanoseconds began = monotonic_now();
    size_t answered = 0;
    for (const http::RequestKey &key : std::exchange(waiting_, {})) {
      http::Response response{.headers = {{"Content-Type", "application/vnd.apple.mpegurl"},
                                          {"Cache-Control", "max-age=1"},
                                          {"Access-Control-Allow-Origin", "*"}},
                              .body = playlist};
      answered += server_.respond(key, std::move(response)) ? 1 : 0;
    }
    return std::to_string(answered) + " " + std::to_string((monotonic_now() - began) / kMicrosecond);
  }

  Fd tls_fd_;
  loop::TlsServerContext context_;
  http::HttpServer server_;
  loop::Poll poll_;
  std::map<std::string, std::shared_ptr<const Segment>> blobs_;
  std::vector<http::RequestKey> waiting_;
};

Fd listen_on(const char *port) {
  auto address = loop::SocketAddress::parse(std::string("127.0.0.1:") + port);
  CHECK(address.has_value());
  auto fd = loop::listen_tcp(*address);
  CHECK(fd.has_value());
  return std::move(*fd);
}

} // namespace

int main(int count, char **arguments) {
  if (count != 6) {
    std::fputs("usage: bench_http_blobs DIRECTORY CERTIFICATE KEY PORT TLS_PORT\n", stderr);
    return 2;
  }
  loop::Loop loop;
  Blobs blobs(loop, arguments[1], arguments[2], arguments[3], listen_on(arguments[4]), listen_on(arguments[5]));
  loop.run();
}
