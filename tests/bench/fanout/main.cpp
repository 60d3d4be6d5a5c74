// bench_fanout: what the server spends on many readers of one stream, beside plain loops that send the
// same bytes to as many sockets; memory per reader; latency; what an idle stream costs; what it spends on streams that
// it pulls, beside a loop that receives as much. Server and loops run on core 0, everything else on core 1, all over
// loopback.
#include "tests/bench/fanout/report.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

namespace sluice::fanout {
namespace {

struct Options {
  Paths paths;
  unsigned seconds = 10;
  std::vector<size_t> readers{200, 1000};
  size_t sources = 500, publishers = 1000;
  std::vector<std::string> parts{"fanout", "latency", "idle", "pull", "publish", "multicast"};
  std::vector<std::string> transports{"tcp", "udp", "tls", "rtmp"};

  bool has(const std::string &part) const { return std::find(parts.begin(), parts.end(), part) != parts.end(); }
  bool wants(Transport transport) const {
    const char *name = transport == Transport::kTcp    ? "tcp"
                       : transport == Transport::kUdp  ? "udp"
                       : transport == Transport::kRtmp ? "rtmp"
                                                       : "tls";
    return std::find(transports.begin(), transports.end(), name) != transports.end();
  }
  bool wants_rtsp() const { return transports != std::vector<std::string>{"rtmp"}; }
  Nanoseconds length() const { return seconds * kSecond; }
};

struct MemoryLine {
  Transport transport;
  size_t readers;
  ServerFanout server;
};

// False when something could not be measured.
bool run_fanout_of(const Options &options, Transport transport, Replay &replay, std::vector<MemoryLine> &memory) {
  bool complete = true;
  for (size_t readers : options.readers) {
    auto server = measure_server(options.paths, transport, readers, replay);
    std::optional<Result<ServerFanout>> merged;
    if (transport == Transport::kRtmp) merged = measure_server(options.paths, transport, readers, replay, "350ms");
    auto loop = measure_plain_loop(options.paths, transport, readers, replay);
    std::string what = fmt::format("{} readers, {}", readers, name_of(transport));
    if (!server) print_failure("server, " + what, server.error());
    if (!loop) print_failure("plain loop, " + what, loop.error());
    if (merged && !*merged) print_failure("server with writeMerge, " + what, merged->error());
    complete = complete && server && loop && (!merged || *merged);
    if (!server) continue;
    print_fanout(transport, readers, *server, loop.value_or(Window{}),
                 merged && *merged ? &(*merged)->window : nullptr);
    memory.push_back({transport, readers, *server});
  }
  return complete;
}

bool run_fanout(const Options &options, const Result<SingleReader> &single) {
  print_heading("Fan-out of one 4 Mbit/s stream (H264 30 fps, AAC 48 kHz, from FFmpeg)");
  print_fanout_columns();
  bool complete = true;
  std::vector<MemoryLine> memory;
  for (Transport transport : {Transport::kTcp, Transport::kUdp, Transport::kTls, Transport::kRtmp}) {
    if (!options.wants(transport)) continue;
    if (transport != Transport::kRtmp && !single) continue; // told already
    auto replay = transport == Transport::kRtmp  ? record_over_rtmp(options.paths, options.length())
                  : transport == Transport::kUdp ? udp_replay(single->recording)
                                                 : tcp_replay(single->recording);
    if (replay)
      complete = run_fanout_of(options, transport, *replay, memory) && complete;
    else
      print_failure("replay", replay.error()), complete = false;
  }
  print_heading("Proportional memory (PSS) per reader, all processes of the server");
  for (const MemoryLine &line : memory) print_memory(line.transport, line.readers, line.server);
  return complete;
}

// In a network of its own, so last.
bool run_multicast(const Options &options, const Recording &recording) {
  print_heading("One copy of the same stream to multicast groups, for all readers together");
  auto replay = udp_replay(recording);
  auto entered = enter_own_network();
  if (!replay || !entered) {
    print_failure("multicast", !replay ? replay.error() : entered.error());
    return false;
  }
  print_fanout_columns();
  std::vector<MemoryLine> memory;
  bool complete = run_fanout_of(options, Transport::kMulticast, *replay, memory);
  for (const MemoryLine &line : memory) print_memory(line.transport, line.readers, line.server);
  return complete;
}

bool run_latency(const Options &options) {
  bool complete = true;
  for (Transport transport : {Transport::kTcp, Transport::kRtmp}) {
    if (!options.wants(transport)) continue;
    print_heading(fmt::format("Latency from the publisher's send over RTSP/TCP to the reader's receipt, {}, 4 Mbit/s "
                              "synthetic stream",
                              name_of(transport)));
    for (size_t readers : {1, 200}) {
      auto stream = measure_paced_stream(options.paths, kLivePace, readers, options.length(), transport);
      if (stream)
        print_latency(transport, readers, *stream);
      else
        print_failure(fmt::format("latency with {}", readers), stream.error()), complete = false;
    }
  }
  return complete;
}

bool run_idle(const Options &options, const Result<SingleReader> &single) {
  print_heading("Server CPU with one reader");
  auto idle = measure_paced_stream(options.paths, kIdlePace, 1, options.length());
  if (idle)
    print_share("idle stream (one packet a second)", idle->server_share, "<= 0.5 %");
  else
    print_failure("idle stream", idle.error());
  if (single) print_share("4 Mbit/s stream, recorded over RTSP/TCP", single->server_share, "");
  return idle.has_value();
}

bool run_pull(const Options &options) {
  print_heading(fmt::format("Streams pulled from another server (H264 25 fps, 1 Mbit/s, a key frame of 40 kB each 2 s; "
                            "{} cameras, each pulled {} times)",
                            kCameras, options.sources / kCameras));
  print_pull_columns();
  bool complete = true;
  for (Transport transport : {Transport::kTcp, Transport::kUdp}) {
    if (!options.wants(transport)) continue;
    auto pulling = measure_pulling(options.paths, transport, options.sources, options.length());
    if (pulling)
      print_pulling(transport, options.sources, *pulling);
    else
      print_failure(name_of(transport), pulling.error()), complete = false;
  }
  return complete;
}

bool run_publish(const Options &options) {
  print_heading("RTMP publishers (H264 25 fps and AAC, 500 kbit/s each, chunks of 4096 bytes)");
  auto publishing = measure_publishing(options.paths, options.publishers, options.length());
  if (publishing)
    print_publishing(options.publishers, *publishing);
  else
    print_failure("publishers", publishing.error());
  return publishing.has_value();
}

int run(const Options &options) {
  bool complete = true;
  bool needs_recording =
      (options.has("fanout") && options.wants_rtsp()) || options.has("idle") || options.has("multicast");
  auto single = needs_recording ? measure_single_reader(options.paths, options.length())
                                : Result<SingleReader>(Error{"not needed"});
  if (needs_recording && !single) {
    print_failure("recording of the stream", single.error());
    complete = false;
  }
  if (options.has("fanout")) complete = run_fanout(options, single) && complete;
  if (options.has("latency")) complete = run_latency(options) && complete;
  if (options.has("idle")) complete = run_idle(options, single) && complete;
  if (options.has("pull")) complete = run_pull(options) && complete;
  if (options.has("publish")) complete = run_publish(options) && complete;
  if (options.has("multicast") && single) complete = run_multicast(options, single->recording) && complete;
  return complete ? 0 : 1;
}

} // namespace
} // namespace sluice::fanout

int main(int argc, char **argv) try {
  using namespace sluice::fanout;
  Options options;
  CLI::App app{"Fan-out, memory, latency and idle cost of the server, beside plain loops."};
  app.add_option("--server", options.paths.server, "the server's executable")->required()->check(CLI::ExistingFile);
  app.add_option("--media", options.paths.media, "file that FFmpeg publishes")->required()->check(CLI::ExistingFile);
  app.add_option("--work", options.paths.work, "directory for configuration and logs")
      ->required()
      ->check(CLI::ExistingDirectory);
  // Sessions over UDP are not kept alive; they must not time out while they are measured.
  app.add_option("--seconds", options.seconds, "length of each measurement")->check(CLI::Range(2, 40));
  app.add_option("--readers", options.readers, "numbers of readers")->delimiter(',')->check(CLI::Range(2, 2500));
  app.add_option("--sources", options.sources, "number of pulled streams, a multiple of the cameras")
      ->check(CLI::Range(kCameras, size_t{2500}));
  app.add_option("--publishers", options.publishers, "number of RTMP publishers")->check(CLI::Range(1, 2500));
  app.add_option("--only", options.parts, "what to measure: fanout, latency, idle, pull, publish, multicast")
      ->delimiter(',')
      ->check(CLI::IsMember({"fanout", "latency", "idle", "pull", "publish", "multicast"}));
  app.add_option(
         "--transports", options.transports,
         "fan-out over which: tcp, udp, tls, rtmp; latency over which of tcp, rtmp; pulling over which of tcp, udp")
      ->delimiter(',')
      ->check(CLI::IsMember({"tcp", "udp", "tls", "rtmp"}));
  CLI11_PARSE(app, argc, argv);

  raise_descriptor_limit();
  pin_to_core(kClientCore);
  constexpr unsigned kOverheadSeconds = 30; // of one measurement: start, warm-up, connecting, stop
  unsigned measurements = static_cast<unsigned>(11 * options.readers.size() + 16);
  bound_lifetime(measurements * (options.seconds + kOverheadSeconds));
  return run(options);
} catch (const std::exception &error) {
  std::fprintf(stderr, "bench_fanout: %s\n", error.what());
  return 2;
}
