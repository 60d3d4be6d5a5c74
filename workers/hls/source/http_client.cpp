#include "workers/hls/source/http_client.h"

#include "common/base/check.h"
#include "common/base/secret.h"
#include "common/base/text.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <limits>

namespace sluice::hls {
namespace {

struct FreeUrl {
  void operator()(CURLU *url) const { curl_url_cleanup(url); }
};
using ParsedUrl = std::unique_ptr<CURLU, FreeUrl>;

ParsedUrl parse_url(const std::string &text) {
  ParsedUrl url(curl_url());
  CHECK(url != nullptr);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) url.reset();
  return url;
}

// Empty: it has none.
std::string part_of(CURLU *url, CURLUPart part, unsigned flags = 0) {
  char *text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  std::fill(text, text + copy.size(), '\0');
  curl_free(text);
  return copy;
}

std::string origin_of(CURLU *url) {
  return part_of(url, CURLUPART_SCHEME) + "://" + lower(part_of(url, CURLUPART_HOST)) + ":" +
         part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

template <class Value> void set(CURL *easy, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

std::string fingerprint_of(const X509 *certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), digest.data(), &length) == 1);
  std::string text;
  for (unsigned i = 0; i < length; i++) text += fmt::format("{:02x}", digest[i]);
  return text;
}

} // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::create(loop::Loop &loop, Settings settings) {
  std::unique_ptr<HttpClient> client(new HttpClient(loop, std::move(settings)));
  TRY(client->take_apart(client->settings_.url));
  wipe(client->settings_.url);
  return client;
}

HttpClient::HttpClient(loop::Loop &loop, Settings settings)
    : curl_(loop, kMaxConnections, kMaxIdle), settings_(std::move(settings)) {}

HttpClient::~HttpClient() {
  wipe(user_);
  wipe(password_);
  curl_slist_free_all(resolved_);
}

Result<void> HttpClient::take_apart(const std::string &text) {
  ParsedUrl url = parse_url(text);
  if (!url) return Error{"not a valid HLS URL"};
  host_ = part_of(url.get(), CURLUPART_HOST);
  origin_ = origin_of(url.get());
  user_ = part_of(url.get(), CURLUPART_USER, CURLU_URLDECODE);
  password_ = part_of(url.get(), CURLUPART_PASSWORD, CURLU_URLDECODE);
  curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  url_ = part_of(url.get(), CURLUPART_URL);
  if (settings_.addresses.empty() || host_.starts_with('[')) return {};
  // As any answer of the resolver it holds for a while only.
  std::string entry = fmt::format("+{}:{}:", host_, part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
  for (const loop::SocketAddress &address : settings_.addresses) {
    if (entry.back() != ':') entry += ',';
    entry += address.family() == AF_INET6 ? "[" + address.host() + "]" : address.host();
  }
  resolved_ = curl_slist_append(nullptr, entry.c_str());
  return {};
}

bool HttpClient::is_at_home(const std::string &text) const {
  ParsedUrl url = parse_url(text);
  return url && origin_of(url.get()) == origin_;
}

void HttpClient::prepare(CURL *easy, const std::string &url) const {
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_FOLLOWLOCATION, 1L);
  set(easy, CURLOPT_PROXY, ""); // whatever the environment says
  set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(easy, CURLOPT_USERAGENT, "sluice");
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_timeout_ns / kMillisecond));
  if (resolved_ != nullptr) set(easy, CURLOPT_RESOLVE, resolved_);
  // Those of its own that a URL has are kept by libcurl: for that host, and within TLS.
  bool at_home = !user_.empty() && is_at_home(url);
  set(easy, CURLOPT_REDIR_PROTOCOLS_STR, at_home && origin_.starts_with("https:") ? "https" : "http,https");
  if (at_home) {
    set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(easy, CURLOPT_USERNAME, user_.c_str());
    set(easy, CURLOPT_PASSWORD, password_.c_str());
  }
  // Certificates are those of our context, for whatever host.
  set(easy, CURLOPT_CAINFO, nullptr);
  set(easy, CURLOPT_CAPATH, nullptr);
  bool by_fingerprint = settings_.tls && !settings_.tls->fingerprint().empty();
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_SSL_VERIFYPEER, by_fingerprint ? 0L : 1L);
  set(easy, CURLOPT_SSL_VERIFYHOST, by_fingerprint ? 0L : 2L);
  set(easy, CURLOPT_SSL_CTX_FUNCTION, &HttpClient::set_trust);
  set(easy, CURLOPT_SSL_CTX_DATA, this);
}

CURLcode HttpClient::set_trust(CURL *, void *ssl_context, void *self_pointer) {
  auto *context = static_cast<SSL_CTX *>(ssl_context);
  auto *self = static_cast<HttpClient *>(self_pointer);
  if (!self->settings_.tls) return CURLE_OK; // libcurl's own has none
  if (self->settings_.tls->fingerprint().empty()) {
    SSL_CTX_set1_cert_store(context, SSL_CTX_get_cert_store(self->settings_.tls->raw()));
    return CURLE_OK;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(
      context,
      [](X509_STORE_CTX *store, void *client) {
        auto *judge = static_cast<HttpClient *>(client);
        const X509 *certificate = X509_STORE_CTX_get0_cert(store);
        std::string shown = certificate == nullptr ? "none" : fingerprint_of(certificate);
        if (shown == judge->settings_.tls->fingerprint()) return 1;
        judge->wrong_fingerprint_ = shown;
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
      },
      self);
  return CURLE_OK;
}

// --- downloads ---

void Download::start(Request request, Nanoseconds now) {
  CHECK(!active_);
  request_ = std::move(request);
  easy_.reset(curl_easy_init());
  CHECK(easy_ != nullptr);
  CURL *easy = easy_.get();
  client_.prepare(easy, request_.url);
  set(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  set(easy, CURLOPT_WRITEFUNCTION, &Download::on_body);
  set(easy, CURLOPT_WRITEDATA, this);
  set(easy, CURLOPT_HEADERFUNCTION, &Download::on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set(easy, CURLOPT_ERRORBUFFER, error_);
  if (request_.compressed) set(easy, CURLOPT_ACCEPT_ENCODING, "");
  if (request_.range) {
    const ByteRange &range = *request_.range;
    set(easy, CURLOPT_RANGE, fmt::format("{}-{}", range.offset, range.offset + range.length - 1).c_str());
  }
  error_[0] = '\0';
  paused_ = too_large_ = refused_ = begun_ = false;
  received_ = 0;
  header_bytes_ = 0;
  started_ns_ = last_progress_ns_ = now;
  active_ = true;
  client_.wrong_fingerprint_.clear();
  client_.curl_.add(easy, *this);
}

void Download::cancel() {
  if (std::exchange(active_, false)) client_.curl_.remove(easy_.get());
}

void Download::resume(Nanoseconds now) {
  if (!active_ || !std::exchange(paused_, false)) return;
  last_progress_ns_ = now;
  curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
}

std::string Download::effective_url() const {
  const char *url = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_EFFECTIVE_URL, &url);
  return url == nullptr ? request_.url : url;
}

size_t Download::on_header(char *, size_t size, size_t count, void *self) {
  auto *download = static_cast<Download *>(self);
  download->header_bytes_ += size * count;
  return download->header_bytes_ > kMaxHeaderBytes ? 0 : size * count;
}

size_t Download::on_body(char *data, size_t size, size_t count, void *self) {
  auto *download = static_cast<Download *>(self);
  Bytes bytes(reinterpret_cast<const uint8_t *>(data), size * count);
  return download->take(bytes);
}

size_t Download::take(Bytes data) {
  last_progress_ns_ = monotonic_now();
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 && status != 206) return 0; // what it says is of no use
  if (!listener_.has_room(*this)) {
    paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (!std::exchange(begun_, true)) {
    // Servers that know no ranges send everything.
    to_skip_ = request_.range && status == 200 ? request_.range->offset : 0;
    to_take_ = request_.range ? request_.range->length : std::numeric_limits<uint64_t>::max();
  }
  size_t count = data.size();
  received_ += count;
  auto skipped = static_cast<size_t>(std::min<uint64_t>(to_skip_, data.size()));
  to_skip_ -= skipped;
  data = data.subspan(skipped);
  data = data.first(static_cast<size_t>(std::min<uint64_t>(to_take_, data.size())));
  if (received_ > request_.max_bytes) {
    too_large_ = true;
    return 0;
  }
  to_take_ -= data.size();
  if (!data.empty() && !listener_.on_data(*this, data)) {
    refused_ = true;
    return 0;
  }
  return to_take_ == 0 && request_.range && status == 200 ? 0 : count; // the rest is not wanted
}

void Download::on_transfer_done(CURLcode code) {
  active_ = false;
  listener_.on_done(*this, result(code));
}

Result<void> Download::result(CURLcode code) const {
  long status = 0, redirects = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_COUNT, &redirects);
  if (too_large_) return Error{fmt::format("larger than {} bytes", request_.max_bytes)};
  if (refused_) return Error{"of no use"};
  if (header_bytes_ > kMaxHeaderBytes) return Error{"too many header fields"};
  if (!client_.wrong_fingerprint_.empty())
    return Error{fmt::format("server fingerprint do not match: expected {}, got {}",
                             client_.settings_.tls->fingerprint(), client_.wrong_fingerprint_)};
  bool redirected = status >= 300 && status < 400;
  if (status != 0 && status != 200 && status != 206 && !redirected)
    return Error{fmt::format("bad status code: {}", status)};
  if (request_.range && begun_ && to_take_ == 0) return {};
  // Once a server has redirected us, libcurl's text may quote what that server said.
  bool as_is = error_[0] != '\0' && redirects == 0 && !redirected;
  if (code != CURLE_OK) return Error{as_is ? error_ : curl_easy_strerror(code)};
  if (redirected) return Error{fmt::format("bad status code: {}", status)};
  if (request_.range && (!begun_ || to_take_ > 0)) return Error{"shorter than its byte range"};
  return {};
}

} // namespace sluice::hls
