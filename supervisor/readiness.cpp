#include "supervisor/readiness.h"

#include "supervisor/config/addresses.h"
#include "supervisor/config/worker_slots.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <memory>

namespace sluice {
namespace {

constexpr size_t kMaxAnswerBytes = 4096; // of which the reason is made

// Where who listens at `address` is reached from this host: "scheme://host:port".
std::string reached_at(std::string_view scheme, const std::string &address) {
  auto parsed = config::parse_listen_address(address);
  if (!parsed) return fmt::format("{}://{}", scheme, address); // never: it was checked with the configuration
  std::string host = parsed->host;
  in6_addr v6{};
  bool is_v6 = inet_pton(AF_INET6, host.c_str(), &v6) == 1;
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (is_v6) host = IN6_IS_ADDR_UNSPECIFIED(&v6) ? "[::1]" : "[" + host + "]";
  return fmt::format("{}://{}:{}", scheme, host, parsed->port);
}

const std::string &address_of(const config::Configuration &configuration, config::Protocol protocol, bool tls) {
  switch (protocol) {
  case config::Protocol::Rtsp:
    return tls ? configuration.rtsps_address : configuration.rtsp_address;
  case config::Protocol::Rtmp:
    return tls ? configuration.rtmps_address : configuration.rtmp_address;
  case config::Protocol::Hls:
    break;
  }
  return configuration.hls_address;
}

// The handler may run at any time, so what it says stands here, whole.
char overdue[512];

void on_alarm(int) {
  if (::write(STDERR_FILENO, overdue, std::strlen(overdue)) < 0) ::_exit(1);
  ::_exit(1);
}

void expect(const std::string &what) {
  sigset_t alarm, before;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::sigprocmask(SIG_BLOCK, &alarm, &before);
  std::string text = fmt::format("not ready: {} within {} s\n", what, kReadinessPatienceSeconds);
  size_t length = std::min(text.size(), sizeof overdue - 1);
  std::memcpy(overdue, text.data(), length);
  overdue[length] = 0;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

size_t keep(char *bytes, size_t, size_t count, void *answer) {
  auto &kept = *static_cast<std::string *>(answer);
  kept.append(bytes, std::min(count, kMaxAnswerBytes - kept.size()));
  return count;
}

struct CleanUp {
  void operator()(CURL *easy) const { curl_easy_cleanup(easy); }
};

// Empty, or why not.
std::string ask(const std::string &url, bool connect_only) {
  expect("no answer from " + url);
  std::unique_ptr<CURL, CleanUp> easy(curl_easy_init());
  if (!easy) return "libcurl does not start";
  std::string answer;
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, ""); // whatever the environment says
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_CONNECT_ONLY, connect_only ? 1L : 0L);
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYPEER, 0L); // the certificate names the host as others know it
  curl_easy_setopt(easy.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
  CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) return fmt::format("{}: {}", url, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (connect_only || status == 200) return {};
  return fmt::format("{}: {}: {}", url, status, printable(answer.substr(0, answer.find('\n')), 200));
}

config::Report not_ready(const std::string &why) {
  return {1, {}, "not ready: " + why + "\n"};
}

} // namespace

ReadinessQuestions readiness_questions(const config::Configuration &configuration) {
  std::string_view scheme = configuration.api_encryption ? "https" : "http";
  if (configuration.api) return {reached_at(scheme, configuration.api_address) + "/readyz", {}};
  if (configuration.metrics) return {reached_at("http", configuration.metrics_address) + "/readyz", {}};
  ReadinessQuestions questions;
  for (config::Protocol protocol : config::kProtocols)
    for (bool tls : {false, true})
      if (config::listens(configuration, protocol, tls))
        questions.listeners.push_back(reached_at("http", address_of(configuration, protocol, tls)));
  return questions;
}

config::Report ask_readiness(const std::optional<std::string> &path, const config::Environment &environment) {
  expect("the configuration could not be read");
  ::signal(SIGALRM, on_alarm);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
  ::alarm(kReadinessPatienceSeconds);
  config::LoadResult loaded = config::load_configuration(path, environment);
  if (!loaded) return not_ready(loaded.error().front());
  ReadinessQuestions questions = readiness_questions(loaded->configuration);
  if (questions.url.empty() && questions.listeners.empty())
    return not_ready("the configuration has no listener that could be asked");
  std::string problem;
  if (!questions.url.empty()) problem = ask(questions.url, false);
  for (const std::string &listener : questions.listeners)
    if (problem.empty()) problem = ask(listener, true);
  return problem.empty() ? config::Report{} : not_ready(problem);
}

} // namespace sluice
