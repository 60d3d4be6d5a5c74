// The sources of a worker: made and ended as the supervisor says. Sources are retired, not destroyed, in callbacks;
// they go with sweep(). Owned by the Server.
#pragma once

#include "common/base/fd.h"
#include "common/base/time.h"
#include "common/loop/tls.h"
#include "ipc/control/channel.h"
#include "workers/base/source.h"
#include "workers/base/source_connection.h"

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace sluice::worker {

class Server;

class Sources {
public:
  // The protocol's part.
  struct Factory {
    // Of a message that was accepted; its records are taken with take_records().
    virtual Result<std::unique_ptr<Source>> make_source(const control::StartSource &message,
                                                        const std::vector<Fd> &fds) = 0;

  protected:
    ~Factory() = default;
  };

  Sources(Server &server, Factory &factory);
  ~Sources();

  // The message's credentials are wiped. Not `welcome`: the worker is about to leave.
  void start(control::StartSource &message, const std::vector<Fd> &fds, bool welcome);
  void stop(const control::StopSource &message);
  // Whether the request was a source's.
  bool answer(control::RequestId request, control::Received &received);
  Publication *find_publication(control::StreamId stream);
  void on_second(Nanoseconds now);
  void stop_all();                          // without a word
  void fail_all(const std::string &reason); // the supervisor is told of each
  bool empty() const { return sources_.empty() && leaving_.empty(); }
  void sweep();

  // --- for sources ---

  // Where to connect to: `host` as the certificate is to name it.
  Result<SourceConnection::Target> target_of(const control::StartSource &message, const std::vector<Fd> &fds,
                                             std::string host, bool tls);
  struct Records {
    shm::ConnectionRecord *connection = nullptr;
    shm::SessionRecord *session = nullptr;
  };
  // Both are given back by the source. Error: there are none, or no descriptors.
  Result<Records> take_records();

  control::RequestId request_of(const Source &source);
  // It is over but for its last words: the supervisor may use its id for another attempt.
  void let_go(Source &source);
  void retire(Source &source); // let go before

private:
  std::vector<control::SourceId> ids() const;
  Source *find(control::SourceId id);
  Result<loop::TlsClientContext> trust(const control::StartSource &message, const std::vector<Fd> &fds);

  Server &server_;
  Factory &factory_;
  std::unordered_map<control::SourceId, std::unique_ptr<Source>> sources_;
  std::unordered_map<const Source *, std::unique_ptr<Source>> leaving_;
  std::unordered_map<control::RequestId, control::SourceId> asked_;
  std::vector<std::unique_ptr<Source>> retired_;
  // The certificates of the last file that was read, for all sources that trust them.
  struct Trusted {
    struct stat file {};
    loop::TlsClientContext context;
  };
  std::optional<Trusted> trusted_;
};

} // namespace sluice::worker
