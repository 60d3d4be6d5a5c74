#include "supervisor/api/lists.h"

#include "supervisor/api/json_writer.h"
#include "supervisor/config/json.h"

#include <time.h>

#include <algorithm>

namespace sluice::api {
namespace {

std::string time_text(const char *format, const tm &broken_down) {
  char text[64];
  return std::string(text, ::strftime(text, sizeof text, format, &broken_down));
}

// As Go prints a time.
std::string local_text(Nanoseconds since_1970) {
  time_t seconds = since_1970 / kSecond;
  tm local{};
  ::localtime_r(&seconds, &local);
  return time_text("%Y-%m-%d %H:%M:%S %z %Z", local);
}

double seconds(Nanoseconds duration) {
  return static_cast<double>(std::max<Nanoseconds>(duration, 0)) / static_cast<double>(kSecond);
}

const char *type_of(const paths::Client &client) {
  switch (client.protocol) {
  case config::Protocol::Rtsp:
    return client.tls ? "rtspsSession" : "rtspSession";
  case config::Protocol::Rtmp:
    return client.tls ? "rtmpsConn" : "rtmpConn";
  case config::Protocol::Hls:
    return "hlsMuxer";
  }
  return "";
}

const char *name_of(SessionState state) {
  switch (state) {
  case SessionState::Idle:
    return "idle";
  case SessionState::Read:
    return "read";
  case SessionState::Publish:
    return "publish";
  }
  return "";
}

void write(JsonWriter &json, shm::Carrier carrier) {
  switch (carrier) {
  case shm::Carrier::Tcp:
    json.value("TCP");
    return;
  case shm::Carrier::Udp:
    json.value("UDP");
    return;
  case shm::Carrier::Multicast:
    json.value("UDP-multicast");
    return;
  case shm::Carrier::None:
    break; // also of what a worker wrote and is none
  }
  json.null();
}

void write_traffic(JsonWriter &json, const Traffic &traffic) {
  json.member("bytesReceived", traffic.bytes_in)
      .member("bytesSent", traffic.bytes_out)
      .member("packetsReceived", traffic.packets_in)
      .member("packetsSent", traffic.packets_out)
      .member("packetsLost", traffic.lost)
      .member("packetsDropped", traffic.dropped)
      .member("jitterMs", static_cast<double>(traffic.jitter_us) / 1000);
}

void write_client(JsonWriter &json, const paths::Client &client) {
  json.begin_object().member("type", type_of(client));
  // HLS clients have no sessions.
  if (client.protocol != config::Protocol::Hls) json.member("id", std::to_string(client.log_id));
  json.end_object();
}

void write_source(JsonWriter &json, const paths::PathInfo &path) {
  using Source = paths::PathInfo::Source;
  json.key("source");
  switch (path.source) {
  case Source::None:
    json.null();
    return;
  case Source::Session:
    return write_client(json, path.publisher);
  case Source::Redirect:
    json.begin_object().member("type", "redirect").end_object();
    return;
  case Source::Pulled:
    json.begin_object().member("type", std::string(config::name_of(path.pulled_protocol)) + "Source").end_object();
    return;
  }
}

} // namespace

std::string utc_text(Nanoseconds since_1970) {
  time_t whole = since_1970 / kSecond;
  tm utc{};
  ::gmtime_r(&whole, &utc);
  return time_text("%Y-%m-%dT%H:%M:%SZ", utc);
}

std::string paths_json(const Backend &backend) {
  const config::Configuration &configuration = backend.configuration();
  std::map<paths::StreamId, Traffic> traffic = backend.traffic();
  std::map<std::string, std::string> shown; // entries
  JsonWriter json;
  json.begin_object().key("items").begin_object();
  for (const paths::PathInfo &path : backend.paths()) {
    json.key(path.name).begin_object().member("confName", path.entry);
    std::string &entry = shown[path.entry];
    auto found = configuration.paths.find(path.entry);
    if (entry.empty() && found != configuration.paths.end()) entry = config::render_json(found->second);
    json.key("conf").raw(entry.empty() ? "null" : entry);
    write_source(json, path);
    json.member("sourceReady", path.ready).key("tracks").begin_array();
    for (media::Codec codec : path.codecs) json.value(media::name_of(codec));
    json.end_array();
    json.member("age", path.ready ? seconds(backend.now() - path.ready_since) : 0.0);
    write_traffic(json, path.stream != 0 ? traffic[path.stream] : Traffic{});
    json.key("readers").begin_array();
    for (const paths::Client &reader : path.readers) write_client(json, reader);
    json.end_array().end_object();
  }
  json.end_object().end_object();
  return json.take();
}

std::string sessions_json(const Backend &backend, config::Protocol protocol, bool tls) {
  Nanoseconds now = wall_now();
  JsonWriter json;
  json.begin_object().key("items").begin_object();
  for (const SessionInfo &session : backend.sessions(protocol, tls)) {
    json.key(std::to_string(session.log_id)).begin_object();
    json.member("remoteAddr", session.peer).member("state", name_of(session.state)).member("path", session.path);
    json.key("transport");
    write(json, session.carrier);
    json.member("created", utc_text(session.created)).member("age", seconds(now - session.created));
    write_traffic(json, session.traffic);
    json.end_object();
  }
  json.end_object().end_object();
  return json.take();
}

std::string muxers_json(const Backend &backend) {
  JsonWriter json;
  json.begin_object().key("items").begin_object();
  for (const Muxers::Info &muxer : backend.muxers())
    json.key(muxer.path).begin_object().member("lastRequest", local_text(muxer.last_request_wall)).end_object();
  json.end_object().end_object();
  return json.take();
}

std::string workers_json(const Backend &backend) {
  JsonWriter json;
  json.begin_object().key("items").begin_object();
  for (const WorkerInfo &worker : backend.workers()) {
    json.key(worker.name).begin_object().member("protocol", config::name_of(worker.protocol));
    json.member("pid", static_cast<uint64_t>(worker.pid)).member("keeperPid", static_cast<uint64_t>(worker.keeper_pid));
    json.member("restarts", worker.restarts).member("uptime", seconds(worker.uptime));
    json.member("sessions", uint64_t{worker.sessions}).member("cpuSeconds", worker.cpu_seconds);
    json.member("memoryBytes", worker.memory_bytes).end_object();
  }
  json.end_object().end_object();
  return json.take();
}

} // namespace sluice::api
