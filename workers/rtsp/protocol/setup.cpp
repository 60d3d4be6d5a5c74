#include "workers/rtsp/protocol/setup.h"

#include "common/base/codec.h"
#include "common/base/text.h"
#include "workers/rtsp/protocol/sdp.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

// FNV-1a; only ever compared with hashes of the same client's own URLs.
uint64_t control_hash(std::string_view path_and_query) {
  while (path_and_query.ends_with('/')) path_and_query.remove_suffix(1);
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : path_and_query) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

// A second way in which clients may form the URL of an announced track: relative to an absolute session-level
// control, or inserted before the query.
std::optional<std::string> other_track_url(const Url &base, const std::string &session_control,
                                           const std::string &control) {
  if (Result<Url> session_url = parse_url(session_control)) return control_path_and_query(*session_url, control);
  if (base.query.empty()) return std::nullopt;
  Url without_query = base;
  without_query.query.clear();
  without_query.has_query = false;
  std::optional<std::string> path = control_path_and_query(without_query, control);
  if (!path) return std::nullopt;
  return *path + "?" + base.query;
}

Reply unsupported_transport(const Request &request, std::string reason) {
  Reply reply;
  reply.response.status = Status::UnsupportedTransport;
  reply.response.cseq = *request.headers.find("CSeq");
  reply.reason = std::move(reason);
  return reply; // the client may try another transport on this connection
}

Reply bad_request(const Request &request, std::string reason) {
  return error_reply(request, Status::BadRequest, std::move(reason));
}

struct Target {
  uint32_t track = 0;
  std::string path, query; // empty for a track to record
};

Result<Target> find_announced_track(const Url &url, const SessionState *session) {
  std::string name = url.path_and_query().value_or("");
  uint64_t hash = control_hash(name);
  std::optional<uint32_t> found;
  uint32_t count = session && session->state == State::PreRecord ? session->track_count : 0;
  for (uint32_t i = 0; i < count; i++) {
    const TrackState &track = session->tracks[i];
    if (track.control_hash[0] != hash && track.control_hash[1] != hash) continue;
    // Tracks without control attribute share a URL: one after the other, as they were announced.
    const TrackState *former = found ? &session->tracks[*found] : nullptr;
    bool sooner = former && !track.is_set_up && track.position < former->position;
    if (!former || former->is_set_up || sooner) found = i;
  }
  if (!found) return Error{fmt::format("invalid track path ({})", name)};
  return Target{*found, "", ""};
}

// Only playing is meant when nothing is said, but for who has announced something.
TransportMode mode_of(const TransportSpec &transport, const SessionState *session) {
  bool recording = session && session->state == State::PreRecord;
  return transport.mode.value_or(recording ? TransportMode::Record : TransportMode::Play);
}

Result<Target> find_target(const Request &request, const TransportSpec &transport, const SessionState *session) {
  if (mode_of(transport, session) == TransportMode::Record) return find_announced_track(*request.url, session);
  PlayTarget target = TRY(parse_play_target(*request.url));
  bool chosen = session && session->state != State::Initial;
  if (chosen && (target.path != session->path_text() || target.query != session->query_text())) {
    return Error{"can't setup tracks with different paths"};
  }
  return Target{target.track, std::move(target.path), std::move(target.query)};
}

bool uses_channel(const SessionState *session, uint16_t rtp_channel) {
  if (!session || session->transport != TransportKind::Tcp) return false;
  return std::any_of(session->tracks, session->tracks + session->track_count,
                     [&](const TrackState &track) { return track.is_set_up && track.rtp_channel == rtp_channel; });
}

PortPair free_channels(const SessionState *session) {
  uint16_t rtp = 0;
  while (uses_channel(session, rtp)) rtp += 2; // kMaxTracks times at most
  return {rtp, static_cast<uint16_t>(rtp + 1)};
}

std::optional<Reply> check_kind(const Request &request, const TransportSpec &transport, const SessionState *session,
                                const ServerFacts &facts) {
  if (transport.multicast) {
    bool offered = facts.multicast && !facts.tls && transport.lower == LowerTransport::Udp;
    if (!offered) return unsupported_transport(request, "multicast is not enabled");
    bool records = transport.mode == TransportMode::Record || (session && session->state == State::PreRecord);
    if (records) return unsupported_transport(request, "multicast can't be published");
  } else if (transport.lower == LowerTransport::Udp) {
    if (!facts.udp || facts.tls) return unsupported_transport(request, "UDP is not enabled");
    if (!transport.client_port) return bad_request(request, "transport header does not contain client ports");
  } else if (transport.interleaved) { // else they are ours to choose
    PortPair ids = *transport.interleaved;
    if (ids.rtp % 2 != 0 || ids.rtcp != ids.rtp + 1 || ids.rtcp > 255) {
      return bad_request(request, "invalid interleaved IDs");
    }
    if (uses_channel(session, ids.rtp)) return bad_request(request, "interleaved IDs already used");
  }
  TransportKind kind = kind_of(transport);
  if (session && session->transport != TransportKind::None && session->transport != kind) {
    return bad_request(request, "can't setup tracks with different protocols");
  }
  return std::nullopt;
}

// The refusal of this alternative, or what to do with it.
Decision decide_alternative(const Request &request, TransportSpec transport, const SessionState *session,
                            const ServerFacts &facts) {
  bool recording = session && session->state == State::PreRecord;
  Result<Target> target = find_target(request, transport, session);
  if (!target) return bad_request(request, target.error().message);
  bool known = session && target->track < session->track_count;
  if (known && session->tracks[target->track].is_set_up) {
    return bad_request(request, fmt::format("track {} has already been setup", target->track));
  }
  if (std::optional<Reply> refusal = check_kind(request, transport, session, facts)) return std::move(*refusal);

  TransportMode expected = recording ? TransportMode::Record : TransportMode::Play;
  TransportMode mode = mode_of(transport, session);
  if (mode != expected)
    return bad_request(request, fmt::format("transport header contains a invalid mode ({})", to_string(mode)));
  if (transport.lower == LowerTransport::Tcp && !facts.tcp) return unsupported_transport(request, "TCP is not enabled");
  if (transport.lower == LowerTransport::Tcp && !transport.interleaved) transport.interleaved = free_channels(session);
  if (recording) return SetupTrack{target->track, transport, true};
  if (session && session->state == State::PrePlay) {
    if (!known) return bad_request(request, fmt::format("track {} does not exist", target->track));
    return SetupTrack{target->track, transport, false};
  }
  if (std::optional<Reply> refusal = check_path(request, target->path, target->query)) return std::move(*refusal);
  return BeginRead{std::move(target->path), std::move(target->query), target->track, transport};
}

// Several headers are as good as one with several alternatives (RFC 2326 section 4.2, RFC 2068 section 4.2).
Result<std::vector<TransportSpec>> transport_of(const Request &request) {
  std::vector<TransportSpec> alternatives;
  std::optional<Error> first_error;
  for (const Header &header : request.headers.all()) {
    if (!equal_ignoring_case(header.name, "Transport") || alternatives.size() >= kMaxTransportAlternatives) continue;
    Result<std::vector<TransportSpec>> some = parse_transport(header.value);
    if (some)
      alternatives.insert(alternatives.end(), some->begin(), some->end());
    else if (!first_error)
      first_error = some.error();
  }
  if (!alternatives.empty()) return alternatives;
  return first_error.value_or(Error{"value not provided"});
}

Result<BeginPublish> read_announcement(const Request &request, const std::string &path_and_query) {
  Result<ParsedSdp> sdp = parse_sdp(as_text(request.body));
  if (!sdp) return Error{"invalid SDP: " + sdp.error().message};
  Encoder encoder;
  encoder(sdp->description);
  if (encoder.take().size() > media::kMaxDescriptionBytes)
    return Error{fmt::format("invalid SDP: its tracks exceed {} bytes", media::kMaxDescriptionBytes)};
  PathAndQuery parts = split_query(path_and_query);
  BeginPublish begin{
      std::move(parts.path), std::move(parts.query), std::move(sdp->description), {}, std::move(sdp->positions), {}};
  for (const std::string &control : sdp->controls) {
    std::optional<std::string> track = control_path_and_query(*request.url, control);
    if (!track) return Error{fmt::format("invalid track URL ({})", control)};
    if (!track->starts_with(begin.path)) {
      return Error{fmt::format("invalid track path: must begin with '{}', but is '{}'", begin.path, *track)};
    }
    std::optional<std::string> other = other_track_url(*request.url, sdp->session_control, control);
    begin.control_hashes.push_back({control_hash(*track), control_hash(other.value_or(*track))});
  }
  for (IgnoredSection &section : sdp->ignored) {
    // Its client may set it up nevertheless, at whatever URL.
    std::string track = control_path_and_query(*request.url, section.control).value_or("");
    std::optional<std::string> other = other_track_url(*request.url, sdp->session_control, section.control);
    begin.control_hashes.push_back({control_hash(track), control_hash(other.value_or(track))});
    begin.positions.push_back(section.position);
    begin.ignored.push_back(std::move(section.reason));
  }
  return begin;
}

} // namespace

Decision decide_announce(const Request &request, const SessionState *session) {
  if (std::optional<Reply> refusal = check_state(request, session, {State::Initial})) return std::move(*refusal);
  if (request.headers.count("Content-Type") != 1) return bad_request(request, "Content-Type header is missing");
  const std::string &type = *request.headers.find("Content-Type");
  if (!equal_ignoring_case(trim(std::string_view(type).substr(0, type.find(';'))), "application/sdp")) {
    return bad_request(request, fmt::format("unsupported Content-Type header '{}'", type));
  }
  std::optional<std::string> path_and_query = request.url ? request.url->path_and_query() : std::nullopt;
  if (!path_and_query) return bad_request(request, "invalid path");
  Result<BeginPublish> begin = read_announcement(request, *path_and_query);
  if (!begin) return bad_request(request, begin.error().message);
  if (std::optional<Reply> refusal = check_path(request, begin->path, begin->query)) return std::move(*refusal);
  return std::move(*begin);
}

Decision decide_setup(const Request &request, const SessionState *session, const ServerFacts &facts) {
  if (std::optional<Reply> refusal =
          check_state(request, session, {State::Initial, State::PrePlay, State::PreRecord})) {
    return std::move(*refusal);
  }
  if (!request.url) return bad_request(request, "invalid path");
  Result<std::vector<TransportSpec>> alternatives = transport_of(request);
  if (!alternatives) return bad_request(request, "invalid transport header: " + alternatives.error().message);
  std::optional<Reply> first_refusal;
  for (const TransportSpec &transport : *alternatives) {
    Decision decision = decide_alternative(request, transport, session, facts);
    Reply *refusal = std::get_if<Reply>(&decision);
    if (!refusal) return decision;
    if (!first_refusal) first_refusal = std::move(*refusal);
  }
  if (first_refusal->close) return std::move(*first_refusal);
  if (session) {
    add_session(*first_refusal, *session);
  } else {
    first_refusal->needs_session = true;
  }
  return std::move(*first_refusal);
}

} // namespace sluice::rtsp
