// What the TLS listeners of one kind show: certificate and private key, read from two files that are watched from then
// on, and the keys that session tickets are made with, drawn here and renewed now and then, so that any worker resumes
// what any other began. Files that can't be used change nothing. Loop and listener outlive it.
#pragma once

#include "common/loop/loop.h"
#include "ipc/control/messages.h"
#include "supervisor/auth/secret_text.h"
#include "supervisor/file_watcher.h"

#include <array>
#include <memory>
#include <string>

namespace sluice {

class ServerCertificate : FileWatcher::Listener, loop::Timer::Listener {
public:
  static constexpr size_t kMaxFileBytes = 100 * 1024; // both fit a message
  static constexpr Nanoseconds kTicketKeyAge = 12 * 3600 * kSecond;
  static constexpr size_t kTicketKeys = 2; // the one in use and the one before

  struct Listener {
    virtual ~Listener() = default;
    virtual void on_certificate_changed() = 0;
  };
  struct Files {
    std::string certificate, key; // their names
    bool operator==(const Files &) const = default;
  };
  // What stands in the files and can be used.
  struct Loaded {
    Files files;
    std::string chain;
    auth::SecretText key;
  };

  // `label`: of the log lines, as "RTSPS".
  ServerCertificate(loop::Loop &loop, std::string label, Listener &listener);
  ~ServerCertificate() override;

  // Errors name the file and what is wrong with it.
  static Result<Loaded> load(const Files &files);
  bool uses(const Files &files) const { return files_ == files; }
  void use(Loaded loaded);
  void forget(); // TLS is not wanted any more
  // A Certificate, for the workers.
  const control::Message &message() const { return message_; }

private:
  void on_file_changed() override;
  void on_timer(loop::Timer &timer) override;
  control::Certificate &certificate() { return std::get<control::Certificate>(message_); }
  void set(const Loaded &loaded);
  void watch();
  void add_ticket_key();

  loop::Loop &loop_;
  std::string label_;
  Listener &listener_;
  Files files_;
  control::Message message_ = control::Certificate{};
  std::array<std::unique_ptr<FileWatcher>, 2> watchers_;
  loop::Timer ticket_timer_;
};

} // namespace sluice
