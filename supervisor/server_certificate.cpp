#include "supervisor/server_certificate.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/secret.h"
#include "common/loop/tls.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

// Read at once into memory of the largest size, which is never reallocated.
Result<auth::SecretText> read_text(const std::string &name) {
  Fd file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a FIFO has nothing to read
  if (!file) return os_error(name);
  ByteVector bytes(ServerCertificate::kMaxFileBytes + 1);
  size_t length = 0;
  ssize_t count = 1;
  while (count > 0 && length < bytes.size()) {
    count = ::read(file.get(), bytes.data() + length, bytes.size() - length);
    if (count < 0 && errno == EINTR)
      count = 1;
    else if (count > 0)
      length += static_cast<size_t>(count);
  }
  if (count < 0) return os_error(name);
  auth::SecretText text(as_text(Bytes(bytes).first(length)));
  wipe(bytes);
  if (length == bytes.size()) return Error{fmt::format("{}: larger than {} bytes", name, bytes.size() - 1)};
  return text;
}

} // namespace

ServerCertificate::ServerCertificate(loop::Loop &loop, std::string label, Listener &listener)
    : loop_(loop), label_(std::move(label)), listener_(listener), ticket_timer_(loop, *this) {}

ServerCertificate::~ServerCertificate() {
  forget();
}

Result<ServerCertificate::Loaded> ServerCertificate::load(const Files &files) {
  auto chain = read_text(files.certificate);
  if (!chain) return Error{"certificate " + chain.error().message};
  auto key = read_text(files.key);
  if (!key) return Error{"private key " + key.error().message};
  auto usable = loop::TlsServerContext::create(chain->view(), key->view(), {});
  if (!usable)
    return Error{
        fmt::format("certificate {}, private key {}: {}", files.certificate, files.key, usable.error().message)};
  return Loaded{files, std::string(chain->view()), std::move(*key)};
}

void ServerCertificate::use(Loaded loaded) {
  set(loaded);
  files_ = std::move(loaded.files);
  watch();
  if (certificate().ticket_keys.empty()) {
    add_ticket_key();
    ticket_timer_.start(kTicketKeyAge, kTicketKeyAge);
  }
  on_file_changed(); // since they were read, perhaps
}

void ServerCertificate::set(const Loaded &loaded) {
  certificate().chain = loaded.chain;
  wipe(certificate().key);
  certificate().key = loaded.key.view();
}

void ServerCertificate::forget() {
  files_ = {};
  for (auto &watcher : watchers_) watcher.reset();
  ticket_timer_.stop();
  wipe(certificate().key);
  for (std::string &key : certificate().ticket_keys) wipe(key);
  message_ = control::Certificate{};
}

// --- the files ---

void ServerCertificate::watch() {
  const std::string *names[] = {&files_.certificate, &files_.key};
  for (size_t i = 0; i < watchers_.size(); i++) {
    auto watcher = FileWatcher::create(loop_, *names[i], *this);
    if (watcher)
      watchers_[i] = std::move(*watcher);
    else
      log(LogLevel::Warn, "[{}] {} is not watched: {}", label_, *names[i], watcher.error().message);
  }
}

// Often only one of the two has been replaced so far: then the other one's change follows.
void ServerCertificate::on_file_changed() {
  for (auto &watcher : watchers_)
    if (watcher) watcher->note_as_known();
  auto loaded = load(files_);
  bool whole = true;
  for (auto &watcher : watchers_) whole = (!watcher || watcher->was_whole()) && whole;
  if (!whole) return; // another call follows
  if (!loaded) return log(LogLevel::Error, "[{}] the certificate stays as it was: {}", label_, loaded.error().message);
  if (loaded->chain == certificate().chain && loaded->key.view() == certificate().key) return;
  set(*loaded);
  log(LogLevel::Info, "[{}] new connections get the certificate that {} holds now", label_, files_.certificate);
  listener_.on_certificate_changed();
}

// --- tickets ---

void ServerCertificate::add_ticket_key() {
  std::string key(loop::kTicketKeyBytes, '\0');
  for (size_t i = 0; i < key.size(); i += sizeof(uint64_t)) {
    uint64_t random = secure_random();
    std::memcpy(&key[i], &random, sizeof random);
  }
  auto &keys = certificate().ticket_keys;
  keys.insert(keys.begin(), std::move(key));
  for (; keys.size() > kTicketKeys; keys.pop_back()) wipe(keys.back());
}

void ServerCertificate::on_timer(loop::Timer &) {
  add_ticket_key();
  listener_.on_certificate_changed();
}

} // namespace sluice
