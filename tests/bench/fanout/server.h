// The server under test, started on its core with a configuration of its own, and FFmpeg as publisher.
#pragma once

#include "tests/bench/fanout/process.h"
#include "tests/bench/fanout/rtsp_client.h"

namespace sluice::fanout {

struct Paths {
  std::string server; // executable
  std::string media;  // what FFmpeg publishes
  std::string work;   // directory for the configuration and logs; of RTSPS: server.crt and server.key
};

struct Server {
  Child process;
  uint16_t port;
  uint16_t tls_port;  // 0: none
  uint16_t rtmp_port; // 0: none

  uint16_t port_of(Transport transport) const {
    return transport == Transport::kTls ? tls_port : transport == Transport::kRtmp ? rtmp_port : port;
  }
};

struct ServerOptions {
  std::string name = "server"; // of its configuration and log in the work directory
  int core = kServerCore;
  bool tls = false;  // a listener of RTSPS, too
  bool rtmp = false; // one of RTMP, and a worker for it
  std::string configured_paths = "  all:\n";
};

// rtspWorkers: 1, one RTSP listener, UDP and TCP. Waits until it accepts connections, at most 5 s.
Result<Server> start_server(const Paths &paths, const ServerOptions &options = {});
std::string log_of(const Paths &paths, const ServerOptions &options);

struct Publisher {
  Child process;
  std::string path;
};

// Publishes the media in real time, over RTMP if the server has it, else over RTSP/TCP. Waits until it can be
// described, at most 10 s.
Result<Publisher> publish_with_ffmpeg(const Paths &paths, const Server &server);

} // namespace sluice::fanout
