#include "workers/rtsp/protocol/client.h"

#include "common/base/check.h"
#include "common/base/secret.h"
#include "workers/rtsp/protocol/client_urls.h"
#include "workers/rtsp/protocol/interleaved.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr Nanoseconds kPatienceWithUdp = 3 * kSecond; // before TCP is tried
constexpr Nanoseconds kKeepAliveInterval = 30 * kSecond;

std::string_view name_of(Method method) {
  switch (method) {
  case Method::Options:
    return "OPTIONS";
  case Method::Describe:
    return "DESCRIBE";
  case Method::Announce:
    return "ANNOUNCE";
  case Method::Setup:
    return "SETUP";
  case Method::Play:
    return "PLAY";
  case Method::Record:
    return "RECORD";
  case Method::Pause:
    return "PAUSE";
  case Method::Teardown:
    return "TEARDOWN";
  case Method::GetParameter:
    return "GET_PARAMETER";
  case Method::SetParameter:
    return "SET_PARAMETER";
  case Method::Other:
    break;
  }
  return "";
}

} // namespace

Client::Client(ClientOptions options)
    : options_(std::move(options)), url_(options_.url),
      credentials_(options_.url.userinfo, std::move(options_.client_nonce)), transport_(options_.transport),
      may_fall_back_(transport_ == ClientTransport::Automatic && !url_.tls), keep_alive_interval_(kKeepAliveInterval) {
  wipe(options_.url.userinfo);
  wipe(url_.userinfo);
  if (url_.tls) transport_ = ClientTransport::Tcp; // packets beside the connection would not be protected
  if (transport_ == ClientTransport::Automatic) transport_ = ClientTransport::Udp;
  base_ = url_;
}

void Client::set_step(Step next) {
  CHECK(step_ != Step::Over);
  step_ = next;
}

void Client::fail(std::string reason, ClientEffects &effects) {
  set_step(Step::Over);
  effects.push_back(client::Failed{std::move(reason)});
}

// --- events ---

void Client::on_connected(Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Connecting) return;
  set_step(Step::Options);
  request({.method = Method::Options}, now, effects);
}

size_t Client::on_input(Bytes input, Nanoseconds now, ClientMedia &media, ClientEffects &effects) {
  if (step_ == Step::Over || step_ == Step::Connecting) return 0;
  auto item = next_item(input);
  if (!item) {
    fail(item.error().message, effects);
    return 0;
  }
  if (!*item) return 0;
  if ((*item)->kind == ItemKind::Frame) {
    auto frame = parse_frame(input.subspan((*item)->skip));
    if (!frame) return 0;
    on_frame(frame->channel, frame->payload, now, media, effects);
    return (*item)->skip + frame->consumed;
  }
  if ((*item)->kind == ItemKind::Request) {
    auto parsed = parse_request(input, hint_);
    if (!parsed) fail(parsed.error().message, effects);
    if (!parsed || !*parsed) return 0;
    hint_ = {};
    on_request((*parsed)->request, effects);
    return (*parsed)->consumed;
  }
  auto parsed = parse_response(input, hint_);
  if (!parsed) fail(parsed.error().message, effects);
  if (!parsed || !*parsed) return 0;
  hint_ = {};
  on_response(**parsed, now, effects);
  return (*parsed)->consumed;
}

void Client::on_frame(uint8_t channel, Bytes packet, Nanoseconds now, ClientMedia &media, ClientEffects &effects) {
  if (channels_[channel] == 0 || packet.empty()) return; // nobody asked for it
  if (step_ != Step::Play && step_ != Step::Playing) return;
  last_packet_ = now;
  size_t index = channels_[channel] - 1u;
  auto taken = media.on_interleaved(index / 2, index % 2 == 1, packet);
  if (!taken) fail(taken.error().message, effects);
}

// What servers ask of clients: signs of life, and to go elsewhere.
void Client::on_request(const Request &request, ClientEffects &effects) {
  bool known = request.method == Method::Options || request.method == Method::GetParameter ||
               request.method == Method::SetParameter || request.method == Method::Announce ||
               request.method_name == "REDIRECT";
  const std::string *cseq = request.headers.find("CSeq");
  Response response{.status = known ? Status::Ok : Status::NotImplemented, .cseq = cseq != nullptr ? *cseq : ""};
  ByteVector bytes;
  serialise(response, bytes);
  effects.push_back(client::Send{std::string(as_text(bytes))});
  if (request.method_name == "REDIRECT") on_moved(request.headers, effects);
}

void Client::on_ports(const PortPair &ports, Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Ports) return;
  asked_ = ports;
  ask_for_setup(now, effects);
}

void Client::play(Nanoseconds now, ClientEffects &effects) {
  if (step_ != Step::Ready) return;
  set_step(Step::Play);
  request({.method = Method::Play}, now, effects);
}

void Client::stop(Nanoseconds now, ClientEffects &effects) {
  if (step_ == Step::Over) return;
  tear_down(now, effects);
  set_step(Step::Over);
}

void Client::tear_down(Nanoseconds now, ClientEffects &effects) {
  if (!session_.empty()) request({.method = Method::Teardown}, now, effects);
}

// The same again, in one connection.
void Client::start_over(Nanoseconds now, ClientEffects &effects) {
  tear_down(now, effects);
  effects.push_back(client::StartOver{});
  set_step(Step::Connecting);
  transport_ = ClientTransport::Tcp;
  may_fall_back_ = false;
  exchanges_.clear();
  hint_ = {};
  base_ = url_;
  session_.clear();
  keep_alive_interval_ = kKeepAliveInterval;
  has_get_parameter_ = false;
  track_ = 0;
  last_packet_.reset();
}

// --- requests ---

void Client::request(Exchange exchange, Nanoseconds now, ClientEffects &effects) {
  exchange.cseq = next_cseq_++;
  std::string text = request_text(exchange);
  if (exchanges_.size() == kMaxExchanges) exchanges_.pop_front();
  exchanges_.push_back(exchange);
  answer_due_ = now + options_.read_timeout;
  effects.push_back(client::Send{std::move(text)});
}

std::string Client::target(const Exchange &exchange) const {
  switch (exchange.method) {
  case Method::Options:
  case Method::Describe:
    return exchange.keep_alive ? base_.text() : url_.text();
  case Method::Setup:
    return track_urls_[track_];
  default:
    return base_.text();
  }
}

std::string Client::request_text(Exchange &exchange) {
  std::string_view method = name_of(exchange.method);
  std::string url = target(exchange);
  std::string authorization = credentials_.authorization(method, url);
  exchange.authorized = !authorization.empty();
  std::string text;
  text.reserve(1024 + 3 * url.size() + session_.size() + authorization.size()); // it may hold a secret: no copies
  text += fmt::format("{} {} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: sluice\r\n", method, url, exchange.cseq);
  if (exchange.method == Method::Describe) text += "Accept: application/sdp\r\n";
  if (exchange.method == Method::Setup) text += "Transport: " + write_transport_request(transport_, asked_) + "\r\n";
  if (exchange.method == Method::Play) text += "Range: npt=0-\r\n";
  if (!session_.empty()) text.append("Session: ").append(session_).append("\r\n");
  if (!authorization.empty()) text.append("Authorization: ").append(authorization).append("\r\n");
  text += "\r\n";
  wipe(authorization);
  return text;
}

void Client::set_up_next(Nanoseconds now, ClientEffects &effects) {
  if (track_ == track_urls_.size()) {
    set_step(Step::Ready);
    effects.push_back(client::Ready{});
    return;
  }
  if (transport_ == ClientTransport::Udp) {
    set_step(Step::Ports);
    effects.push_back(client::OpenPorts{track_});
    return;
  }
  auto first = static_cast<uint16_t>(2 * track_);
  asked_ = {first, static_cast<uint16_t>(first + 1)};
  ask_for_setup(now, effects);
}

void Client::ask_for_setup(Nanoseconds now, ClientEffects &effects) {
  set_step(Step::Setup);
  request({.method = Method::Setup}, now, effects);
}

// --- time ---

Nanoseconds Client::media_deadline() const {
  if (may_fall_back_ && !last_packet_) return playing_since_ + kPatienceWithUdp;
  return std::max(playing_since_, last_packet_.value_or(0)) + options_.read_timeout;
}

std::optional<Nanoseconds> Client::deadline() const {
  switch (step_) {
  case Step::Options:
  case Step::Describe:
  case Step::Setup:
  case Step::Play:
    return answer_due_;
  case Step::Ready:
    return next_keep_alive_;
  case Step::Playing:
    return std::min(media_deadline(), next_keep_alive_);
  case Step::Connecting:
  case Step::Ports:
  case Step::Over:
    break;
  }
  return std::nullopt;
}

void Client::on_time(Nanoseconds now, ClientEffects &effects) {
  auto due = deadline();
  if (!due || now < *due) return;
  if (step_ != Step::Ready && step_ != Step::Playing) {
    Method method = exchanges_.empty() ? Method::Options : exchanges_.back().method;
    return fail(fmt::format("no answer to {} within {:.3g} s", name_of(method),
                            static_cast<double>(options_.read_timeout) / static_cast<double>(kSecond)),
                effects);
  }
  if (step_ == Step::Playing && now >= media_deadline()) return check_media(now, effects);
  next_keep_alive_ = now + keep_alive_interval_;
  Method method = has_get_parameter_ ? Method::GetParameter : Method::Options;
  request({.method = method, .keep_alive = true}, now, effects);
}

void Client::check_media(Nanoseconds now, ClientEffects &effects) {
  if (may_fall_back_ && !last_packet_) return start_over(now, effects);
  tear_down(now, effects);
  fail(over_tcp() ? "TCP timeout" : "UDP timeout", effects);
}

} // namespace sluice::rtsp
