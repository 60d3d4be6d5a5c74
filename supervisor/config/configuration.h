// The configuration as typed values. Names, defaults, documentation and checks of every member stand in the
// table of parameters.cpp; a default-constructed Configuration or PathConfiguration holds those defaults.
// Only the supervisor has one. It is a plain value: a reload makes a new one.
#pragma once

#include "common/base/log.h"
#include "common/base/time.h"
#include "supervisor/config/protocol.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

enum class Encryption : uint8_t { No, Optional, Strict };
enum class HlsVariant : uint8_t { MpegTs, Fmp4, LowLatency };
enum class SourceProtocol : uint8_t { Automatic, Udp, Multicast, Tcp };
enum class ReaderStart : uint8_t { Live, Keyframe };
enum class LogFormat : uint8_t { Text, Json };

struct Protocols {
  bool udp = false, multicast = false, tcp = false;
  bool operator==(const Protocols &) const = default;
};
struct LogDestinations {
  bool to_stdout = false, to_file = false, to_syslog = false;
  bool operator==(const LogDestinations &) const = default;
};
struct AuthMethods {
  bool basic = false, digest = false;
  bool operator==(const AuthMethods &) const = default;
};

constexpr std::string_view kAllPaths = "~^.*$"; // what the path name `all` stands for
constexpr int kMaxWorkerSlots = 64;             // of all protocols together

// One entry of `paths`. Durations in nanoseconds.
struct PathConfiguration {
  PathConfiguration();
  bool is_regex() const { return name.starts_with('~'); }
  std::optional<Protocol> pulls() const { return protocol_of_url(source); }
  bool operator==(const PathConfiguration &) const = default;

  std::string name; // an exact path name, or `~` and a regular expression; `all` is kAllPaths
  int order = 0;    // of regular expressions: which is tried first

  std::string source;
  SourceProtocol source_protocol{};
  bool source_any_port_enable{};
  std::string source_fingerprint;
  bool source_on_demand{};
  Nanoseconds source_on_demand_start_timeout{}, source_on_demand_close_after{};
  std::string source_redirect;
  Nanoseconds source_reconnect_grace{};
  bool use_absolute_timestamp{};

  bool disable_publisher_override{};
  std::string fallback;
  std::string publish_user, publish_pass;
  std::vector<std::string> publish_ips;
  std::string read_user, read_pass;
  std::vector<std::string> read_ips;

  // Those of the whole configuration, unless `own` names them. 0: nothing waits.
  Nanoseconds write_coalesce{}, write_merge{};
  ReaderStart reader_start{};
  std::set<std::string_view> own; // by the table's names

  std::string run_on_init, run_on_demand, run_on_ready, run_on_read;
  bool run_on_init_restart{}, run_on_demand_restart{}, run_on_ready_restart{}, run_on_read_restart{};
  Nanoseconds run_on_demand_start_timeout{}, run_on_demand_close_after{};
};

// Addresses are texts that parse_listen_address (addresses.h) accepts, if their listener is on.
struct Configuration {
  Configuration();
  bool operator==(const Configuration &) const = default;

  LogLevel log_level{};
  LogDestinations log_destinations;
  std::string log_file;
  LogFormat log_format{};
  std::string crash_directory;

  Nanoseconds read_timeout{}, write_timeout{};
  int read_buffer_count{}; // packets
  std::string external_authentication_url;

  bool api{};
  std::string api_address, api_user, api_pass;
  bool api_encryption{};
  std::string api_server_key, api_server_cert;
  bool metrics{};
  std::string metrics_address;
  bool pprof{};
  std::string pprof_address;

  std::string run_on_connect;
  bool run_on_connect_restart{};

  bool rtsp_disable{};
  Protocols protocols;
  Encryption encryption{};
  std::string rtsp_address, rtsps_address, rtp_address, rtcp_address;
  std::string multicast_ip_range;
  int multicast_rtp_port{}, multicast_rtcp_port{};
  std::string server_key, server_cert;
  AuthMethods auth_methods;

  bool rtmp_disable{};
  std::string rtmp_address;
  Encryption rtmp_encryption{};
  std::string rtmps_address, rtmp_server_key, rtmp_server_cert;

  bool hls_disable{};
  std::string hls_address;
  bool hls_always_remux{};
  HlsVariant hls_variant{};
  int hls_segment_count{};
  Nanoseconds hls_segment_duration{}, hls_part_duration{};
  uint64_t hls_segment_max_size{};
  std::string hls_allow_origin;
  bool hls_encryption{};
  std::string hls_server_key, hls_server_cert;
  std::vector<std::string> hls_trusted_proxies;

  int rtsp_workers{}, rtmp_workers{}, hls_workers{}; // 0: chosen from the number of cores
  int max_sessions{};                                // per slot
  uint64_t ring_max_size{};                          // bytes
  uint64_t max_memory{};                             // bytes; 0: half of what the cgroup or machine has
  Nanoseconds write_coalesce{}, write_merge{};       // 0: nothing waits
  ReaderStart reader_start{};
  Nanoseconds worker_restart_grace{};

  std::map<std::string, PathConfiguration, std::less<>> paths; // by name
};

} // namespace sluice::config
