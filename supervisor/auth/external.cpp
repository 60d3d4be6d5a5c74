#include "supervisor/auth/external.h"

#include "common/base/check.h"
#include "common/base/log.h"

#include <algorithm>
#include <limits>

namespace sluice::auth {
namespace {

struct CleanUpUrl {
  void operator()(CURLU *url) const { curl_url_cleanup(url); }
};

struct Server {
  std::string origin; // scheme, host and port: what may be shown
  bool is_local = false;
};

std::string part_of(CURLU *url, CURLUPart part) {
  char *text = nullptr;
  std::string result = curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : "";
  curl_free(text);
  return result;
}

Server server_of(const std::string &text) {
  std::unique_ptr<CURLU, CleanUpUrl> url(curl_url());
  CHECK(url);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {"the configured URL", false};
  std::string host = part_of(url.get(), CURLUPART_HOST), port = part_of(url.get(), CURLUPART_PORT);
  bool is_local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
  return {part_of(url.get(), CURLUPART_SCHEME) + "://" + host + (port.empty() ? "" : ":" + port), is_local};
}

curl_slist *request_headers() {
  static curl_slist *headers = [] {
    curl_slist *list = curl_slist_append(nullptr, "Content-Type: application/json");
    return curl_slist_append(list, "Expect:"); // no waiting for "100 Continue"
  }();
  return headers;
}

} // namespace

class ExternalAuthentication::Question final : public loop::CurlLoop::Listener {
public:
  Question(ExternalAuthentication &owner, Id id, const std::string &url, Nanoseconds deadline, SecretText body)
      : owner_(owner), id_(id), url_(url), server_(server_of(url)), deadline_(deadline), body_(std::move(body)) {}

  Nanoseconds deadline() const { return deadline_; }
  const std::string &server() const { return server_.origin; }
  bool started() const { return easy_ != nullptr; }
  bool resolved() const { return resolved_; }

  void start(Nanoseconds now) {
    easy_.reset(curl_easy_init());
    CHECK(easy_);
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L); // 307 and 308 keep POST, others make it GET
    set(CURLOPT_MAXREDIRS, kMaxRedirects);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_USERAGENT, "sluice");
    set(CURLOPT_HTTPHEADER, request_headers());
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, body_.view().data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.view().size()));
    set(CURLOPT_TIMEOUT_MS, std::max<long>(1, static_cast<long>((deadline_ - now) / kMillisecond)));
    set(CURLOPT_CONNECTTIMEOUT_MS, std::numeric_limits<int>::max()); // the one above holds
    if (server_.is_local) set(CURLOPT_PROXY, "");                    // whatever the environment says
    set(CURLOPT_WRITEFUNCTION, &Question::receive);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Question::receive);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_ERRORBUFFER, error_);
    owner_.curl_.add(easy_.get(), *this);
  }

  void stop() { owner_.curl_.remove(easy_.get()); }

  Result<void> result(CURLcode code) const {
    long status = 0, redirects = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_COUNT, &redirects);
    if (received_ > kMaxResponseBytes) return Error{"response is too long"};
    // Once a server has redirected us, libcurl's text may quote what that server said.
    bool as_is = error_[0] != '\0' && redirects == 0 && status == 0;
    if (code != CURLE_OK) return Error{as_is ? error_ : curl_easy_strerror(code)};
    if (status < 200 || status > 209) return Error{fmt::format("bad status code: {}", status)};
    return {};
  }

private:
  template <class Value> void set(CURLoption option, Value value) {
    CHECK(curl_easy_setopt(easy_.get(), option, value) == CURLE_OK);
  }

  static size_t receive(char *, size_t size, size_t count, void *question) {
    auto *self = static_cast<Question *>(question);
    self->received_ += size * count;
    return self->received_ > kMaxResponseBytes ? 0 : size * count;
  }

  void on_resolved() override {
    if (!std::exchange(resolved_, true)) owner_.on_resolved();
  }
  void on_transfer_done(CURLcode code) override { owner_.on_answer(id_, code); }

  ExternalAuthentication &owner_;
  Id id_;
  std::string url_;
  Server server_;
  Nanoseconds deadline_;
  SecretText body_;
  size_t received_ = 0;
  bool resolved_ = false;
  char error_[CURL_ERROR_SIZE] = {};
  loop::CurlHandle easy_; // uses the members above
};

ExternalAuthentication::ExternalAuthentication(loop::Loop &loop, Listener &listener)
    : loop_(loop), listener_(listener), curl_(loop, static_cast<long>(kMaxTransfers), kMaxIdleConnections),
      turn_(loop, *this), deadline_(loop, *this) {}

ExternalAuthentication::~ExternalAuthentication() {
  for (auto &[id, question] : questions_)
    if (question->started()) question->stop();
}

Result<void> ExternalAuthentication::ask(Id id, const std::string &url, Nanoseconds timeout,
                                         const ExternalRequest &request) {
  CHECK(!questions_.contains(id));
  SecretText body = TRY(external_body(request));
  Nanoseconds deadline = loop_.now() + timeout;
  auto question = std::make_unique<Question>(*this, id, url, deadline, std::move(body));
  if (questions_.size() == kMaxQuestions) {
    Error error{"too many authentication requests"};
    warn(question->server(), error.message);
    return error;
  }
  questions_.emplace(id, std::move(question));
  waiting_.push_back(id);
  if (!deadline_.active()) arm_deadline();
  start_soon();
  return {};
}

void ExternalAuthentication::cancel(Id id) {
  auto found = questions_.find(id);
  if (found == questions_.end()) return;
  Question &question = *found->second;
  if (question.started()) {
    question.stop();
    transfers_--;
    if (!question.resolved()) resolving_--;
    start_soon();
  } else {
    std::erase(waiting_, id);
  }
  questions_.erase(found);
}

void ExternalAuthentication::on_timer(loop::Timer &) {
  expire_waiting();
  arm_deadline();
}

void ExternalAuthentication::start_soon() {
  if (!waiting_.empty() && transfers_ < kMaxTransfers && resolving_ < kMaxResolving) turn_.request();
}

void ExternalAuthentication::on_next_turn() {
  for (size_t i = 0; i < kMaxStarts; i++) {
    if (waiting_.empty() || transfers_ == kMaxTransfers || resolving_ == kMaxResolving) break;
    Question &question = *questions_.at(waiting_.front());
    waiting_.pop_front();
    transfers_++;
    resolving_++;
    question.start(loop_.now());
  }
  start_soon();
  arm_deadline();
}

void ExternalAuthentication::arm_deadline() {
  deadline_.stop();
  if (!waiting_.empty()) deadline_.start(questions_.at(waiting_.front())->deadline() - loop_.now());
}

void ExternalAuthentication::expire_waiting() {
  Nanoseconds now = loop_.now();
  while (!waiting_.empty()) {
    auto question = questions_.find(waiting_.front());
    if (question->second->deadline() > now) return;
    waiting_.pop_front();
    finish(question, Error{"no answer in time: the requests before it have none either"});
  }
}

void ExternalAuthentication::on_resolved() {
  resolving_--;
  start_soon();
}

void ExternalAuthentication::on_answer(Id id, CURLcode code) {
  auto found = questions_.find(id);
  CHECK(found != questions_.end());
  transfers_--;
  if (!found->second->resolved()) resolving_--;
  start_soon();
  Result<void> answer = found->second->result(code);
  if (code != CURLE_OK) warn(found->second->server(), answer.error().message);
  questions_.erase(found);
  listener_.on_external_answer(id, std::move(answer));
}

void ExternalAuthentication::finish(Questions::iterator found, Result<void> answer) {
  Id id = found->first;
  warn(found->second->server(), answer.error().message);
  questions_.erase(found);
  listener_.on_external_answer(id, std::move(answer));
}

void ExternalAuthentication::warn(const std::string &server, const std::string &reason) {
  failures_++;
  unwarned_++;
  Nanoseconds now = loop_.now();
  if (now < next_warning_) return;
  next_warning_ = now + kSecond;
  log(LogLevel::Warn, "external authentication: no answer from {}: {}; requests refused since the last such line: {}",
      server, reason, std::exchange(unwarned_, 0));
}

} // namespace sluice::auth
