// Lets a client's request pass to the paths once it is known who asks: finds the entry of the configuration, has the
// Authenticator judge, and answers those that are refused. Nothing waits for another's verdict. The loop, the listener
// and what configure() was given outlive it.
#pragma once

#include "ipc/control/messages.h"
#include "supervisor/auth/authenticator.h"
#include "supervisor/config/path_matcher.h"

#include <map>
#include <string>
#include <unordered_map>

namespace sluice {

class Gate : auth::Authenticator::Listener {
public:
  static constexpr size_t kMaxPending = 20'000; // more are refused

  struct Listener {
    virtual ~Listener() = default;
    virtual void on_passed(uint16_t slot, control::Message message) = 0; // without its credentials
    virtual void on_refused(uint16_t slot, control::Refused refused) = 0;
  };

  Gate(loop::Loop &loop, Listener &listener);

  // From here on. Error: an address in the configuration that is none.
  Result<void> configure(const config::Configuration &configuration, const config::PathMatcher &matcher);

  // Authorize, Describe, Admit, Publish or Read of a client of that protocol. A Publish of who was admitted to that
  // path passes. The listener is called once, here or later, unless the request is dropped.
  void submit(uint16_t slot, config::Protocol protocol, control::Message message);
  // Their answers are not wanted any more.
  void drop_worker(uint16_t slot);
  const auth::Authenticator &authenticator() const { return authenticator_; }
  void drop_session(control::SessionId session);

private:
  using Id = auth::Authenticator::Id;
  struct Pending {
    uint16_t slot = 0;
    control::SessionId session = 0; // 0: a DESCRIBE or Authorize
    control::Message message;
  };
  struct Access {
    auth::PathAccess publish, read;
  };

  void on_verdict(Id id, const auth::Verdict &verdict) override;
  struct Asker {
    uint16_t slot = 0;
    config::Protocol protocol = config::Protocol::Rtsp;
  };
  template <class Request> void submit_request(const Asker &asker, Request &request, auth::Action action);
  template <class Which> void drop(Which &&which);

  Listener &listener_;
  auth::Authenticator authenticator_;
  const config::PathMatcher *matcher_ = nullptr;
  std::map<std::string, Access> access_; // by the entry's name
  std::map<Id, Pending> pending_;
  struct Admission {
    uint16_t slot = 0;
    std::string path;
  };
  std::unordered_map<control::SessionId, Admission> admitted_; // who has not published yet
  Id next_id_ = 1;
};

} // namespace sluice
