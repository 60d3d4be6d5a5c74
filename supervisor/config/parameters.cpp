#include "supervisor/config/parameters.h"

#include "supervisor/auth/credentials.h"
#include "supervisor/config/addresses.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace sluice::config {
namespace {

using Global = Configuration;
using Path = PathConfiguration;

// --- checks of one value ---

template <auto member, int lowest, int highest, class S> std::string in_range(const S &holder) {
  if (holder.*member >= lowest && holder.*member <= highest) return {};
  return fmt::format("{} is not between {} and {}", holder.*member, lowest, highest);
}

constexpr Nanoseconds kLongestWait = 10 * kSecond; // of writeCoalesce and writeMerge
template <auto member, class S> std::string wait_in_range(const S &holder) {
  return holder.*member <= kLongestWait ? "" : "must be at most 10s";
}

constexpr uint64_t kSmallestRingLimit = uint64_t{1} << 20, kLargestRingLimit = uint64_t{16} << 30;
std::string ring_size_in_range(const Global &global) {
  bool fits = global.ring_max_size >= kSmallestRingLimit && global.ring_max_size <= kLargestRingLimit;
  return fits ? "" : "must be between 1M and 16G";
}

std::string http_url(const Global &global) {
  const std::string &url = global.external_authentication_url;
  bool fits = url.empty() || url.starts_with("http://") || url.starts_with("https://");
  return fits ? "" : "'externalAuthenticationURL' must be a HTTP URL";
}

template <auto member, class S> std::string ips(const S &holder) {
  for (const std::string &item : holder.*member)
    if (!is_ip_or_cidr(item)) return fmt::format("unable to parse IP/CIDR '{}'", printable(item, 100));
  return {};
}

template <auto member, class S> std::string credential(const S &holder) {
  const std::string &value = holder.*member;
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!$()*+.;<=>[]^_-{}";
  if (value.starts_with("sha256:") || value.find_first_not_of(kAllowed) == value.npos) return {};
  if (value.starts_with("argon2:")) {
    auto valid = auth::check_stored_credential(value);
    return valid ? "" : valid.error().message;
  }
  return "contains unsupported characters (supported are A-Z,0-9,!,$,(,),*,+,.,;,<,=,>,[,],^,_,-,{,})";
}

// The API's are compared on the spot, which Argon2 takes too long for.
template <auto member> std::string quick_credential(const Global &global) {
  if ((global.*member).starts_with("argon2:")) return "expected a plain value or sha256:";
  return credential<member, Global>(global);
}

// --- whether the effect of a value other than the default is built ---

template <class S> bool always(const Configuration &, const S &) {
  return true;
}
// Parameters that nothing reads unless another one, which is refused, turns their part on.
template <class S> constexpr auto without_effect = always<S>;
constexpr auto no_check = nullptr;
constexpr auto not_built = nullptr;

using enum Change;
using enum Zero;

constexpr auto kOn = always<Global>;
constexpr auto kIdle = without_effect<Global>;

constexpr auto kGlobalParameters = std::to_array<Parameter<Global>>({
    {"logLevel", &Global::log_level, "info", Log | WorkerSetting, IsValue, no_check, kOn,
     "Least important lines to log: error, warn, info or debug."},
    {"logDestinations", &Global::log_destinations, "stdout", Log, IsDefault, no_check, kOn,
     "Where log lines go: any of stdout, file and syslog."},
    {"logFile", &Global::log_file, "rtsp-simple-server.log", Log, IsDefault, no_check, kOn,
     "File to append to if logDestinations has file; opened again on SIGHUP."},
    {"logFormat", &Global::log_format, "text", Log, IsValue, no_check, kOn, "Form of log lines: text or json."},
    {"crashDirectory", &Global::crash_directory, "", NextUse, IsValue, no_check, not_built,
     "Where what ended a worker is kept; empty: not kept."},

    {"readTimeout", &Global::read_timeout, "10s", WorkerSetting, IsDefault, no_check, kOn,
     "How long a client that should send may be silent."},
    {"writeTimeout", &Global::write_timeout, "10s", WorkerSetting, IsDefault, no_check, kOn,
     "How long a client may take nothing of what it is sent."},
    {"readBufferCount", &Global::read_buffer_count, "512", MemoryLimits, IsDefault,
     in_range<&Global::read_buffer_count, 1, 1'000'000, Global>, kOn,
     "Packets that a stream's buffer holds at the start; it grows on demand."},
    {"externalAuthenticationURL", &Global::external_authentication_url, "", NextUse, IsDefault, http_url, kOn,
     "HTTP URL that is asked whether a client may publish or read."},

    {"api", &Global::api, "no", ApiListener, IsDefault, no_check, kOn, "Serve the HTTP API."},
    {"apiAddress", &Global::api_address, "127.0.0.1:9997", ApiListener, IsDefault, no_check, kIdle,
     "Address of the API."},
    {"apiUser", &Global::api_user, "", NextUse, IsValue, quick_credential<&Global::api_user>, kIdle,
     "User name that the API asks for; empty: none."},
    {"apiPass", &Global::api_pass, "", NextUse, IsValue, quick_credential<&Global::api_pass>, kIdle,
     "Password that the API asks for."},
    {"apiEncryption", &Global::api_encryption, "no", ApiListener, IsValue, no_check, kIdle, "Serve the API over TLS."},
    {"apiServerKey", &Global::api_server_key, "server.key", ApiCertificate, IsDefault, no_check, kIdle,
     "Private key of the API's TLS listener."},
    {"apiServerCert", &Global::api_server_cert, "server.crt", ApiCertificate, IsDefault, no_check, kIdle,
     "Certificate of the API's TLS listener."},

    {"metrics", &Global::metrics, "no", MetricsListener, IsDefault, no_check, kOn, "Serve metrics for Prometheus."},
    {"metricsAddress", &Global::metrics_address, "127.0.0.1:9998", MetricsListener, IsDefault, no_check, kIdle,
     "Address of the metrics."},
    {"pprof", &Global::pprof, "no", PprofListener, IsDefault, no_check, not_built, "Serve profiles for pprof."},
    {"pprofAddress", &Global::pprof_address, "127.0.0.1:9999", PprofListener, IsDefault, no_check, kIdle,
     "Address of the profiles."},

    {"runOnConnect", &Global::run_on_connect, "", ConnectHook, IsDefault, no_check, kOn,
     "Command to run when a client connects, ended when it leaves."},
    {"runOnConnectRestart", &Global::run_on_connect_restart, "no", ConnectHook, IsDefault, no_check, kIdle,
     "Start runOnConnect again when it exits."},

    {"rtspWorkers", &Global::rtsp_workers, "0", RtspSlots, IsValue,
     in_range<&Global::rtsp_workers, 0, kMaxWorkerSlots, Global>, kOn,
     "Worker processes for RTSP; 0: by the number of cores."},
    {"rtmpWorkers", &Global::rtmp_workers, "0", RtmpSlots, IsValue,
     in_range<&Global::rtmp_workers, 0, kMaxWorkerSlots, Global>, kOn,
     "Worker processes for RTMP; 0: by the number of cores."},
    {"hlsWorkers", &Global::hls_workers, "0", HlsSlots, IsValue,
     in_range<&Global::hls_workers, 0, kMaxWorkerSlots, Global>, kOn,
     "Worker processes for HLS; 0: by the number of cores."},
    {"maxSessions", &Global::max_sessions, "20000", WorkerSetting, IsValue,
     in_range<&Global::max_sessions, 1, 100'000, Global>, kOn, "Sessions per worker; more are refused."},
    {"ringMaxSize", &Global::ring_max_size, "64M", MemoryLimits, IsValue, ring_size_in_range, kOn,
     "How large one stream's buffer may grow; each RTMP worker with players has a copy, beside maxMemory."},
    {"maxMemory", &Global::max_memory, "0", MemoryLimits | WorkerSetting, IsValue, no_check, kOn,
     "Memory for media (half), HLS (a quarter) and what clients send; 0: half of what the cgroup or machine has."},
    {"writeCoalesce", &Global::write_coalesce, "20ms", PathsThatInherit, IsValue,
     wait_in_range<&Global::write_coalesce, Global>, kOn,
     "How long audio may wait to be sent together with video; 0s: not at all."},
    {"writeMerge", &Global::write_merge, "0s", PathsThatInherit, IsValue, wait_in_range<&Global::write_merge, Global>,
     kOn, "How long any media may wait, so that fewer and larger sends do; 0s: not at all."},
    {"readerStart", &Global::reader_start, "live", PathsThatInherit, IsValue, no_check, kOn,
     "Where a reader begins: live, or keyframe (the newest one, so that it has a picture at once)."},
    {"workerRestartGrace", &Global::worker_restart_grace, "10s", NextUse, IsValue, no_check, kOn,
     "How long a stream is kept for a publisher whose worker failed."},

    {"rtspDisable", &Global::rtsp_disable, "no",
     RtspListener | RtspsListener | UdpListener | MulticastListener | RtspSlots, IsDefault, no_check, kOn,
     "Do not serve RTSP. Sources of other servers are pulled all the same."},
    {"protocols", &Global::protocols, "udp,multicast,tcp", WorkerSetting | UdpListener | MulticastListener, IsDefault,
     no_check, kOn, "RTSP transports that clients may choose: any of udp, multicast and tcp."},
    {"encryption", &Global::encryption, "no", RtspListener | RtspsListener, IsDefault, no_check, kOn,
     "RTSP over TLS: \"no\", optional (beside plain RTSP) or strict (only)."},
    {"rtspAddress", &Global::rtsp_address, ":8554", RtspListener, IsDefault, no_check, kOn,
     "Address of RTSP over TCP."},
    {"rtspsAddress", &Global::rtsps_address, ":8322", RtspsListener, IsDefault, no_check, kOn,
     "Address of RTSP over TLS, if encryption is on."},
    {"rtpAddress", &Global::rtp_address, ":8000", UdpListener, IsDefault, no_check, kOn,
     "Address of RTP over UDP; the port is even."},
    {"rtcpAddress", &Global::rtcp_address, ":8001", UdpListener, IsDefault, no_check, kOn,
     "Address of RTCP over UDP; the port after that of RTP."},
    {"multicastIPRange", &Global::multicast_ip_range, "224.1.0.0/16", MulticastListener, IsDefault, no_check, kOn,
     "Range of multicast groups; each track that is read by multicast takes one."},
    {"multicastRTPPort", &Global::multicast_rtp_port, "8002", MulticastListener, IsDefault, no_check, kOn,
     "Port of multicast RTP; even."},
    {"multicastRTCPPort", &Global::multicast_rtcp_port, "8003", MulticastListener, IsDefault, no_check, kOn,
     "Port of multicast RTCP; the one after that of RTP."},
    {"serverKey", &Global::server_key, "server.key", RtspsCertificate, IsDefault, no_check, kOn,
     "Private key of RTSP over TLS."},
    {"serverCert", &Global::server_cert, "server.crt", RtspsCertificate, IsDefault, no_check, kOn,
     "Certificate of RTSP over TLS."},
    {"authMethods", &Global::auth_methods, "basic,digest", WorkerSetting, IsDefault, no_check, kOn,
     "RTSP authentication methods: any of basic and digest."},

    {"rtmpDisable", &Global::rtmp_disable, "no", RtmpListener | RtmpsListener | RtmpSlots, IsDefault, no_check, kOn,
     "Do not serve RTMP. Sources of other servers are pulled all the same."},
    {"rtmpAddress", &Global::rtmp_address, ":1935", RtmpListener, IsDefault, no_check, kOn, "Address of RTMP."},
    {"rtmpEncryption", &Global::rtmp_encryption, "no", RtmpListener | RtmpsListener, IsValue, no_check, kOn,
     "RTMP over TLS: \"no\", optional (beside plain RTMP) or strict (only)."},
    {"rtmpsAddress", &Global::rtmps_address, ":1936", RtmpsListener, IsDefault, no_check, kOn,
     "Address of RTMP over TLS, if rtmpEncryption is on."},
    {"rtmpServerKey", &Global::rtmp_server_key, "server.key", RtmpsCertificate, IsDefault, no_check, kOn,
     "Private key of RTMP over TLS."},
    {"rtmpServerCert", &Global::rtmp_server_cert, "server.crt", RtmpsCertificate, IsDefault, no_check, kOn,
     "Certificate of RTMP over TLS."},

    {"hlsDisable", &Global::hls_disable, "no", HlsListener | HlsSlots, IsDefault, no_check, kOn,
     "Do not serve HLS. Sources of other servers are pulled all the same."},
    {"hlsAddress", &Global::hls_address, ":8888", HlsListener, IsDefault, no_check, kOn, "Address of HLS."},
    {"hlsAlwaysRemux", &Global::hls_always_remux, "no", WorkerSetting, IsDefault, no_check, kOn,
     "Make HLS of every stream, also when nobody asks for it."},
    {"hlsVariant", &Global::hls_variant, "mpegts", WorkerSetting, IsDefault, no_check, kOn,
     "Kind of HLS: mpegts, fmp4 or lowLatency."},
    {"hlsSegmentCount", &Global::hls_segment_count, "7", WorkerSetting, IsDefault, no_check, kOn,
     "Segments in a playlist; at least 3, lowLatency 7."},
    {"hlsSegmentDuration", &Global::hls_segment_duration, "1s", WorkerSetting, IsDefault, no_check, kOn,
     "Least duration of a segment."},
    {"hlsPartDuration", &Global::hls_part_duration, "200ms", WorkerSetting, IsDefault, no_check, kOn,
     "Least duration of a part of a segment (lowLatency)."},
    {"hlsSegmentMaxSize", &Global::hls_segment_max_size, "50M", WorkerSetting, IsDefault, no_check, kOn,
     "Largest segment."},
    {"hlsAllowOrigin", &Global::hls_allow_origin, "*", WorkerSetting, IsDefault, no_check, kOn,
     "Value of the Access-Control-Allow-Origin header."},
    {"hlsEncryption", &Global::hls_encryption, "no", HlsListener, IsDefault, no_check, kOn,
     "Serve HLS over TLS; lowLatency needs it."},
    {"hlsServerKey", &Global::hls_server_key, "server.key", HlsCertificate, IsDefault, no_check, kOn,
     "Private key of HLS over TLS."},
    {"hlsServerCert", &Global::hls_server_cert, "server.crt", HlsCertificate, IsDefault, no_check, kOn,
     "Certificate of HLS over TLS."},
    {"hlsTrustedProxies", &Global::hls_trusted_proxies, "", WorkerSetting, IsDefault,
     ips<&Global::hls_trusted_proxies, Global>, kOn,
     "IPs or CIDRs of proxies whose X-Forwarded-For header names the client."},
});

constexpr auto kPathOn = always<Path>;
constexpr auto kPathIdle = without_effect<Path>;

constexpr auto kPathParameters = std::to_array<Parameter<Path>>({
    {"source", &Path::source, "publisher", PathSource, IsDefault, no_check, kPathOn,
     "Where the stream comes from: publisher, a URL (rtsp, rtsps, rtmp, rtmps, http, https) or redirect."},
    {"sourceProtocol", &Path::source_protocol, "automatic", PathSource, IsDefault, no_check, kPathIdle,
     "Transport of an RTSP source: automatic, udp, multicast or tcp."},
    {"sourceAnyPortEnable", &Path::source_any_port_enable, "no", PathSource, IsDefault, no_check, kPathIdle,
     "Take packets of an RTSP source from any of its ports."},
    {"sourceFingerprint", &Path::source_fingerprint, "", PathSource, IsDefault, no_check, kPathIdle,
     "SHA-256 of the certificate of a source over TLS, instead of its validation."},
    {"sourceOnDemand", &Path::source_on_demand, "no", PathSource, IsDefault, no_check, kPathOn,
     "Pull the source only while somebody reads."},
    {"sourceOnDemandStartTimeout", &Path::source_on_demand_start_timeout, "10s", NextUse, IsDefault, no_check,
     kPathIdle, "How long readers wait for a source on demand."},
    {"sourceOnDemandCloseAfter", &Path::source_on_demand_close_after, "10s", NextUse, IsDefault, no_check, kPathIdle,
     "How long a source on demand runs on without readers."},
    {"sourceRedirect", &Path::source_redirect, "", NextUse, IsDefault, no_check, kPathOn,
     "RTSP URL that clients are sent to if source is redirect."},
    {"sourceReconnectGrace", &Path::source_reconnect_grace, "30s", NextUse, IsValue, no_check, kPathIdle,
     "How long readers of a pulled stream stay while it reconnects."},
    {"useAbsoluteTimestamp", &Path::use_absolute_timestamp, "no", StreamSetting, IsValue, no_check, kPathOn,
     "Sender reports carry the publisher's clock."},

    {"disablePublisherOverride", &Path::disable_publisher_override, "no", NextUse, IsDefault, no_check, kPathOn,
     "Refuse a publisher while there is one, rather than replace the old one."},
    {"fallback", &Path::fallback, "", NextUse, IsDefault, no_check, kPathOn,
     "Path (/name) or RTSP URL that readers are sent to while nobody publishes."},
    {"publishUser", &Path::publish_user, "", NextUse, IsDefault, credential<&Path::publish_user, Path>, kPathOn,
     "User name for publishing; plain, sha256:BASE64 or argon2:HASH."},
    {"publishPass", &Path::publish_pass, "", NextUse, IsDefault, credential<&Path::publish_pass, Path>, kPathOn,
     "Password for publishing; plain, sha256:BASE64 or argon2:HASH."},
    {"publishIPs", &Path::publish_ips, "", NextUse, IsDefault, ips<&Path::publish_ips, Path>, kPathOn,
     "IPs or CIDRs that may publish; none: all."},
    {"readUser", &Path::read_user, "", NextUse, IsDefault, credential<&Path::read_user, Path>, kPathOn,
     "User name for reading; plain, sha256:BASE64 or argon2:HASH."},
    {"readPass", &Path::read_pass, "", NextUse, IsDefault, credential<&Path::read_pass, Path>, kPathOn,
     "Password for reading; plain, sha256:BASE64 or argon2:HASH."},
    {"readIPs", &Path::read_ips, "", NextUse, IsDefault, ips<&Path::read_ips, Path>, kPathOn,
     "IPs or CIDRs that may read; none: all."},

    {"writeCoalesce", &Path::write_coalesce, kInherited, StreamSetting, IsValue,
     wait_in_range<&Path::write_coalesce, Path>, kPathOn, "Of this path alone."},
    {"writeMerge", &Path::write_merge, kInherited, StreamSetting, IsValue, wait_in_range<&Path::write_merge, Path>,
     kPathOn, "Of this path alone."},
    {"readerStart", &Path::reader_start, kInherited, NextUse, IsValue, no_check, kPathOn, "Of this path alone."},

    {"runOnInit", &Path::run_on_init, "", PathHooks, IsDefault, no_check, kPathOn,
     "Command to run when the path is set up."},
    {"runOnInitRestart", &Path::run_on_init_restart, "no", PathHooks, IsDefault, no_check, kPathIdle,
     "Start runOnInit again when it exits."},
    {"runOnDemand", &Path::run_on_demand, "", PathHooks, IsDefault, no_check, kPathOn,
     "Command to run when somebody wants to read and nobody publishes."},
    {"runOnDemandRestart", &Path::run_on_demand_restart, "no", PathHooks, IsDefault, no_check, kPathIdle,
     "Start runOnDemand again when it exits."},
    {"runOnDemandStartTimeout", &Path::run_on_demand_start_timeout, "10s", NextUse, IsDefault, no_check, kPathIdle,
     "How long readers wait for runOnDemand to publish."},
    {"runOnDemandCloseAfter", &Path::run_on_demand_close_after, "10s", NextUse, IsDefault, no_check, kPathIdle,
     "How long runOnDemand runs on without readers."},
    {"runOnReady", &Path::run_on_ready, "", PathHooks, IsDefault, no_check, kPathOn,
     "Command to run while the stream is there."},
    {"runOnReadyRestart", &Path::run_on_ready_restart, "no", PathHooks, IsDefault, no_check, kPathIdle,
     "Start runOnReady again when it exits."},
    {"runOnRead", &Path::run_on_read, "", PathHooks, IsDefault, no_check, kPathOn, "Command to run for each reader."},
    {"runOnReadRestart", &Path::run_on_read_restart, "no", PathHooks, IsDefault, no_check, kPathIdle,
     "Start runOnRead again when it exits."},
});

} // namespace

std::span<const Parameter<Configuration>> global_parameters() {
  return kGlobalParameters;
}
std::span<const Parameter<PathConfiguration>> path_parameters() {
  return kPathParameters;
}

} // namespace sluice::config
