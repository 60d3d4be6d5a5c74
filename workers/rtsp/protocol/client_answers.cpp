// What the Client makes of a server's answers.

#include "common/base/log.h"
#include "common/base/text.h"
#include "workers/rtsp/protocol/client.h"
#include "workers/rtsp/protocol/client_urls.h"
#include "workers/rtsp/protocol/sdp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::rtsp {
namespace {

constexpr size_t kMaxReasonBytes = 128;
constexpr Nanoseconds kShortestKeepAlive = kSecond;
constexpr uint64_t kMaxSessionTimeout = 24 * 3600;

bool is_redirection(uint16_t status) {
  return status >= 301 && status <= 305;
}

// Answers to SETUP that say that another transport might do; cameras send 400.
bool refuses_transport(uint16_t status) {
  return status == 400 || status == 461 || status == 463;
}

std::string bad_status(const ParsedResponse &response) {
  std::string reason = printable(response.reason, kMaxReasonBytes);
  if (reason.empty()) reason = reason_phrase(static_cast<Status>(response.status));
  return fmt::format("bad status code: {} ({})", response.status, reason);
}

std::optional<uint32_t> cseq_of(const Headers &headers) {
  const std::string *value = headers.find("CSeq");
  if (value == nullptr) return std::nullopt;
  uint32_t number = 0;
  auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  return error == std::errc() && end == value->data() + value->size() ? std::optional(number) : std::nullopt;
}

bool lists_get_parameter(std::string_view methods) {
  while (!methods.empty()) {
    size_t end = std::min(methods.find(','), methods.size());
    if (equal_ignoring_case(trim(methods.substr(0, end)), "GET_PARAMETER")) return true;
    methods.remove_prefix(std::min(end + 1, methods.size()));
  }
  return false;
}

// In seconds, of "id;timeout=60"; 0: none.
uint64_t timeout_of(std::string_view session) {
  while (!session.empty()) {
    size_t end = std::min(session.find(';'), session.size());
    std::string_view part = trim(session.substr(0, end));
    session.remove_prefix(std::min(end + 1, session.size()));
    size_t equals = part.find('=');
    if (equals == std::string_view::npos || !equal_ignoring_case(trim(part.substr(0, equals)), "timeout")) continue;
    std::string_view digits = trim(part.substr(equals + 1));
    uint64_t seconds = 0;
    auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    return error == std::errc() && stop == digits.data() + digits.size() ? std::min(seconds, kMaxSessionTimeout) : 0;
  }
  return 0;
}

// Tracks that the client is to feed (ONVIF) are told by audio that is `sendonly` beside others that are not: where all
// are, the server means its own side.
void leave_out_back_channels(ParsedSdp &sdp) {
  auto sends = [](MediaDirection direction) { return direction == MediaDirection::SendOnly; };
  if (std::all_of(sdp.directions.begin(), sdp.directions.end(), sends)) return;
  std::vector<media::Track> &tracks = sdp.description.tracks;
  bool video_too = false;
  for (size_t i = 0; i < tracks.size(); i++)
    video_too = video_too || (tracks[i].kind != media::MediaKind::Audio && sends(sdp.directions[i]));
  if (video_too) return;
  for (size_t i = tracks.size(); i-- > 0;) {
    if (!sends(sdp.directions[i])) continue;
    tracks.erase(tracks.begin() + static_cast<ptrdiff_t>(i));
    sdp.controls.erase(sdp.controls.begin() + static_cast<ptrdiff_t>(i));
  }
}

} // namespace

// The request that an answer is about. Of what names no request of ours, or none at all, the oldest; what comes late
// is about none.
std::optional<Client::Exchange> Client::take_exchange(const Headers &headers) {
  if (exchanges_.empty()) return std::nullopt;
  auto found = exchanges_.begin();
  if (auto cseq = cseq_of(headers)) {
    if (*cseq < exchanges_.front().cseq) return std::nullopt;
    auto same = std::find_if(exchanges_.begin(), exchanges_.end(), [&](const Exchange &e) { return e.cseq == *cseq; });
    if (same != exchanges_.end()) found = same;
  }
  Exchange exchange = *found;
  exchanges_.erase(exchanges_.begin(), found + 1);
  return exchange;
}

void Client::on_response(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects) {
  if (response.status < 200) return; // 100 Continue
  std::optional<Exchange> exchange = take_exchange(response.headers);
  if (!exchange) return;
  if (response.status == 401) return on_unauthorized(*exchange, response, now, effects);
  if (exchange->keep_alive) return on_kept_alive(response);
  if (is_redirection(response.status)) return on_moved(response.headers, effects);
  switch (exchange->method) {
  case Method::Options:
    return on_options(response, now, effects);
  case Method::Describe:
    return on_described(response, now, effects);
  case Method::Setup:
    return on_set_up(response, now, effects);
  case Method::Play:
    return on_playing(response, now, effects);
  default:
    return;
  }
}

void Client::on_unauthorized(Exchange exchange, const ParsedResponse &response, Nanoseconds now,
                             ClientEffects &effects) {
  if (!credentials_.given() && exchange.keep_alive) return;
  if (!credentials_.given()) return fail(bad_status(response), effects);
  std::vector<Challenge> challenges;
  for (const Header &header : response.headers.all()) {
    if (!equal_ignoring_case(header.name, "WWW-Authenticate")) continue;
    auto parsed = parse_challenges(header.value);
    if (parsed) challenges.insert(challenges.end(), parsed->begin(), parsed->end());
  }
  std::string former = exchange.authorized && credentials_.challenge() ? credentials_.challenge()->nonce : "";
  bool accepted = credentials_.accept(challenges);
  // A nonce that has become old is no refusal of the credentials, and not each server says that it is just that.
  bool renewed =
      accepted && exchange.authorized && credentials_.challenge()->scheme != AuthScheme::Basic &&
      (credentials_.challenge()->stale || (exchange.rejections == 0 && credentials_.challenge()->nonce != former));
  bool first = accepted && !exchange.authorized && exchange.rejections == 0;
  if ((!first && !renewed) || ++exchange.rejections == kMaxRejections) return fail("authentication failed", effects);
  request(exchange, now, effects);
}

void Client::on_moved(const Headers &headers, ClientEffects &effects) {
  const std::string *location = headers.find("Location");
  if (location == nullptr) return fail("the server redirects without saying where", effects);
  auto url = redirection_url(url_, *location);
  if (!url) return fail("the server redirects to what is no RTSP URL: " + url.error().message, effects);
  set_step(Step::Over);
  effects.push_back(client::Moved{std::move(*url)});
}

void Client::on_options(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Options) return;
  bool tolerated = response.status == 404 || response.status == 405 || response.status == 501;
  if (response.status != 200 && !tolerated) return fail(bad_status(response), effects);
  if (const std::string *methods = response.headers.find("Public"); methods != nullptr)
    has_get_parameter_ = lists_get_parameter(*methods);
  set_step(Step::Describe);
  request({.method = Method::Describe}, now, effects);
}

void Client::on_described(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Describe) return;
  if (response.status != 200) return fail(bad_status(response), effects);
  auto sdp = parse_sdp(as_text(response.body));
  if (!sdp) return fail("invalid SDP: " + sdp.error().message, effects);
  leave_out_back_channels(*sdp);
  base_ = base_url(url_, response.headers, sdp->session_control);
  track_urls_.clear();
  for (const std::string &control : sdp->controls) {
    auto url = track_url(base_, control);
    if (!url) return fail("invalid control of a track: " + url.error().message, effects);
    track_urls_.push_back(url->text());
  }
  description_ = std::move(sdp->description);
  channels_ = {};
  track_ = 0;
  set_up_next(now, effects);
}

void Client::on_set_up(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Setup) return;
  const std::string *transport = response.headers.find("Transport");
  if (response.status == 200) read_session(response.headers);
  bool refused = refuses_transport(response.status) || (transport != nullptr && answers_with_tcp(*transport));
  if (may_fall_back_ && refused) return start_over(now, effects);
  if (response.status != 200) return fail(bad_status(response), effects);
  auto route = read_transport_answer(transport, transport_, asked_, options_.any_port);
  Result<void> taken = route && over_tcp() ? take_channels(route->channels) : Result<void>();
  if (!route || !taken) {
    tear_down(now, effects);
    return fail((!route ? route.error() : taken.error()).message, effects);
  }
  effects.push_back(client::TrackSetUp{track_, std::move(*route)});
  track_++;
  next_keep_alive_ = now + keep_alive_interval_;
  set_up_next(now, effects);
}

Result<void> Client::take_channels(const PortPair &channels) {
  uint8_t &rtp = channels_[channels.rtp], &rtcp = channels_[channels.rtcp];
  if (rtp != 0 || rtcp != 0) return Error{"the server uses the same channels for two tracks"};
  rtp = static_cast<uint8_t>(1 + 2 * track_);
  rtcp = static_cast<uint8_t>(2 + 2 * track_);
  return {};
}

void Client::read_session(const Headers &headers) {
  const std::string *value = headers.find("Session");
  if (value == nullptr) return;
  session_ = trim(value->substr(0, value->find(';')));
  if (uint64_t seconds = timeout_of(*value); seconds > 0)
    keep_alive_interval_ = std::max(static_cast<Nanoseconds>(seconds) * kSecond / 10 * 8, kShortestKeepAlive);
}

void Client::on_playing(const ParsedResponse &response, Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Play) return;
  if (response.status != 200) return fail(bad_status(response), effects);
  set_step(Step::Playing);
  playing_since_ = now;
  next_keep_alive_ = now + keep_alive_interval_;
}

// A server that does not like it may still count it as a sign of life.
void Client::on_kept_alive(const ParsedResponse &response) {
  if (response.status >= 400) has_get_parameter_ = false;
}

} // namespace sluice::rtsp
