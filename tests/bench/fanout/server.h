// The server under test, started on its core with a configuration of its own, and FFmpeg as publisher.
#pragma once

#include "tests/bench/fanout/process.h"
#include "tests/bench/fanout/rtsp_client.h"

namespace sluice::fanout {

struct Paths {
  std::string server; // executable
  std::string media;  // what FFmpeg publishes
  std::string work;   // directory for the configuration and logs
};

struct Server {
  Child process;
  uint16_t port;
};

// rtspWorkers: 1, one RTSP listener, UDP and TCP. Waits until it accepts connections, at most 5 s.
Result<Server> start_server(const Paths &paths);

struct Publisher {
  Child process;
  std::string path;
};

// Publishes the media in real time over RTSP/TCP. Waits until it can be described, at most 10 s.
Result<Publisher> publish_with_ffmpeg(const Paths &paths, const Server &server);

} // namespace sluice::fanout
