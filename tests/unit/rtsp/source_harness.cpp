#include "tests/unit/rtsp/source_harness.h"

#include "ipc/ring/ring_writer.h"
#include "ipc/shm/memfd.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <csignal>

namespace sluice::rtsp {
namespace {

constexpr int kPatienceMs = 10'000;
constexpr control::StreamId kStream = 5;

} // namespace

// --- the server that is pulled from ---

ScriptedServer::ScriptedServer(std::function<void(ScriptedServer &)> script) {
  ::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
  listener_ = std::move(*loop::listen_tcp(*loop::SocketAddress::parse("127.0.0.1:0")));
  port_ = loop::SocketAddress::local_of(listener_.get())->port();
  thread_ = std::thread([this, script = std::move(script)] { script(*this); });
}

ScriptedServer::~ScriptedServer() {
  thread_.join();
}

std::string ScriptedServer::url(const std::string &userinfo, const std::string &scheme) const {
  return scheme + "://" + userinfo + "127.0.0.1:" + std::to_string(port_) + "/cam";
}

ScriptedServer::Peer ScriptedServer::accept() {
  pollfd readable{listener_.get(), POLLIN, 0};
  ::poll(&readable, 1, kPatienceMs);
  return Peer(Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

void ScriptedServer::Peer::FreeSsl::operator()(SSL *ssl) const {
  SSL_free(ssl);
}

ScriptedServer::Peer::~Peer() = default;

bool ScriptedServer::Peer::secure(const loop::TestIdentity &identity) {
  auto bio_of = [](const std::string &text) { return BIO_new_mem_buf(text.data(), static_cast<int>(text.size())); };
  BIO *certificate_text = bio_of(identity.certificate), *key_text = bio_of(identity.key);
  X509 *certificate = PEM_read_bio_X509(certificate_text, nullptr, nullptr, nullptr);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(key_text, nullptr, nullptr, nullptr);
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  ssl_.reset(SSL_new(context));
  SSL_CTX_free(context);
  X509_free(certificate);
  EVP_PKEY_free(key);
  BIO_free(certificate_text);
  BIO_free(key_text);
  SSL_set_fd(ssl_.get(), fd_.get());
  return SSL_accept(ssl_.get()) == 1;
}

bool ScriptedServer::Peer::receive() {
  pollfd readable{fd_.get(), POLLIN, 0};
  bool ready = ssl_ != nullptr && SSL_pending(ssl_.get()) > 0;
  if (!fd_ || (!ready && ::poll(&readable, 1, kPatienceMs) != 1)) return false;
  char bytes[4096];
  ssize_t count =
      ssl_ != nullptr ? SSL_read(ssl_.get(), bytes, sizeof bytes) : ::recv(fd_.get(), bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

std::string ScriptedServer::Peer::request() {
  for (;;) {
    if (buffer_.starts_with('$') && buffer_.size() >= 4) {
      size_t length = 4 + load_be16(as_bytes(buffer_).data() + 2);
      if (buffer_.size() >= length) {
        buffer_.erase(0, length);
        frames++;
        continue;
      }
    } else if (size_t end = buffer_.find("\r\n\r\n"); end != std::string::npos) {
      std::string text = buffer_.substr(0, end + 4);
      buffer_.erase(0, end + 4);
      size_t at = text.find("CSeq: ") + 6;
      cseq_ = text.substr(at, text.find("\r\n", at) - at);
      return text;
    }
    if (!receive()) return "";
  }
}

void ScriptedServer::Peer::send(std::string_view text) {
  if (ssl_ != nullptr)
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  else
    (void)::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

void ScriptedServer::Peer::answer(const std::string &status, const std::string &headers, const std::string &body) {
  std::string text = "RTSP/1.0 " + status + "\r\nCSeq: " + cseq_ + "\r\n" + headers;
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  send(text + "\r\n" + body);
}

void ScriptedServer::Peer::ok(const std::string &headers, const std::string &body) {
  answer("200 OK", headers, body);
}

void ScriptedServer::Peer::frame(uint8_t channel, Bytes packet) {
  uint8_t header[4] = {'$', channel, static_cast<uint8_t>(packet.size() >> 8), static_cast<uint8_t>(packet.size())};
  send(as_text(header));
  send(as_text(packet));
}

void ScriptedServer::Peer::drain() {
  while (receive()) buffer_.clear();
}

// --- the worker ---

SourceHarness::SourceHarness(Nanoseconds read_timeout) : timer_(loop_, *this) {
  Fd table = std::move(*shm::SessionTable::make(16));
  table_.emplace(std::move(*shm::SessionTable::map(table.get())));
  Fd board = std::move(*shm::create_memfd("board", shm::DoorbellBoard::bytes()));
  worker::ServerParts parts{.welcome = {},
                            .listeners = {},
                            .udp_bases = {},
                            .doorbells = {},
                            .board = std::move(*shm::DoorbellBoard::map(board.get()))};
  parts.doorbells.emplace_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  control::WorkerSettings &settings = parts.welcome.settings;
  settings.read_timeout_ns = read_timeout;
  settings.write_timeout_ns = 10 * kSecond;
  settings.max_sessions = 16;
  settings.max_input_bytes = 16 << 20;
  parts.welcome.doorbells = 1;
  server_.emplace(loop_, *this, *table_, std::move(parts));
}

SourceHarness::~SourceHarness() = default;

void SourceHarness::dispatch(control::Message message, std::vector<Fd> fds) {
  control::Received received{std::move(message), std::move(fds)};
  server_->on_message(received);
}

void SourceHarness::start(control::StartSource message, std::vector<Fd> fds) {
  source_ = message.source;
  dispatch(std::move(message), std::move(fds));
}

void SourceHarness::stop() {
  dispatch(control::StopSource{.source = source_}, {});
}

bool SourceHarness::run_until(const std::function<bool()> &condition) {
  if (condition()) return true;
  condition_ = &condition;
  give_up_ns_ = loop_.now() + 30 * kSecond;
  timer_.start(0, kMillisecond);
  loop_.run();
  timer_.stop();
  return condition();
}

void SourceHarness::on_timer(loop::Timer &) {
  if ((*condition_)() || loop_.now() > give_up_ns_) loop_.stop();
}

bool SourceHarness::grant(bool continues) {
  if (!run_until_sent<control::SourceReady>()) return false;
  const auto *ready = find<control::SourceReady>();
  if (!ring_fd_) {
    ring_fd_ = std::move(*shm::create_memfd("ring", ring::ring_bytes(ring::kMinDataCapacity)));
    ring_ = std::move(*shm::Mapping::map_ring(ring_fd_.get(), shm::Access::ReadWrite));
    EXPECT_TRUE(ring::RingWriter::format(
        ring_.writable(), {.stream = kStream, .generation = 0, .ring_index = 0, .description = ready->description}));
    reader_.emplace(std::move(*ring::RingReader::create(ring_.bytes())));
  }
  std::vector<Fd> fds;
  fds.emplace_back(::fcntl(ring_fd_.get(), F_DUPFD_CLOEXEC, 0));
  control::PublishGranted granted{
      .request = ready->request, .stream = kStream, .continues = continues, .max_ring_bytes = ring::kMinDataCapacity};
  dispatch(granted, std::move(fds));
  return true;
}

void SourceHarness::refuse() {
  ASSERT_TRUE(run_until_sent<control::SourceReady>());
  dispatch(control::Refused{.request = find<control::SourceReady>()->request}, {});
}

void SourceHarness::drain() {
  dispatch(control::Drain{}, {});
}

size_t SourceHarness::records() const {
  size_t count = 0;
  for (const shm::SessionRecord &record : table_->sessions())
    count += record.state.load() != shm::RecordState::Free ? 1 : 0;
  for (const shm::ConnectionRecord &record : table_->connections())
    count += record.state.load() != shm::RecordState::Free ? 1 : 0;
  return count;
}

std::vector<ByteVector> SourceHarness::ring_packets(bool rtcp) const {
  std::vector<ByteVector> packets;
  if (!reader_) return packets;
  ByteVector buffer(ring::kMaxEntryBytes);
  for (uint64_t i = reader_->oldest(); i < reader_->head(); i++) {
    auto entry = reader_->entry(i);
    auto bytes = reader_->copy(i, buffer);
    if (!entry || !bytes || ((entry->flags & ring::kRtcp) != 0) != rtcp) continue;
    packets.emplace_back(bytes->begin() + ring::kFrameHeaderBytes, bytes->end());
  }
  return packets;
}

size_t SourceHarness::packets() const {
  return ring_packets().size();
}

bool SourceHarness::run_until_packets(size_t count) {
  return run_until([&] { return packets() >= count; });
}

} // namespace sluice::rtsp
