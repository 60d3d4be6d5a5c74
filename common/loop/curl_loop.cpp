#include "common/loop/curl_loop.h"

#include "common/base/check.h"

#include <sys/socket.h>

namespace sluice::loop {
namespace {

CURLM *make_multi() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(global == CURLE_OK);
  CURLM *multi = curl_multi_init();
  CHECK(multi != nullptr);
  return multi;
}

// Closed when a command is started.
curl_socket_t open_socket(void *listener, curlsocktype, curl_sockaddr *address) {
  static_cast<CurlLoop::Listener *>(listener)->on_resolved();
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int before_request(void *listener, char *, char *, int, int) {
  static_cast<CurlLoop::Listener *>(listener)->on_resolved();
  return CURL_PREREQFUNC_OK;
}

} // namespace

CurlLoop::CurlLoop(Loop &loop, long max_connections, long max_idle)
    : loop_(loop), multi_(make_multi()), timer_(loop, *this) {
  auto on_socket = [](CURL *, curl_socket_t fd, int what, void *self, void *) {
    static_cast<CurlLoop *>(self)->watch(fd, what);
    return 0;
  };
  auto on_timeout = [](CURLM *, long timeout_ms, void *self) {
    Timer &timer = static_cast<CurlLoop *>(self)->timer_;
    timeout_ms < 0 ? timer.stop() : timer.start(timeout_ms * kMillisecond);
    return 0;
  };
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, +on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, +on_timeout);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, max_connections);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, max_idle);
}

CurlLoop::~CurlLoop() {
  CHECK(transfers_ == 0);
  curl_multi_cleanup(multi_); // still calls watch()
}

void CurlLoop::add(CURL *easy, Listener &listener) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &listener);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); // else the end of a transfer waits for its resolver thread
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &listener);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &before_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &listener);
  CHECK(curl_multi_add_handle(multi_, easy) == CURLM_OK);
  transfers_++;
}

void CurlLoop::remove(CURL *easy) {
  CHECK(curl_multi_remove_handle(multi_, easy) == CURLM_OK);
  transfers_--;
}

void CurlLoop::watch(curl_socket_t fd, int what) {
  if (what == CURL_POLL_REMOVE) {
    polls_.erase(fd);
    return;
  }
  Poll::Listener &listener = *this;
  std::unique_ptr<Poll> &poll = polls_[fd];
  if (!poll) poll = std::make_unique<Poll>(loop_, fd, listener);
  poll->watch((what & CURL_POLL_IN ? Poll::kReadable : 0) | (what & CURL_POLL_OUT ? Poll::kWritable : 0));
}

void CurlLoop::on_poll(int fd, int events) {
  act(fd, (events & Poll::kReadable ? CURL_CSELECT_IN : 0) | (events & Poll::kWritable ? CURL_CSELECT_OUT : 0));
}

void CurlLoop::on_timer(Timer &) {
  act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlLoop::act(curl_socket_t fd, int events) {
  int running = 0, left = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  while (CURLMsg *message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    CURLcode result = message->data.result;
    void *listener = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &listener);
    remove(easy);
    static_cast<Listener *>(listener)->on_transfer_done(result);
  }
}

} // namespace sluice::loop
