// libcurl's multi interface on the loop: transfers that never block it, not even with a resolver that hangs.
// Easy handles belong to the caller, who has set their URL, callbacks and time limit and removes those that are
// still under way before the CurlLoop goes.
#pragma once

#include "common/base/result.h"
#include "common/loop/loop.h"

#include <curl/curl.h>

#include <memory>
#include <unordered_map>

namespace sluice::loop {

struct CleanUpCurl {
  void operator()(CURL *easy) const { curl_easy_cleanup(easy); }
};
using CurlHandle = std::unique_ptr<CURL, CleanUpCurl>; // not to be destroyed while it is added

class CurlLoop final : Poll::Listener, Timer::Listener {
public:
  // Must outlive its transfer.
  struct Listener {
    virtual ~Listener() = default;
    // The name of the host is known, for the first time or after a redirect. Called within libcurl: must not call
    // CurlLoop.
    virtual void on_resolved() {}
    // The handle is removed already. Others may be added and removed here.
    virtual void on_transfer_done(CURLcode result) = 0;
  };

  // Connections beyond `max_connections` wait; `max_idle` are kept for later transfers.
  CurlLoop(Loop &loop, long max_connections, long max_idle);
  ~CurlLoop(); // not from within a callback
  CurlLoop(const CurlLoop &) = delete;
  CurlLoop &operator=(const CurlLoop &) = delete;

  // Sets CURLOPT_PRIVATE, NOSIGNAL, QUICK_EXIT, OPENSOCKETFUNCTION and PREREQFUNCTION. The listener is never called
  // before this returns.
  void add(CURL *easy, Listener &listener);
  void remove(CURL *easy); // its listener is not called any more

private:
  void on_poll(int fd, int events) override;
  void on_timer(Timer &timer) override;
  void watch(curl_socket_t fd, int what);
  void act(curl_socket_t fd, int events);

  Loop &loop_;
  CURLM *multi_;
  Timer timer_;
  std::unordered_map<curl_socket_t, std::unique_ptr<Poll>> polls_;
  size_t transfers_ = 0;
};

} // namespace sluice::loop
