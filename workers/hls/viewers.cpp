#include "workers/hls/viewers.h"

#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/http/client_address.h"
#include "common/http/conditional.h"
#include "workers/hls/answers.h"
#include "workers/hls/server.h"

#include <algorithm>

namespace sluice::hls {
namespace {

constexpr std::string_view kNotFound = "404 page not found";

// "1.2.3.4" of "1.2.3.4:5", "::1" of "[::1]:5".
std::string host_of(std::string_view peer) {
  std::string_view host = peer.substr(0, peer.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

// As the supervisor reads a client's address: with a port.
std::string with_port(const std::string &address) {
  return address.find(':') == address.npos ? address + ":0" : "[" + address + "]:0";
}

std::string_view content_type_of(const FileName &name) {
  if (name.kind == FileKind::Segment && name.mpeg_ts) return "video/MP2T";
  return "video/mp4";
}

// Browsers would ask the user themselves, where a page's script does it.
bool is_asked_by_script(const http::Request &request) {
  const std::string *destination = request.headers.find("Sec-Fetch-Dest");
  return destination != nullptr && *destination == "empty";
}

} // namespace

void Viewers::configure(const control::HlsSettings &settings) {
  auto parsed = IpList::parse(settings.trusted_proxies);
  if (parsed)
    trusted_proxies_ = std::move(*parsed);
  else
    log(LogLevel::Error, "[HLS] hlsTrustedProxies: {}", parsed.error().message);
  forget_verdicts();
}

Viewers::Pending *Viewers::find(const KeyText &key) {
  auto found = pending_.find(key);
  return found == pending_.end() ? nullptr : &found->second;
}

void Viewers::on_request(const http::RequestKey &key, std::string_view peer, Route route, http::Request request) {
  std::string address = http::client_address(request, host_of(peer), trusted_proxies_);
  auto [place, fresh] =
      pending_.emplace(text_of(key), Pending{key, std::move(request), std::move(route), std::move(address), {}, 0});
  Pending &pending = place->second;
  if (pending_.size() > kMaxPending) return fail(pending, 503, "too many requests wait");
  const std::string *authorization = pending.request.headers.find("Authorization");
  pending.asker = verdicts_.key_of({pending.address, pending.route.stream, pending.request.query,
                                    authorization != nullptr ? std::string_view(*authorization) : std::string_view()});
  if (verdicts_.is_accepted(pending.asker, server_.event_loop().now())) return enter(pending);
  authorize(pending);
}

void Viewers::on_gone(const http::RequestKey &key) {
  pending_.erase(text_of(key)); // lists that name it find nothing
}

// --- may it ---

void Viewers::authorize(Pending &pending) {
  auto asked = verdicts_asked_.find(pending.asker);
  if (asked != verdicts_asked_.end()) return questions_.at(asked->second).waiting.push_back(text_of(pending.key));
  control::Authorize question;
  question.request = server_.new_request();
  question.path = pending.route.stream;
  question.query = pending.request.query;
  question.client = with_port(pending.address);
  question.credentials.method = pending.request.method;
  question.credentials.url = pending.request.target;
  if (const std::string *given = pending.request.headers.find("Authorization"))
    question.credentials.authorization = *given;
  verdicts_asked_.emplace(pending.asker, question.request);
  questions_.emplace(question.request, Question{pending.asker, {}, {text_of(pending.key)}});
  control::Message message(std::move(question));
  server_.supervisor().send(message);
  auto &sent = std::get<control::Authorize>(message);
  wipe(sent.query);
  wipe(sent.credentials.url);
  wipe(sent.credentials.authorization);
}

bool Viewers::on_answer(control::RequestId request, control::Received &received) {
  auto found = questions_.find(request);
  if (found == questions_.end()) return false;
  Question question = std::move(found->second);
  questions_.erase(found);
  if (question.path.empty())
    on_verdict(std::move(question), received.message);
  else
    on_stream(std::move(question), received);
  return true;
}

void Viewers::on_verdict(Question question, const control::Message &answer) {
  verdicts_asked_.erase(question.asker);
  bool accepted = std::holds_alternative<control::Admitted>(answer);
  if (accepted) verdicts_.accept(question.asker, server_.event_loop().now());
  for (const KeyText &key : question.waiting) {
    Pending *pending = find(key);
    if (pending == nullptr) continue;
    if (accepted)
      enter(*pending);
    else if (const auto *refused = std::get_if<control::Refused>(&answer))
      refuse(*pending, *refused);
    else
      fail(*pending, 500);
  }
}

// --- the stream ---

void Viewers::enter(Pending &pending) {
  auto stream = streams_.find(pending.route.stream);
  if (stream == streams_.end()) return ask_for_stream(pending);
  stream->second.used = true;
  serve(pending, stream->second);
}

void Viewers::ask_for_stream(Pending &pending) {
  auto asked = streams_asked_.find(pending.route.stream);
  if (asked != streams_asked_.end()) return questions_.at(asked->second).waiting.push_back(text_of(pending.key));
  control::Mux mux{server_.new_request(), pending.route.stream, pending.address};
  streams_asked_.emplace(mux.path, mux.request);
  questions_.emplace(mux.request, Question{{}, mux.path, {text_of(pending.key)}});
  server_.supervisor().send(mux);
}

void Viewers::on_stream(Question question, control::Received &received) {
  streams_asked_.erase(question.path);
  control::Refused refused{0, control::Refusal::Unavailable, "the stream's segments can't be read", {}};
  if (const auto *told = std::get_if<control::Refused>(&received.message)) refused = *told;
  const auto *granted = std::get_if<control::MuxerGranted>(&received.message);
  Stream *stream = nullptr;
  if (granted != nullptr && received.descriptors.size() == 1) {
    auto playout = Playout::open(granted->muxer, question.path, received.descriptors[0].get());
    if (playout) {
      stream = &streams_[question.path];
      stream->playout = std::move(*playout);
      if (stream->record == nullptr) stream->record = server_.take_viewers(granted->muxer);
      stream->used = true;
    } else {
      log(LogLevel::Error, "[HLS] [muxer {}] {}", question.path, playout.error().message);
    }
  }
  for (const KeyText &key : question.waiting) {
    Pending *pending = find(key);
    if (pending == nullptr) continue;
    if (stream != nullptr)
      serve(*pending, *stream);
    else
      refuse(*pending, refused);
  }
}

void Viewers::on_withdrawn(control::MuxerId muxer) {
  auto stream = std::find_if(streams_.begin(), streams_.end(),
                             [muxer](const auto &entry) { return entry.second.playout->muxer() == muxer; });
  if (stream != streams_.end()) drop_stream(stream);
}

// Who waits for more of it may get that of the next one.
void Viewers::drop_stream(std::map<std::string, Stream>::iterator stream) {
  std::vector<KeyText> waiting = std::move(stream->second.waiting);
  if (shm::SessionRecord *record = stream->second.record) {
    server_.release(*record, stream->first);
    server_.allocator().give_back(*record);
  }
  streams_.erase(stream);
  for (const KeyText &key : waiting)
    if (Pending *pending = find(key)) enter(*pending);
}

// --- answers ---

bool Viewers::serve(Pending &pending, Stream &stream) {
  auto name = parse_file_name(pending.route.file);
  if (!name) {
    fail(pending, 404, kNotFound);
    return true;
  }
  bool playlist = name->kind == FileKind::Multivariant || name->kind == FileKind::Media;
  return playlist ? serve_playlist(pending, stream) : serve_file(pending, stream, *name);
}

// Once, however often it has to wait.
Result<void> Viewers::look_at_query(Pending &pending) {
  if (pending.directives) return {};
  pending.carried_query = TRY(carried_query(pending.request.query));
  pending.directives = TRY(parse_directives(pending.request.query));
  return {};
}

bool Viewers::serve_playlist(Pending &pending, Stream &stream) {
  Playout &playout = *stream.playout;
  const Presentation &presentation = playout.presentation();
  if (auto looked = look_at_query(pending); !looked) {
    fail(pending, 400, looked.error().message);
    return true;
  }
  const Directives &directives = *pending.directives;
  http::Response response;
  response.headers.add("Content-Type", "application/vnd.apple.mpegurl");
  if (pending.route.file == kMultivariantName) {
    if (!ready(presentation)) { // neither bit rates nor what it leads to are there yet
      wait_for(pending, stream, kReadyPatience);
      return false;
    }
    set_cache_control(response, Kept::Never);
    response.body = playout.multivariant(pending.carried_query);
    answer(pending, std::move(response));
    return true;
  }
  int64_t target = std::max<int64_t>(presentation.target_duration / kSecond, 1);
  switch (hls::answer(presentation, directives)) {
  case Answer::TooFarAhead:
    fail(pending, 400, "that is too far ahead");
    return true;
  case Answer::Wait: {
    Nanoseconds patience = ready(presentation) ? kPlaylistPatience * target * kSecond : kReadyPatience;
    wait_for(pending, stream, patience);
    return false;
  }
  case Answer::Now:
    break;
  }
  // What a request waited for stays true; without, the playlist is old soon.
  if (directives.msn)
    set_cache_control(response, Kept::Briefly, 6 * target);
  else
    set_cache_control(response, Kept::Never);
  response.body = playout.media(pending.carried_query, directives.skip);
  answer(pending, std::move(response));
  return true;
}

bool Viewers::serve_file(Pending &pending, Stream &stream, const FileName &name) {
  auto body = stream.playout->file(name);
  if (!body) {
    if (stream.playout->is_hinted(name)) {
      int64_t target = std::max<int64_t>(stream.playout->presentation().target_duration, kSecond);
      wait_for(pending, stream, kPlaylistPatience * target);
      return false;
    }
    fail(pending, 404, kNotFound);
    return true;
  }
  http::Response response;
  response.headers.add("Content-Type", std::string(content_type_of(name)));
  response.headers.add("ETag", "\"" + pending.route.file + "\""); // never used for anything else
  set_cache_control(response, Kept::Forever);
  response.body = std::move(*body);
  if (!http::answer_not_modified(pending.request, response)) http::answer_range(pending.request, response);
  answer(pending, std::move(response));
  return true;
}

void Viewers::wait_for(Pending &pending, Stream &stream, Nanoseconds patience) {
  if (pending.deadline == 0) pending.deadline = server_.event_loop().now() + patience;
  stream.waiting.push_back(text_of(pending.key));
}

void Viewers::count(const Pending &pending, const http::Response &response) {
  auto stream = streams_.find(pending.route.stream);
  if (stream == streams_.end() || stream->second.record == nullptr) return;
  shm::SessionRecord &record = *stream->second.record;
  if (pending.request.method == "GET") record.bytes_out.fetch_add(response.body.size(), std::memory_order_relaxed);
  record.packets_out.fetch_add(1, std::memory_order_relaxed);
}

void Viewers::answer(Pending &pending, http::Response response) {
  count(pending, response);
  http::RequestKey key = pending.key;
  pending_.erase(text_of(key));
  server_.respond(key, std::move(response));
}

void Viewers::fail(Pending &pending, uint16_t status, std::string_view reason) {
  http::Response response = text_response(status, reason.empty() ? http::reason_phrase(status) : reason);
  if (status == 404)
    set_cache_control(response, Kept::Briefly, 1);
  else
    set_cache_control(response, Kept::Never);
  if (status == 503) response.headers.add("Retry-After", "1");
  answer(pending, std::move(response));
}

void Viewers::refuse(Pending &pending, const control::Refused &refused) {
  switch (refused.refusal) {
  case control::Refusal::BadRequest:
  case control::Refusal::NoPublisher:
    return fail(pending, 404, kNotFound);
  case control::Refusal::Unavailable:
    return fail(pending, 503, refused.reason);
  case control::Refusal::Unauthorized:
  case control::Refusal::Forbidden:
    break;
  }
  bool tried = pending.request.headers.find("Authorization") != nullptr || !pending.request.query.empty();
  if (tried || refused.refusal == control::Refusal::Forbidden)
    log(LogLevel::Info, "[HLS] [muxer {}] authentication error: {}", printable(pending.route.stream, 200),
        refused.reason);
  http::Response response = text_response(401, http::reason_phrase(401));
  set_cache_control(response, Kept::Never);
  if (!is_asked_by_script(pending.request))
    for (const std::string &challenge : refused.challenges) response.headers.add("WWW-Authenticate", challenge);
  answer(pending, std::move(response));
}

// --- news and time ---

void Viewers::look_at_news() {
  if (news_.empty()) return;
  std::set<size_t> news = std::exchange(news_, {});
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    auto current = stream++;
    if (!news.contains(current->second.playout->store_index())) continue;
    auto refreshed = current->second.playout->refresh();
    if (!refreshed) {
      log(LogLevel::Error, "[HLS] [muxer {}] {}", current->first, refreshed.error().message);
      drop_stream(current);
      continue;
    }
    if (!*refreshed) continue;
    for (const KeyText &key : std::exchange(current->second.waiting, {}))
      if (Pending *pending = find(key)) serve(*pending, current->second);
  }
}

void Viewers::on_second(Nanoseconds now) {
  verdicts_.on_second(now);
  for (auto &[path, stream] : streams_) {
    news_.insert(stream.playout->store_index()); // should a doorbell have been lost
    if (std::exchange(stream.used, false)) server_.supervisor().send(control::MuxerUsed{stream.playout->muxer()});
    std::erase_if(stream.waiting, [this](const KeyText &key) { return !pending_.contains(key); });
  }
  std::vector<KeyText> late;
  for (const auto &[key, pending] : pending_)
    if (pending.deadline != 0 && pending.deadline <= now) late.push_back(key);
  for (const KeyText &key : late)
    if (Pending *pending = find(key)) fail(*pending, 503, "nothing new has come in time");
}

void Viewers::close() {
  while (!pending_.empty()) fail(pending_.begin()->second, 503, "the server is shutting down");
}

} // namespace sluice::hls
