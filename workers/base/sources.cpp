#include "workers/base/sources.h"

#include "common/base/log.h"
#include "common/base/secret.h"
#include "workers/base/publication.h"
#include "workers/base/server.h"

#include <unistd.h>

#include <array>

namespace sluice::worker {
namespace {

constexpr size_t kMaxTrustBytes = 4 << 20; // a few hundred certificates

Result<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    ssize_t count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (count < 0) return os_error("certificates to trust");
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
    if (text.size() > kMaxTrustBytes) return Error{"too many certificates to trust"};
  }
}

bool same_file(const struct stat &a, const struct stat &b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

} // namespace

Sources::Sources(Server &server, Factory &factory) : server_(server), factory_(factory) {}

Sources::~Sources() = default;

void Sources::start(control::StartSource &message, const std::vector<Fd> &fds, bool welcome) {
  if (sources_.contains(message.source)) return log(LogLevel::Error, "[{}] source started twice", server_.label());
  Result<std::unique_ptr<Source>> source = Error{"the worker is given up"};
  if (welcome) source = factory_.make_source(message, fds);
  wipe(message.url);
  if (!source) {
    server_.supervisor().send(control::SourceFailed{.source = message.source, .reason = source.error().message});
    return;
  }
  Source &added = **source;
  sources_.emplace(message.source, std::move(*source));
  added.begin();
}

Result<SourceConnection::Target> Sources::target_of(const control::StartSource &message, const std::vector<Fd> &fds,
                                                    std::string host, bool tls) {
  SourceConnection::Target target{.addresses = {}, .tls = {}, .host = std::move(host)};
  for (const std::string &text : message.addresses) target.addresses.push_back(TRY(loop::SocketAddress::parse(text)));
  if (tls) target.tls = TRY(trust(message, fds));
  return target;
}

Result<Sources::Records> Sources::take_records() {
  if (!server_.has_descriptors(1)) return Error{"no descriptors left"};
  shm::ConnectionRecord *connection = server_.allocator().take_connection();
  shm::SessionRecord *session = server_.allocator().take_session();
  if (connection == nullptr || session == nullptr) {
    if (connection != nullptr) server_.allocator().give_back(*connection);
    if (session != nullptr) server_.allocator().give_back(*session);
    return Error{"the session table is full"};
  }
  connection->is_source = 1;
  server_.identify(*connection);
  server_.identify(*session);
  session->kind = shm::SessionKind::Source;
  return Records{connection, session};
}

// A machine's certificates take megabytes: they are read once.
Result<loop::TlsClientContext> Sources::trust(const control::StartSource &message, const std::vector<Fd> &fds) {
  if (!message.fingerprint.empty()) return loop::TlsClientContext::with_fingerprint(message.fingerprint);
  struct stat file {};
  if (fds.empty() || ::fstat(fds[0].get(), &file) != 0) return Error{"no certificates to trust"};
  if (!trusted_ || !same_file(trusted_->file, file)) {
    std::string certificates = TRY(read_all(fds[0].get()));
    trusted_.emplace(Trusted{file, TRY(loop::TlsClientContext::trusting(certificates))});
  }
  return trusted_->context.share();
}

Source *Sources::find(control::SourceId id) {
  auto found = sources_.find(id);
  return found == sources_.end() ? nullptr : found->second.get();
}

void Sources::stop(const control::StopSource &message) {
  if (Source *source = find(message.source)) source->stop();
}

control::RequestId Sources::request_of(const Source &source) {
  control::RequestId request = server_.new_request();
  asked_.emplace(request, source.id());
  return request;
}

bool Sources::answer(control::RequestId request, control::Received &received) {
  auto found = asked_.find(request);
  if (found == asked_.end()) return false;
  Source *source = find(found->second);
  asked_.erase(found);
  if (source == nullptr) return true; // it ended meanwhile
  if (auto *granted = std::get_if<control::PublishGranted>(&received.message))
    source->on_granted(*granted, received.descriptors);
  else if (auto *refused = std::get_if<control::Refused>(&received.message))
    source->fail(refused->reason); // it is told, lest it be thought to go on
  return true;
}

Publication *Sources::find_publication(control::StreamId stream) {
  for (auto &[id, source] : sources_) {
    Publication *publication = source->publication();
    if (publication != nullptr && publication->stream() == stream) return publication;
  }
  return nullptr;
}

std::vector<control::SourceId> Sources::ids() const {
  std::vector<control::SourceId> ids;
  for (auto &[id, source] : sources_) ids.push_back(id);
  return ids;
}

void Sources::on_second(Nanoseconds now) {
  for (control::SourceId id : ids())
    if (Source *source = find(id)) source->on_second(now);
}

void Sources::stop_all() {
  for (control::SourceId id : ids())
    if (Source *source = find(id)) source->stop();
}

void Sources::fail_all(const std::string &reason) {
  for (control::SourceId id : ids())
    if (Source *source = find(id)) source->fail(reason);
}

void Sources::let_go(Source &source) {
  auto found = sources_.find(source.id());
  if (found == sources_.end() || found->second.get() != &source) return;
  leaving_.emplace(&source, std::move(found->second));
  sources_.erase(found);
}

void Sources::retire(Source &source) {
  auto found = leaving_.find(&source);
  if (found == leaving_.end()) return;
  retired_.push_back(std::move(found->second));
  leaving_.erase(found);
}

void Sources::sweep() {
  retired_.clear();
}

} // namespace sluice::worker
