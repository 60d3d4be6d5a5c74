// Asks an HTTP server whether somebody may publish or read: one POST a question, on the loop, bounded in time and
// number. Status 200 to 209 is yes; anything else, or no answer in time, is no. Questions do not wait for each
// other: each that is outstanding has its own connection. The loop and the listener must outlive it.
#pragma once

#include "common/loop/curl_loop.h"
#include "common/loop/next_turn.h"
#include "supervisor/auth/external_body.h"

#include <deque>
#include <string>
#include <unordered_map>

namespace sluice::auth {

class ExternalAuthentication final : loop::Timer::Listener, loop::NextTurn::Listener {
public:
  static constexpr size_t kMaxQuestions = 4096;          // more are refused
  static constexpr size_t kMaxTransfers = 2048;          // of them with a connection; the others wait
  static constexpr size_t kMaxStarts = 8;                // in one turn of the loop
  static constexpr size_t kMaxResolving = 16;            // of them whose name is being resolved: a thread each
  static constexpr long kMaxIdleConnections = 64;        // kept for later
  static constexpr size_t kMaxResponseBytes = 64 * 1024; // head and body; more is a failure
  static constexpr long kMaxRedirects = 5;

  using Id = uint64_t;
  struct Listener {
    virtual ~Listener() = default;
    // Errors: "bad status code: 401", or what kept the server from answering; no secrets.
    virtual void on_external_answer(Id id, Result<void> answer) = 0;
  };

  ExternalAuthentication(loop::Loop &loop, Listener &listener);
  ~ExternalAuthentication() override; // not from within on_external_answer
  ExternalAuthentication(const ExternalAuthentication &) = delete;
  ExternalAuthentication &operator=(const ExternalAuthentication &) = delete;

  // on_external_answer follows, once and not before this returns, unless there is an error already. Ids are the
  // caller's, unique among the questions that are outstanding. `timeout` is for all of it, waiting included.
  Result<void> ask(Id id, const std::string &url, Nanoseconds timeout, const ExternalRequest &request);
  void cancel(Id id);
  size_t outstanding() const { return questions_.size(); }
  uint64_t failures() const { return failures_; } // no answer, or not in time

private:
  class Question;
  using Questions = std::unordered_map<Id, std::unique_ptr<Question>>;

  void on_timer(loop::Timer &timer) override;
  void on_next_turn() override;
  void expire_waiting();
  void arm_deadline();
  void start_soon();
  void on_resolved();
  void on_answer(Id id, CURLcode code);
  void finish(Questions::iterator question, Result<void> answer);
  void warn(const std::string &server, const std::string &reason);

  loop::Loop &loop_;
  Listener &listener_;
  loop::CurlLoop curl_;
  loop::NextTurn turn_;  // outside of libcurl and of callers
  loop::Timer deadline_; // of those that wait
  Questions questions_;
  std::deque<Id> waiting_; // without a transfer so far
  size_t transfers_ = 0, resolving_ = 0;
  Nanoseconds next_warning_ = 0;
  uint64_t failures_ = 0;
  size_t unwarned_ = 0; // failures since the last line
};

} // namespace sluice::auth
