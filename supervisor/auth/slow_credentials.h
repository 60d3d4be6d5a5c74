// Argon2 credentials: compared by libuv's threads, since each takes tens of milliseconds. Equal questions are asked
// once, and what matched is remembered as a keyed hash until the configuration changes. Lives on the loop's thread;
// the loop and the listener must outlive it.
#pragma once

#include "common/loop/loop.h"
#include "supervisor/auth/credentials.h"
#include "supervisor/auth/hashes.h"
#include "supervisor/auth/secret_text.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace sluice::auth {

class SlowCredentials {
public:
  static constexpr size_t kMaxRunning = 2;       // comparisons at a time, of up to 256 MiB each
  static constexpr size_t kMaxComparisons = 64;  // running and waiting; equal questions count once
  static constexpr size_t kMaxQuestions = 4096;  // that wait for them
  static constexpr size_t kMaxRemembered = 1024; // the oldest is forgotten

  using Id = uint64_t;
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_compared(Id id, bool match) = 0;
  };

  SlowCredentials(loop::Loop &loop, Listener &listener);
  ~SlowCredentials(); // not from within on_compared
  SlowCredentials(const SlowCredentials &) = delete;
  SlowCredentials &operator=(const SlowCredentials &) = delete;

  enum class Answer : uint8_t { Match, Later, TooMany };
  // Later: on_compared follows, once. Ids are the caller's, unique among those that wait.
  Answer compare(Id id, const StoredPair &stored, const GivenPair &given);
  void cancel(Id id);
  void clear(); // forgets what matched

private:
  class Job;
  struct Comparison {
    std::string stored_user, stored_password;
    SecretText given_user, given_password; // until it runs
    std::vector<Id> ids;
    uint64_t generation = 0;
    Job *running = nullptr;
  };
  using Comparisons = std::map<Hash, Comparison>;

  void start_waiting();
  void on_done(const Hash &key, bool match);
  void remember(const Hash &key);

  loop::Loop &loop_;
  Listener &listener_;
  HashKey key_ = random_key();
  Comparisons comparisons_;
  std::deque<Hash> waiting_;
  std::map<Id, Hash> questions_;
  size_t running_ = 0;
  std::set<Hash> remembered_;
  std::deque<Hash> remembered_order_;
  uint64_t generation_ = 0; // of the configuration
};

} // namespace sluice::auth
