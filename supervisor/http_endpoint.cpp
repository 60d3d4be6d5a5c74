#include "supervisor/http_endpoint.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "supervisor/listeners.h"

#include <array>
#include <utility>

namespace sluice {
namespace {

const std::array<std::string, 2> kProtocols{"h2", "http/1.1"};

} // namespace

HttpEndpoint::HttpEndpoint(loop::Loop &loop, std::string label, Handler &handler)
    : loop_(loop), label_(std::move(label)), handler_(handler), certificate_(loop, label_, *this) {}

HttpEndpoint::~HttpEndpoint() = default;

Result<HttpEndpoint::Opened> HttpEndpoint::open(const Wanted &next) const {
  Opened opened;
  if (!next.on) return opened;
  if (next.tls && !certificate_.uses(next.files)) opened.certificate = TRY(ServerCertificate::load(next.files));
  if (server_ && wanted_.address == next.address) return opened;
  loop::SocketAddress address = TRY(resolve(next.address));
  TRY(check_unused(address, SOCK_STREAM));
  opened.listener = TRY(loop::listen_tcp(address));
  return opened;
}

void HttpEndpoint::apply(Opened opened, const Wanted &next) {
  bool fresh = opened.listener.valid();
  if (server_ && (!next.on || fresh)) log(LogLevel::Info, "[{}] listener is closing", label_);
  wanted_ = next;
  if (!next.on) return stop();
  if (server_ && fresh)
    server_->set_listener(std::move(opened.listener));
  else if (fresh)
    start(std::move(opened.listener));
  if (opened.certificate) certificate_.use(std::move(*opened.certificate));
  if (!next.tls) certificate_.forget();
  on_certificate_changed();
  if (fresh) log(LogLevel::Info, "[{}] listener opened on {}", label_, next.address);
}

void HttpEndpoint::on_certificate_changed() {
  if (!server_) return;
  if (!wanted_.tls) return server_->set_tls(std::nullopt);
  const auto &certificate = std::get<control::Certificate>(certificate_.message());
  auto made = loop::TlsServerContext::create(certificate.chain, certificate.key, certificate.ticket_keys, kProtocols);
  if (!made) return log(LogLevel::Error, "[{}] {}", label_, made.error().message);
  server_->set_tls(std::move(*made));
}

void HttpEndpoint::stop() {
  certificate_.forget();
  if (!server_) return;
  closing_ = std::move(server_);
  closing_number_ = servers_;
  closing_->close();
}

void HttpEndpoint::start(Fd listener) {
  server_ =
      std::make_unique<http::HttpServer>(loop_, static_cast<http::HttpServer::Listener &>(*this), std::move(listener));
  servers_++;
}

HttpEndpoint::Key HttpEndpoint::key_of(const http::HttpServer &server, const http::RequestKey &request) const {
  return {&server == server_.get() ? servers_ : closing_number_, request};
}

http::HttpServer *HttpEndpoint::server_of(const Key &key) {
  if (key.server == servers_ && server_) return server_.get();
  return key.server == closing_number_ ? closing_.get() : nullptr;
}

bool HttpEndpoint::respond(const Key &key, http::Response response) {
  http::HttpServer *server = server_of(key);
  if (log_enabled(LogLevel::Debug))
    log(LogLevel::Debug, "[{}] [s->c] {}, {} bytes", label_, response.status, response.body.size());
  return server != nullptr && server->respond(key.request, std::move(response));
}

void HttpEndpoint::set_answer_timeout(const Key &key, Nanoseconds timeout) {
  if (http::HttpServer *server = server_of(key)) server->set_answer_timeout(key.request, timeout);
}

void HttpEndpoint::on_request(http::HttpServer &server, const http::RequestKey &key, const loop::SocketAddress &,
                              http::Request request) {
  handler_.on_request(*this, key_of(server, key), std::move(request));
}

// Bodies stay out of the log: they are of configurations, which hold passwords.
void HttpEndpoint::on_access(http::HttpServer &, const loop::SocketAddress &peer, const http::Request &request) {
  log(LogLevel::Info, "[{}] [conn {}] {} {}", label_, peer.text(), printable(request.method), printable(request.path));
  if (!log_enabled(LogLevel::Debug)) return;
  std::string headers;
  for (const auto &[name, value] : request.headers.all()) {
    bool secret = equal_ignoring_case(name, "Authorization") || equal_ignoring_case(name, "Cookie");
    headers += fmt::format("{}: {}, ", printable(name), secret ? "***" : printable(value));
  }
  log(LogLevel::Debug, "[{}] [conn {}] [c->s] {} {}: {}{} bytes", label_, peer.text(), printable(request.method),
      printable(request.path), headers, request.body.size());
}

void HttpEndpoint::on_gone(http::HttpServer &server, const http::RequestKey &key) {
  handler_.on_gone(*this, key_of(server, key));
}

void HttpEndpoint::on_accept_failed(http::HttpServer &, const Error &error) {
  log(LogLevel::Error, "[{}] can't accept connections for now: {}", label_, error.message);
}

} // namespace sluice
