// A server without I/O around the machine: it grants what is asked of it, unless told otherwise, and records
// what it was asked. One stream, up to two tracks of which have been seen.
#pragma once

#include "workers/rtsp/protocol/machine.h"
#include "workers/rtsp/protocol/sdp.h"

#include <map>

namespace sluice::rtsp {

struct Harness {
  ServerFacts facts{true, true, false, 8000, 8001};
  std::map<uint32_t, SessionState> sessions;
  std::map<uint64_t, ConnectionState> connections;
  std::vector<std::string> asked; // of the supervisor
  std::optional<std::pair<RefusalKind, std::string>> refusal;
  media::StreamDescription description;
  std::vector<std::optional<uint32_t>> ssrcs{0xaabbccdd, std::nullopt};
  std::vector<RtpInfo> rtp_info;
  uint32_t next_session = 1001;
  Reply reply; // the last

  ConnectionState &connect(uint64_t id, uint8_t last_byte_of_ip = 1) {
    ConnectionState &connection = connections[id];
    connection.id = id;
    connection.peer = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last_byte_of_ip}, 0, 5000, 0};
    return connection;
  }

  SessionState *session(uint32_t id) {
    auto found = sessions.find(id);
    return found == sessions.end() ? nullptr : &found->second;
  }

  // Method and URL, then header lines with bare line feeds; Content-Length is added.
  std::string send(const std::string &start, const std::string &headers = "", const std::string &body = "",
                   uint64_t connection = 1) {
    std::string text = start + " RTSP/1.0\nCSeq: 1\n" + headers;
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\n";
    return send_text(text + "\n" + body, connection);
  }

  // The response as text.
  std::string send_text(const std::string &text, uint64_t connection_id = 1) {
    Result<std::optional<ParsedRequest>> parsed = parse_request(as_bytes(text));
    if (!parsed || !*parsed) return "not a request";
    if (!connections.contains(connection_id)) connect(connection_id);
    ConnectionState &connection = connections[connection_id];
    reply = handle((*parsed)->request, connection);
    if (reply.close) close(connection_id);
    ByteVector out;
    serialise(reply.response, out);
    return std::string(as_text(out));
  }

  Reply handle(const Request &request, ConnectionState &connection) {
    SessionState *found = session(session_id_of(request, connection));
    Decision decision = decide(request, connection, found, facts);
    auto needed = [&]() -> SessionState & {
      if (found) return *found;
      SessionState &made = sessions[next_session];
      create_session(made, next_session++, connection);
      return made;
    };
    if (auto *done = std::get_if<Reply>(&decision)) {
      if (done->needs_session) add_session(*done, needed());
      return std::move(*done);
    }
    if (auto *ask = std::get_if<AskDescribe>(&decision)) {
      asked.push_back("describe " + ask->path + "?" + ask->query);
      return refusal ? refused(request, refusal->first, refusal->second) : described(request, description, facts);
    }
    if (auto *begin = std::get_if<BeginPublish>(&decision)) {
      asked.push_back("publish " + begin->path + "?" + begin->query);
      SessionState &made = needed();
      if (refusal) return refused(request, refusal->first, refusal->second);
      description = begin->description;
      return publish_granted(request, *begin, made);
    }
    if (auto *begin = std::get_if<BeginRead>(&decision)) {
      asked.push_back("read " + begin->path + "?" + begin->query);
      SessionState &made = needed();
      if (refusal) return refused(request, refusal->first, refusal->second);
      MulticastGroup group = group_of(begin->track);
      return read_granted(request, *begin, made, description.tracks.size(), facts, ssrc(begin->track), &group);
    }
    if (auto *setup = std::get_if<SetupTrack>(&decision)) {
      MulticastGroup group = group_of(setup->track);
      return track_set_up(request, *setup, *found, facts, ssrc(setup->track), &group);
    }
    if (std::get_if<StartPlay>(&decision)) return playing(request, connection, *found, rtp_info);
    if (std::get_if<StartRecord>(&decision)) {
      asked.push_back("record");
      if (refusal) return refused(request, refusal->first, refusal->second);
      return recording(request, connection, *found);
    }
    if (std::get_if<PauseMedia>(&decision)) return paused(request, *found);
    uint32_t ended = found->wire_id;
    Reply done = torn_down(request, connection, *found);
    end(ended);
    return done;
  }

  static MulticastGroup group_of(uint32_t track) { return {"224.1.0." + std::to_string(track + 1), {8002, 8003}, 16}; }
  std::optional<uint32_t> ssrc(uint32_t track) const { return track < ssrcs.size() ? ssrcs[track] : std::nullopt; }

  void end(uint32_t id) {
    SessionState ended = sessions.at(id);
    for (auto &entry : connections) unlink(entry.second, ended);
    sessions.erase(id);
  }

  void close(uint64_t id) {
    auto found = connections.find(id);
    if (found == connections.end()) return;
    SessionState *linked = session(found->second.session);
    if (linked && unlink(found->second, *linked)) end(linked->wire_id);
    connections.erase(id);
  }
};

inline const std::string kTwoTracks = "v=0\r\ns=No Name\r\nt=0 0\r\n"
                                      "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\n"
                                      "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\na=control:streamid=1\r\n";

} // namespace sluice::rtsp
