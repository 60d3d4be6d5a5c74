#include "workers/hls/server.h"

#include "common/base/log.h"
#include "common/http/conditional.h"
#include "workers/hls/answers.h"
#include "workers/hls/source/source.h"

#include <cstring>

namespace sluice::hls {
namespace {

http::ServerOptions http_options(const control::WorkerSettings &settings) {
  http::ServerOptions options;
  options.max_body_bytes = 0; // nobody has anything to send
  options.read_timeout = settings.read_timeout_ns;
  options.write_timeout = settings.write_timeout_ns;
  options.max_connections = settings.max_sessions;
  return options;
}

} // namespace

Server::Server(loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table, worker::ServerParts parts)
    : worker::Server(loop, supervisor, table, parts, "HLS", {"h2", "http/1.1"}),
      http_(loop, *this, http_options(parts.welcome.settings)), viewers_(*this) {
  start(parts);
}

Server::~Server() = default;

// --- connections ---

void Server::on_accepted(Fd fd, worker::Transport transport) {
  auto peer = loop::SocketAddress::peer_of(fd.get());
  if (!peer) return; // reset before we came to it
  bool full = connections_.size() >= settings().max_sessions || !has_descriptors(1);
  shm::ConnectionRecord *record = full ? nullptr : allocator().take_connection();
  if (record == nullptr) {
    count_refused();
    log(LogLevel::Warn, "[HLS] connection refused: maxSessions ({}) or the limit of descriptors reached",
        settings().max_sessions);
    return loop::close_in_order(fd.get());
  }
  loop::prepare_stream_socket(fd.get());
  loop::StreamSocket socket = transport == worker::Transport::Tls
                                  ? loop::StreamSocket::accept_tls(fd.get(), listeners().tls())
                                  : loop::StreamSocket(fd.get());
  record->fd = fd.get();
  record->cookie = loop::socket_cookie(record->fd);
  identify(*record);
  record->tls = transport == worker::Transport::Tls;
  std::string text = peer->text();
  std::memcpy(record->peer, text.data(), std::min(text.size(), sizeof record->peer - 1));
  uint64_t connection =
      http_.adopt(std::move(fd), std::move(socket), *peer, {&record->received_bytes, &record->sent_bytes});
  if (connection == 0) return allocator().give_back(*record);
  count_descriptors(1);
  connections_.emplace(connection, record);
}

void Server::on_connection_ended(http::HttpServer &, http::ConnectionEnd end) {
  auto found = connections_.find(end.connection);
  if (found == connections_.end()) return;
  found->second->state.store(shm::RecordState::Closing, std::memory_order_relaxed);
  end.fd.reset();
  allocator().give_back(*found->second);
  connections_.erase(found);
  count_descriptors(-1);
}

void Server::close_clients() {
  viewers_.close();
  std::vector<uint64_t> all;
  for (const auto &[connection, record] : connections_) all.push_back(connection);
  for (uint64_t connection : all) http_.disconnect(connection, "terminated");
  while (!muxers_.empty()) muxers_.begin()->second->close(std::nullopt);
}

// --- requests ---

void Server::on_access(http::HttpServer &, const loop::SocketAddress &peer, const http::Request &request) {
  if (!log_enabled(LogLevel::Debug)) return;
  log(LogLevel::Debug, "[HLS] [conn {}] {} {}", peer.host(), printable(request.method), printable(request.path));
}

void Server::on_request(http::HttpServer &, const http::RequestKey &key, const loop::SocketAddress &,
                        http::Request request) {
  note_blame(0);
  if (request.method == "OPTIONS") return respond(key, preflight_response(request));
  if (request.method != "GET" && request.method != "HEAD")
    return respond(key, text_response(405, "GET, HEAD or OPTIONS"));
  Route route = route_of(request.path);
  switch (route.kind) {
  case Route::Kind::None:
    return respond(key, text_response(404, "404 page not found"));
  case Route::Kind::Redirect: {
    http::Response response;
    response.status = 301;
    std::string target = request.target.substr(0, request.target.find('?'));
    response.headers.add("Location", target + "/" + (request.query.empty() ? "" : "?" + request.query));
    return respond(key, std::move(response));
  }
  case Route::Kind::Page:
    return send_asset(key, request, player_page());
  case Route::Kind::File:
    if (const PageAsset *asset = find_page_asset(route.file)) return send_asset(key, request, *asset);
    return viewers_.on_request(key, connections_.at(key.connection)->peer, std::move(route), std::move(request));
  }
}

// The page asks for a password itself, so it comes without.
void Server::send_asset(const http::RequestKey &key, const http::Request &request, const PageAsset &asset) {
  const std::string *accepted = request.headers.find("Accept-Encoding");
  bool gzip = accepted != nullptr && accepted->find("gzip") != std::string::npos;
  const PageRepresentation &content = gzip ? asset.gzip : asset.identity;
  http::Response response;
  response.headers.add("Content-Type", std::string(asset.content_type));
  response.headers.add("ETag", std::string(content.etag));
  response.headers.add("Vary", "Accept-Encoding");
  response.headers.add("Cache-Control",
                       std::string(&asset == &player_page() ? kPageCacheControl : kPageAssetCacheControl));
  if (gzip) response.headers.add("Content-Encoding", "gzip");
  for (const auto &[name, value] : kPageHeaders) response.headers.add(std::string(name), std::string(value));
  static const auto constant = std::make_shared<const http::BodyMemory>(); // it lies in the executable
  response.body = http::Body(constant, content.bytes);
  http::answer_not_modified(request, response);
  respond(key, std::move(response));
}

shm::SessionRecord *Server::take_viewers(control::MuxerId muxer) {
  shm::SessionRecord *record = allocator().take_session();
  if (record == nullptr) return nullptr;
  identify(*record);
  record->kind = shm::SessionKind::Viewers;
  record->stream = muxer;
  record->carrier = shm::Carrier::Tcp;
  return record;
}

void Server::count_answer(uint16_t status) {
  auto &count = allocator().table().header().answers[shm::index_of_status(status)];
  count.fetch_add(1, std::memory_order_relaxed);
}

void Server::respond(const http::RequestKey &key, http::Response response) {
  allow_origin(response, settings().hls.allow_origin);
  count_answer(response.status);
  http_.respond(key, std::move(response)); // else its client is gone
}

// --- the supervisor ---

void Server::on_settings(std::vector<Fd>) {
  http_.set_options(http_options(settings()));
  viewers_.configure(settings().hls);
}

bool Server::on_other(control::Received &received) {
  if (const auto *start = std::get_if<control::StartMuxer>(&received.message)) {
    start_muxer(*start, received.descriptors);
  } else if (const auto *stop = std::get_if<control::StopMuxer>(&received.message)) {
    if (Muxer *muxer = find_muxer(stop->muxer)) muxer->close(std::nullopt);
  } else if (const auto *withdrawn = std::get_if<control::MuxerWithdrawn>(&received.message)) {
    viewers_.on_withdrawn(withdrawn->muxer);
  } else if (std::holds_alternative<control::ForgetVerdicts>(received.message)) {
    viewers_.forget_verdicts();
  } else {
    return false;
  }
  return true;
}

void Server::on_answer(control::RequestId request, control::Received &received) {
  if (viewers_.on_answer(request, received)) return;
  auto found = asked_.find(request);
  if (found == asked_.end()) return;
  Muxer *muxer = find_muxer(found->second);
  asked_.erase(found);
  if (muxer != nullptr) muxer->on_answer(received);
}

void Server::on_kick(const control::Kick &message) {
  auto found = sessions_.find(static_cast<uint32_t>(message.session));
  if (found == sessions_.end()) return;
  Muxer *muxer = find_muxer(found->second);
  if (muxer != nullptr && muxer->session() == message.session) muxer->on_kick();
}

Result<std::unique_ptr<worker::Source>> Server::make_source(const control::StartSource &message,
                                                            const std::vector<Fd> &fds) {
  return Source::create(*this, message, fds);
}

// --- muxers ---

void Server::start_muxer(const control::StartMuxer &message, std::vector<Fd> &fds) {
  auto fail = [&](const std::string &reason) {
    supervisor().send(
        control::MuxerEnded{.muxer = message.muxer, .refusal = control::Refusal::Unavailable, .reason = reason});
  };
  if (fds.size() != 1 || muxers_.contains(message.muxer)) return fail("malformed request");
  auto store = store::StoreWriter::open(fds[0].get());
  if (!store) return fail(store.error().message);
  shm::SessionRecord *record = allocator().take_session();
  if (record == nullptr) return fail("too many sessions");
  uint32_t low = identify(*record);
  record->kind = shm::SessionKind::Muxer;
  auto muxer = std::make_unique<Muxer>(*this, *record, message, std::move(*store));
  sessions_.emplace(low, message.muxer);
  Muxer &made = *muxers_.emplace(message.muxer, std::move(muxer)).first->second;
  made.ask();
}

Muxer *Server::find_muxer(control::MuxerId id) {
  auto found = muxers_.find(id);
  return found == muxers_.end() ? nullptr : found->second.get();
}

control::RequestId Server::ask(Muxer &muxer) {
  control::RequestId request = new_request();
  asked_.emplace(request, muxer.id());
  return request;
}

void Server::retire(Muxer &muxer) {
  sessions_.erase(static_cast<uint32_t>(muxer.session()));
  auto found = muxers_.find(muxer.id());
  if (found == muxers_.end()) return;
  retired_.push_back(std::move(found->second));
  muxers_.erase(found);
}

void Server::on_published(const store::StoreWriter &store) {
  streams().wake_store(store.subscribers(), store.store_index());
}

// --- time ---

void Server::on_second(Nanoseconds now) {
  viewers_.on_second(now);
}

void Server::sweep() {
  viewers_.look_at_news();
  retired_.clear();
}

} // namespace sluice::hls
