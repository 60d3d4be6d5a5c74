// Whether a client may publish or read a path: external server, then list of IPs, then user and password, each if it
// is configured. The one entry for all protocols. Counting a connection's failures and delaying the answer is up to
// its worker. The loop and the listener must outlive it.
#pragma once

#include "common/base/ip_list.h"
#include "common/base/latency_histogram.h"
#include "common/loop/loop.h"
#include "supervisor/auth/external.h"
#include "supervisor/auth/http_authorization.h"
#include "supervisor/auth/nonces.h"
#include "supervisor/auth/slow_credentials.h"
#include "supervisor/config/configuration.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice::auth {

// What a path's configuration says about one action; values that check_stored_credential accepts.
struct PathAccess {
  std::string user, password; // stored; user empty: anybody
  IpList ips;                 // empty: from anywhere
};
// Errors: an address that is none.
Result<PathAccess> path_access(const config::PathConfiguration &path, Action action);

struct Request {
  Action action = Action::Read;
  // RTSP: an Authorization header, challenges. Others: user and password, or an Authorization header with Basic; to HLS
  // a challenge to use the latter.
  config::Protocol protocol = config::Protocol::Rtsp;
  std::optional<uint32_t> log_id; // of the session, if there is one
  std::string path;
  SecretText query; // without '?'
  std::string ip;   // of the client, "1.2.3.4"
  std::string peer; // of the connection, "1.2.3.4:5": what a nonce is bound to

  std::string method, url;   // of RTSP; the URL as sent
  SecretText authorization;  // value of the header, or empty
  SecretText user, password; // not of RTSP, without header

  PathAccess access;
  Nanoseconds asked_at = 0; // of the external server; the Authenticator's own
};

struct Verdict {
  bool accepted = false;
  std::string reason;                  // of a refusal; for logs, no secrets
  std::vector<std::string> challenges; // values of WWW-Authenticate, in order
  bool critical = false;               // asking again is useless: close the connection
};

// Since the start.
struct Statistics {
  uint64_t accepted = 0, refused = 0; // verdicts
  LatencyHistogram external;          // how long the external server took, or was waited for
};

struct Settings {
  config::AuthMethods methods; // of RTSP
  std::string external_url;    // empty: none
  Nanoseconds read_timeout = 10 * kSecond;
};

class Authenticator final : ExternalAuthentication::Listener, SlowCredentials::Listener {
public:
  static constexpr size_t kMaxCredentialBytes = 2048; // of a user, of a password

  using Id = uint64_t;
  struct Listener {
    virtual ~Listener() = default;
    // May ask and cancel.
    virtual void on_verdict(Id id, const Verdict &verdict) = 0;
  };

  Authenticator(loop::Loop &loop, Listener &listener, const NonceSecret &secret = random_key());
  Authenticator(const Authenticator &) = delete;
  Authenticator &operator=(const Authenticator &) = delete;

  // Forgets remembered verdicts. Checks under way go on with what they began with.
  void configure(const Settings &settings);

  // on_verdict follows exactly once, unless it is cancelled: mostly before this returns, but later for an external
  // server and for Argon2. Ids are the caller's, unique among the checks under way.
  void check(Id id, Request request);
  void cancel(Id id); // the client is gone; unknown ids are ignored
  size_t pending() const { return pending_.size(); }
  const Statistics &statistics() const { return statistics_; }
  uint64_t external_failures() const { return external_.failures(); }

private:
  struct Given {
    SecretText user, password;
  };

  void on_external_answer(Id id, Result<void> answer) override;
  void on_compared(Id id, bool match) override;

  void check_locally(Id id, Request request);
  void check_rtsp(Id id, Request request);
  void compare(Id id, Request request, const Given &given);
  void answer(Id id, const Verdict &verdict);
  config::AuthMethods usable_methods(const Request &request) const;
  Verdict refusal(const Request &request, std::string reason) const;

  loop::Loop &loop_;
  Listener &listener_;
  Statistics statistics_;
  Nonces nonces_;
  Settings settings_;
  ExternalAuthentication external_;
  SlowCredentials slow_;
  std::unordered_map<Id, Request> pending_;
};

} // namespace sluice::auth
