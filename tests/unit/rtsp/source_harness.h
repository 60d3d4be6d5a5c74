// A worker's Server with a source in it, for tests that play the supervisor and the server it pulls from.
#pragma once

#include "ipc/ring/ring_reader.h"
#include "ipc/shm/mapping.h"
#include "tests/unit/loop/certificates.h"
#include "workers/rtsp/server.h"

#include <openssl/types.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sluice::rtsp {

// A listener on 127.0.0.1 and, in a thread, what it does with its connections.
class ScriptedServer {
public:
  // One connection, blocking; what does not come within ten seconds counts as a closed connection.
  class Peer {
  public:
    explicit Peer(Fd fd) : fd_(std::move(fd)) {}
    ~Peer();
    Peer(Peer &&other) noexcept = default;
    // From now on it is TLS.
    bool secure(const loop::TestIdentity &identity);
    void close() { fd_.reset(); }
    uint16_t peer_port() const { return loop::SocketAddress::peer_of(fd_.get())->port(); }
    // The next request's text with its head; "" when there is none any more. Frames are skipped and counted.
    std::string request();
    void send(std::string_view text);
    // 200 to the last request, with its CSeq.
    void ok(const std::string &headers = "", const std::string &body = "");
    void answer(const std::string &status, const std::string &headers = "", const std::string &body = "");
    void frame(uint8_t channel, Bytes packet);
    // Waits until the client has closed.
    void drain();
    size_t frames = 0; // received

  private:
    struct FreeSsl {
      void operator()(SSL *ssl) const;
    };
    bool receive();
    Fd fd_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
    std::string buffer_, cseq_;
  };

  explicit ScriptedServer(std::function<void(ScriptedServer &)> script);
  ~ScriptedServer();
  uint16_t port() const { return port_; }
  Peer accept();
  std::string url(const std::string &userinfo = "", const std::string &scheme = "rtsp") const;

private:
  Fd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

class SourceHarness : public worker::Supervisor, public loop::Timer::Listener {
public:
  explicit SourceHarness(Nanoseconds read_timeout = 10 * kSecond);
  ~SourceHarness() override;

  void start(control::StartSource message, std::vector<Fd> fds = {});
  void stop();
  // Runs the loop until the condition holds; false after half a minute.
  bool run_until(const std::function<bool()> &condition);
  // Answers the SourceReady that has come, or will.
  bool grant(bool continues = false);
  void refuse();
  void drain();

  template <class T> const T *find() const {
    for (const control::Message &message : sent)
      if (auto *found = std::get_if<T>(&message)) return found;
    return nullptr;
  }
  template <class T> bool run_until_sent() {
    return run_until([this] { return find<T>() != nullptr; });
  }
  size_t packets() const; // RTP in the ring
  bool run_until_packets(size_t count);
  std::vector<ByteVector> ring_packets(bool rtcp = false) const;

  // Records of the session table that are in use.
  size_t records() const;
  // To the source's stream; the former one may have ended.
  void forget_sent() { sent.clear(); }

  std::vector<control::Message> sent;
  Server &server() { return *server_; }

private:
  void send(const control::Message &message, std::span<const int>) override { sent.push_back(message); }
  bool congested() const override { return false; }
  void on_timer(loop::Timer &) override;
  void dispatch(control::Message message, std::vector<Fd> fds);

  loop::Loop loop_;
  std::optional<shm::SessionTable> table_;
  std::optional<Server> server_;
  loop::Timer timer_;
  const std::function<bool()> *condition_ = nullptr;
  Nanoseconds give_up_ns_ = 0;
  control::SourceId source_ = 0;
  Fd ring_fd_;
  shm::Mapping ring_;
  std::optional<ring::RingReader> reader_;
};

} // namespace sluice::rtsp
