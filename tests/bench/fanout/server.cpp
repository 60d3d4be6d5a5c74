#include "tests/bench/fanout/server.h"

#include "common/base/time.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kServerStart = 5 * kSecond;
constexpr Nanoseconds kPublisherStart = 10 * kSecond;
constexpr useconds_t kPollInterval_us = 50'000;

struct Ports {
  uint16_t rtsp = 0, tls = 0, rtmp = 0; // 0: none
};

// `tests/bench` may be repeated while the last run's ports are in TIME_WAIT, so each start has its own.
Result<std::string> write_configuration(const Paths &paths, const ServerOptions &options, const Ports &ports) {
  uint16_t rtp_port = TRY(udp_pair()).rtp_port;
  std::string file = paths.work + "/" + options.name + ".yml";
  std::ofstream out(file);
  out << fmt::format("rtspWorkers: 1\n"
                     "rtspAddress: 127.0.0.1:{}\n"
                     "rtpAddress: 127.0.0.1:{}\n"
                     "rtcpAddress: 127.0.0.1:{}\n"
                     "protocols: [udp, multicast, tcp]\n"
                     "hlsDisable: yes\n",
                     ports.rtsp, rtp_port, rtp_port + 1);
  if (ports.rtmp != 0)
    out << fmt::format("rtmpWorkers: 1\nrtmpAddress: 127.0.0.1:{}\n", ports.rtmp);
  else
    out << "rtmpDisable: yes\n";
  if (ports.tls != 0)
    out << fmt::format(
        "encryption: optional\nrtspsAddress: 127.0.0.1:{}\nserverCert: {}/server.crt\nserverKey: {}/server.key\n",
        ports.tls, paths.work, paths.work);
  out << "paths:\n" << options.configured_paths;
  out.close();
  if (!out) return os_error(file);
  return file;
}

} // namespace

std::string log_of(const Paths &paths, const ServerOptions &options) {
  return paths.work + "/" + options.name + ".log";
}

Result<Server> start_server(const Paths &paths, const ServerOptions &options) {
  Ports ports{.rtsp = TRY(free_tcp_port())};
  if (options.tls) ports.tls = TRY(free_tcp_port());
  if (options.rtmp) ports.rtmp = TRY(free_tcp_port());
  std::string configuration = TRY(write_configuration(paths, options, ports));
  std::string log = log_of(paths, options);
  Child process = TRY(Child::execute({paths.server, configuration}, options.core, log));
  for (Nanoseconds end = monotonic_now() + kServerStart; monotonic_now() < end; usleep(kPollInterval_us)) {
    if (!process.running()) return Error{"the server ended at its start, see " + log};
    if (tcp_connect(ports.rtsp) && (ports.rtmp == 0 || tcp_connect(ports.rtmp)))
      return Server{std::move(process), ports.rtsp, ports.tls, ports.rtmp};
  }
  return Error{"the server does not accept connections, see " + log};
}

Result<Publisher> publish_with_ffmpeg(const Paths &paths, const Server &server) {
  const std::string path = "bench";
  std::string log = paths.work + "/ffmpeg.log";
  std::vector<std::string> command{"ffmpeg", "-nostdin", "-loglevel", "warning", "-re",  "-stream_loop",
                                   "-1",     "-i",       paths.media, "-c",      "copy", "-f"};
  if (server.rtmp_port != 0) {
    command.insert(command.end(), {"flv", fmt::format("rtmp://127.0.0.1:{}/{}", server.rtmp_port, path)});
  } else {
    std::string url = fmt::format("rtsp://127.0.0.1:{}/{}", server.port, path);
    command.insert(command.end(), {"rtsp", "-rtsp_transport", "tcp", url});
  }
  Child process = TRY(Child::execute(command, kClientCore, log));
  for (Nanoseconds end = monotonic_now() + kPublisherStart; monotonic_now() < end; usleep(kPollInterval_us)) {
    if (!process.running()) return Error{"ffmpeg ended, see " + log};
    RtspClient client = TRY(RtspClient::open(server.port, path));
    if (TRY(client.request("DESCRIBE", client.url())).status == 200) return Publisher{std::move(process), path};
  }
  return Error{"the stream of ffmpeg does not appear, see " + log};
}

} // namespace sluice::fanout
