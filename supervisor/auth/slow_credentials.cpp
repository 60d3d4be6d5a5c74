#include "supervisor/auth/slow_credentials.h"

#include "common/base/check.h"
#include "common/loop/background.h"

#include <algorithm>

namespace sluice::auth {

class SlowCredentials::Job final : public loop::BackgroundJob {
public:
  Job(SlowCredentials &owner, const Hash &key, Comparison &comparison)
      : owner_(&owner), key_(key), stored_user_(comparison.stored_user), stored_password_(comparison.stored_password),
        given_user_(std::move(comparison.given_user)), given_password_(std::move(comparison.given_password)) {}

  void forget_owner() { owner_ = nullptr; } // on the loop

  void run() override {
    match_ = matches({stored_user_, stored_password_}, {given_user_.view(), given_password_.view()});
    given_user_ = {};
    given_password_ = {};
  }
  void done() override {
    if (owner_ != nullptr) owner_->on_done(key_, match_);
  }

private:
  SlowCredentials *owner_;
  Hash key_;
  std::string stored_user_, stored_password_;
  SecretText given_user_, given_password_;
  bool match_ = false;
};

SlowCredentials::SlowCredentials(loop::Loop &loop, Listener &listener) : loop_(loop), listener_(listener) {}

SlowCredentials::~SlowCredentials() {
  for (auto &[key, comparison] : comparisons_)
    if (comparison.running != nullptr) comparison.running->forget_owner();
}

SlowCredentials::Answer SlowCredentials::compare(Id id, const StoredPair &stored, const GivenPair &given) {
  CHECK(!questions_.contains(id));
  Hash key = keyed_hash(key_, {stored.user, stored.password, given.user, given.password});
  if (remembered_.contains(key)) return Answer::Match;
  if (questions_.size() == kMaxQuestions) return Answer::TooMany;
  auto found = comparisons_.find(key);
  if (found == comparisons_.end()) {
    if (comparisons_.size() == kMaxComparisons) return Answer::TooMany;
    Comparison comparison{std::string(stored.user),
                          std::string(stored.password),
                          SecretText(given.user),
                          SecretText(given.password),
                          {},
                          generation_,
                          nullptr};
    found = comparisons_.emplace(key, std::move(comparison)).first;
    waiting_.push_back(key);
  }
  found->second.ids.push_back(id);
  questions_.emplace(id, key);
  start_waiting();
  return Answer::Later;
}

void SlowCredentials::start_waiting() {
  while (running_ < kMaxRunning && !waiting_.empty()) {
    Hash key = waiting_.front();
    waiting_.pop_front();
    Comparison &comparison = comparisons_.at(key);
    auto job = std::make_unique<Job>(*this, key, comparison);
    comparison.running = job.get();
    running_++;
    loop::run_in_background(loop_, std::move(job));
  }
}

// One that runs goes on, and its verdict is remembered: its client may come back.
void SlowCredentials::cancel(Id id) {
  auto question = questions_.find(id);
  if (question == questions_.end()) return;
  auto found = comparisons_.find(question->second);
  questions_.erase(question);
  if (found == comparisons_.end()) return; // its verdict is being told
  std::erase(found->second.ids, id);
  if (!found->second.ids.empty() || found->second.running != nullptr) return;
  std::erase(waiting_, found->first);
  comparisons_.erase(found);
}

void SlowCredentials::clear() {
  generation_++;
  remembered_.clear();
  remembered_order_.clear();
}

void SlowCredentials::on_done(const Hash &key, bool match) {
  auto found = comparisons_.find(key);
  Comparison comparison = std::move(found->second);
  comparisons_.erase(found);
  running_--;
  if (match && comparison.generation == generation_) remember(key);
  start_waiting();
  for (Id id : comparison.ids)
    if (questions_.erase(id) == 1) listener_.on_compared(id, match); // else cancelled by an earlier call
}

void SlowCredentials::remember(const Hash &key) {
  if (!remembered_.insert(key).second) return;
  remembered_order_.push_back(key);
  if (remembered_order_.size() <= kMaxRemembered) return;
  remembered_.erase(remembered_order_.front());
  remembered_order_.pop_front();
}

} // namespace sluice::auth
