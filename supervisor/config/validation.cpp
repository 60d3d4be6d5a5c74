#include "supervisor/config/validation.h"

#include "supervisor/config/addresses.h"
#include "supervisor/config/path_matcher.h"
#include "supervisor/config/path_names.h"
#include "supervisor/config/source_url.h"
#include "supervisor/config/worker_slots.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::config {
namespace {

using Problems = std::vector<Problem>;

void check_encryption(const Configuration &global, Problems &problems) {
  if (global.encryption != Encryption::Strict) return;
  if (global.protocols.udp)
    problems.push_back({"encryption", "strict encryption can't be used with the UDP transport protocol; "
                                      "set protocols to [tcp]"});
  if (global.protocols.multicast)
    problems.push_back({"encryption", "strict encryption can't be used with the UDP-multicast transport protocol; "
                                      "set protocols to [tcp]"});
}

std::optional<ListenAddress> check_listener(std::string_view parameter, const std::string &text, Problems &problems) {
  Result<ListenAddress> address = parse_listen_address(text);
  if (address) return *address;
  problems.push_back({parameter, address.error().message});
  return std::nullopt;
}

void check_port_pair(std::string_view rtp_parameter, int rtp, std::string_view rtcp_parameter, int rtcp,
                     Problems &problems) {
  if (rtp % 2 != 0) problems.push_back({rtp_parameter, fmt::format("RTP port must be even, but is {}", rtp)});
  if (rtcp != rtp + 1)
    problems.push_back(
        {rtcp_parameter, fmt::format("RTP and RTCP ports must be consecutive, but are {} and {}", rtp, rtcp)});
}

void check_multicast(const Configuration &global, Problems &problems) {
  const auto in_range = [](int port) { return port >= 1 && port <= 65535; };
  if (auto range = parse_multicast_range(global.multicast_ip_range); !range)
    problems.push_back({"multicastIPRange", range.error().message});
  if (!in_range(global.multicast_rtp_port))
    problems.push_back({"multicastRTPPort", "not a port; expected 1 to 65535"});
  else if (!in_range(global.multicast_rtcp_port))
    problems.push_back({"multicastRTCPPort", "not a port; expected 1 to 65535"});
  else
    check_port_pair("multicastRTPPort", global.multicast_rtp_port, "multicastRTCPPort", global.multicast_rtcp_port,
                    problems);
}

void check_rtsp_listeners(const Configuration &global, Problems &problems) {
  if (global.rtsp_disable) return;
  if (global.encryption != Encryption::Strict) check_listener("rtspAddress", global.rtsp_address, problems);
  if (global.encryption != Encryption::No) check_listener("rtspsAddress", global.rtsps_address, problems);
  if (global.protocols.udp) {
    auto rtp = check_listener("rtpAddress", global.rtp_address, problems);
    auto rtcp = check_listener("rtcpAddress", global.rtcp_address, problems);
    if (rtp && rtcp) check_port_pair("rtpAddress", rtp->port, "rtcpAddress", rtcp->port, problems);
  }
  if (global.protocols.multicast) check_multicast(global, problems);
}

void check_other_listeners(const Configuration &global, Problems &problems) {
  bool rtmps = global.rtmp_encryption != Encryption::No;
  if (!global.rtmp_disable && global.rtmp_encryption != Encryption::Strict)
    check_listener("rtmpAddress", global.rtmp_address, problems);
  if (!global.rtmp_disable && rtmps) check_listener("rtmpsAddress", global.rtmps_address, problems);
  if (!global.hls_disable) check_listener("hlsAddress", global.hls_address, problems);
  if (global.api) check_listener("apiAddress", global.api_address, problems);
  if (global.metrics) check_listener("metricsAddress", global.metrics_address, problems);
  if (global.pprof) check_listener("pprofAddress", global.pprof_address, problems);
}

void check_hls(const Configuration &global, Problems &problems) {
  constexpr int kMostSegments = 100; // of a playlist; stores hold twice as many
  if (global.hls_segment_count > kMostSegments)
    problems.push_back({"hlsSegmentCount", fmt::format("The maximum number of HLS segments is {}", kMostSegments)});
  if (global.hls_segment_count < 3) problems.push_back({"hlsSegmentCount", "The minimum number of HLS segments is 3"});
  if (global.hls_variant != HlsVariant::LowLatency) return;
  if (global.hls_segment_count < 7)
    problems.push_back({"hlsSegmentCount", "Low-Latency HLS requires at least 7 segments"});
  if (!global.hls_encryption) problems.push_back({"hlsVariant", "Low-Latency HLS requires encryption"});
}

void check_workers(const Configuration &global, Problems &problems) {
  int slots = global.rtsp_workers + global.rtmp_workers + global.hls_workers;
  if (slots > kMaxWorkerSlots) {
    problems.push_back({"rtspWorkers", fmt::format("rtspWorkers, rtmpWorkers and hlsWorkers are {} together; "
                                                   "expected at most {}",
                                                   slots, kMaxWorkerSlots)});
    return;
  }
  auto check_room = [&](Protocol protocol, int workers, std::string_view parameter) {
    if (workers != 0 || !needs_workers(global, protocol)) return;
    if (++slots > kMaxWorkerSlots)
      problems.push_back({parameter, fmt::format("the others leave no worker for {}; together they may be {}",
                                                 label_of(protocol, false), kMaxWorkerSlots)});
  };
  check_room(Protocol::Rtsp, global.rtsp_workers, "rtspWorkers");
  check_room(Protocol::Rtmp, global.rtmp_workers, "rtmpWorkers");
  check_room(Protocol::Hls, global.hls_workers, "hlsWorkers");
}

void check_expressions(const Configuration &global, Problems &problems) {
  auto count = std::count_if(global.paths.begin(), global.paths.end(),
                             [](const auto &entry) { return entry.second.is_regex(); });
  if (static_cast<size_t>(count) > kMaxRegularExpressions)
    problems.push_back({"paths", fmt::format("more than {} regular expressions", kMaxRegularExpressions)});
}

bool is_rtsp_url(std::string_view url) {
  bool known = url.starts_with("rtsp://") || url.starts_with("rtsps://");
  return known && url.find('#') == url.npos && url.substr(url.find("//") + 2).find_first_not_of('/') != url.npos;
}

std::string quoted(std::string_view text) {
  return "'" + printable(text, 100) + "'";
}

std::optional<Problem> check_name(const PathConfiguration &path) {
  if (path.name.empty()) return Problem{{}, "path name can not be empty"};
  if (path.is_regex()) {
    auto compiled = compile_expression(std::string_view(path.name).substr(1));
    return compiled ? std::nullopt : std::optional(Problem{{}, compiled.error().message});
  }
  if (auto valid = check_path_name(path.name); !valid)
    return Problem{{}, fmt::format("invalid path name: {} ({})", valid.error().message, printable(path.name, 100))};
  return std::nullopt;
}

std::optional<Problem> check_source(const PathConfiguration &path) {
  const std::string &source = path.source;
  if (source == "publisher") return std::nullopt;
  if (source == "redirect") {
    if (path.source_redirect.empty()) return Problem{"sourceRedirect", "source redirect must be filled"};
    if (!is_rtsp_url(path.source_redirect))
      return Problem{"sourceRedirect", quoted(path.source_redirect) + " is not a valid RTSP URL"};
    return std::nullopt;
  }
  std::optional<Protocol> protocol = path.pulls();
  if (!protocol)
    return Problem{"source", fmt::format("invalid source: {}; expected publisher, redirect or a URL (rtsp, rtsps, "
                                         "rtmp, rtmps, http, https)",
                                         quoted(source))};
  std::string_view kind = label_of(*protocol, false);
  if (path.is_regex())
    return Problem{"source", fmt::format("a path with a regular expression (or path 'all') cannot have a {} source; "
                                         "use another path",
                                         kind)};
  if (!host_of_source(source)) return Problem{"source", fmt::format("not a valid {} URL", kind)};
  if (protocol == Protocol::Rtmp && !has_whole_credentials(source))
    return Problem{"source", "username and password must be both provided"};
  return std::nullopt;
}

std::optional<Problem> check_fallback(const PathConfiguration &path) {
  if (path.fallback.empty()) return std::nullopt;
  if (!path.fallback.starts_with('/')) {
    if (is_rtsp_url(path.fallback)) return std::nullopt;
    return Problem{"fallback", quoted(path.fallback) + " is not a valid RTSP URL"};
  }
  if (auto valid = check_path_name(std::string_view(path.fallback).substr(1)); !valid)
    return Problem{"fallback", quoted(path.fallback) + ": " + valid.error().message};
  return std::nullopt;
}

std::optional<Problem> check_access(const Configuration &global, const PathConfiguration &path) {
  bool external = !global.external_authentication_url.empty(), from_publisher = path.source == "publisher";
  auto useless = [&](std::string_view name) {
    return Problem{name, fmt::format("'{}' is useless when source is not 'publisher', since the stream is not provided "
                                     "by a publisher, but by a fixed source",
                                     name)};
  };
  auto conflict = [&](std::string_view name) {
    return Problem{name, fmt::format("'{}' can't be used with 'externalAuthenticationURL'", name)};
  };
  if (path.publish_user.empty() != path.publish_pass.empty())
    return Problem{path.publish_user.empty() ? "publishUser" : "publishPass",
                   "publish username and password must be both filled"};
  if (!path.publish_user.empty() && !from_publisher) return useless("publishUser");
  if (!path.publish_user.empty() && external) return conflict("publishUser");
  if (!path.publish_ips.empty() && !from_publisher) return useless("publishIPs");
  if (!path.publish_ips.empty() && external) return conflict("publishIPs");
  if (path.read_user.empty() != path.read_pass.empty())
    return Problem{path.read_user.empty() ? "readUser" : "readPass", "read username and password must be both filled"};
  if (!path.read_user.empty() && external) return conflict("readUser");
  if (!path.read_ips.empty() && external) return conflict("readIPs");
  return std::nullopt;
}

std::optional<Problem> check_hooks(const PathConfiguration &path) {
  if (!path.run_on_init.empty() && path.is_regex())
    return Problem{"runOnInit",
                   "a path with a regular expression does not support option 'runOnInit'; use another path"};
  if (!path.run_on_demand.empty() && path.source != "publisher")
    return Problem{"runOnDemand", "'runOnDemand' can be used only when source is 'publisher'"};
  return std::nullopt;
}

} // namespace

Problems find_problems(const Configuration &configuration) {
  Problems problems;
  check_encryption(configuration, problems);
  check_rtsp_listeners(configuration, problems);
  check_other_listeners(configuration, problems);
  check_hls(configuration, problems);
  check_workers(configuration, problems);
  check_expressions(configuration, problems);
  return problems;
}

std::optional<Problem> find_problem(const Configuration &configuration, const PathConfiguration &path) {
  if (auto problem = check_name(path)) return problem;
  if (auto problem = check_source(path)) return problem;
  if (path.source_on_demand && path.source == "publisher")
    return Problem{"sourceOnDemand", "'sourceOnDemand' is useless when source is 'publisher'"};
  if (auto problem = check_fallback(path)) return problem;
  if (auto problem = check_access(configuration, path)) return problem;
  return check_hooks(path);
}

} // namespace sluice::config
