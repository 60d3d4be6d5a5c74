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

// `tests/bench` may be repeated while the last run's ports are in TIME_WAIT, so each start has its own.
Result<std::string> write_configuration(const Paths &paths, const ServerOptions &options, uint16_t port,
                                        uint16_t tls_port) {
  uint16_t rtp_port = TRY(udp_pair()).rtp_port;
  std::string file = paths.work + "/" + options.name + ".yml";
  std::ofstream out(file);
  out << fmt::format("rtspWorkers: 1\n"
                     "rtspAddress: 127.0.0.1:{}\n"
                     "rtpAddress: 127.0.0.1:{}\n"
                     "rtcpAddress: 127.0.0.1:{}\n"
                     "protocols: [udp, multicast, tcp]\n"
                     "rtmpDisable: yes\n"
                     "hlsDisable: yes\n",
                     port, rtp_port, rtp_port + 1);
  if (tls_port != 0)
    out << fmt::format(
        "encryption: optional\nrtspsAddress: 127.0.0.1:{}\nserverCert: {}/server.crt\nserverKey: {}/server.key\n",
        tls_port, paths.work, paths.work);
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
  uint16_t port = TRY(free_tcp_port());
  uint16_t tls_port = options.tls ? TRY(free_tcp_port()) : uint16_t{0};
  std::string configuration = TRY(write_configuration(paths, options, port, tls_port));
  std::string log = log_of(paths, options);
  Child process = TRY(Child::execute({paths.server, configuration}, options.core, log));
  for (Nanoseconds end = monotonic_now() + kServerStart; monotonic_now() < end; usleep(kPollInterval_us)) {
    if (!process.running()) return Error{"the server ended at its start, see " + log};
    if (tcp_connect(port)) return Server{std::move(process), port, tls_port};
  }
  return Error{"the server does not accept connections, see " + log};
}

Result<Publisher> publish_with_ffmpeg(const Paths &paths, const Server &server) {
  const std::string path = "bench";
  std::string url = fmt::format("rtsp://127.0.0.1:{}/{}", server.port, path);
  std::string log = paths.work + "/ffmpeg.log";
  Child process = TRY(Child::execute({"ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-stream_loop", "-1", "-i",
                                      paths.media, "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", url},
                                     kClientCore, log));
  for (Nanoseconds end = monotonic_now() + kPublisherStart; monotonic_now() < end; usleep(kPollInterval_us)) {
    if (!process.running()) return Error{"ffmpeg ended, see " + log};
    RtspClient client = TRY(RtspClient::open(server.port, path));
    if (TRY(client.request("DESCRIBE", client.url())).status == 200) return Publisher{std::move(process), path};
  }
  return Error{"the stream of ffmpeg does not appear, see " + log};
}

} // namespace sluice::fanout
