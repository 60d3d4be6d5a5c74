#include "tests/bench/fanout/pull.h"

#include "tests/bench/fanout/cameras.h"
#include "tests/bench/fanout/receiving_loop.h"
#include "tests/bench/fanout/sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kReadyPatience = 60 * kSecond;
constexpr Nanoseconds kSettling = 12 * kSecond; // a ring of 1 MiB has been written all over
constexpr Nanoseconds kWarmUp = 3 * kSecond;
constexpr useconds_t kLookInterval_us = 20'000;
constexpr const char *kRingMapping = "/memfd:sluice ring";

struct Upstream {
  Server server;
  Cameras cameras;
};

Result<Upstream> start_upstream(const Paths &paths) {
  Server server = TRY(start_server(paths, {.name = "upstream", .core = kClientCore}));
  Cameras cameras = TRY(start_cameras(server.port, kCameras, kCameraPace));
  return Upstream{std::move(server), std::move(cameras)};
}

std::string source_path(size_t source) {
  return "pulled" + std::to_string(source);
}

ServerOptions downstream(uint16_t upstream_port, Transport transport, size_t sources) {
  ServerOptions options{.name = "downstream"};
  for (size_t i = 0; i < sources; i++)
    options.configured_paths +=
        fmt::format("  {}:\n    source: rtsp://127.0.0.1:{}/{}\n    sourceProtocol: {}\n", source_path(i),
                    upstream_port, camera_path(i % kCameras), transport == Transport::kUdp ? "udp" : "tcp");
  return options;
}

size_t occurrences(const std::string &file, std::string_view what) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  std::string_view log = text.view();
  size_t count = 0;
  for (size_t at = log.find(what); at != std::string_view::npos; at = log.find(what, at + what.size())) count++;
  return count;
}

// How many sources the log says something of.
size_t sources_with(const std::string &file, std::string_view what) {
  std::ifstream in(file);
  std::set<std::string> paths;
  for (std::string line; std::getline(in, line);) {
    size_t begin = line.find("[path "), end = line.find("] [rtsp source] ");
    if (begin != std::string::npos && end != std::string::npos && line.find(what, end) != std::string::npos)
      paths.insert(line.substr(begin, end - begin));
  }
  return paths.size();
}

Result<void> wait_until_ready(const std::string &log, size_t sources) {
  for (Nanoseconds end = monotonic_now() + kReadyPatience; monotonic_now() < end; usleep(kLookInterval_us))
    if (occurrences(log, "[rtsp source] ready") >= sources) return {};
  return Error{"not all sources became ready, see " + log};
}

struct Moment {
  Nanoseconds time;
  CpuSeconds cpu;
  double core_busy, upstream_busy;
  uint64_t packets, bytes;
};

Moment now(pid_t receiver, const SharedCounts &counts) {
  return {monotonic_now(),  cpu_seconds(receiver), core_busy_seconds(kServerCore), core_busy_seconds(kClientCore),
          counts.packets(), counts.bytes()};
}

// Each packet that was counted came in `copies` times.
PullWindow between(const Moment &before, const Moment &after, size_t copies) {
  PullWindow window;
  window.seconds = static_cast<double>(after.time - before.time) / kSecond;
  window.cpu = cpu_between(before.cpu, after.cpu);
  window.core_busy = after.core_busy - before.core_busy;
  window.upstream_busy = after.upstream_busy - before.upstream_busy;
  window.packets = static_cast<double>(copies) * static_cast<double>(after.packets - before.packets);
  window.bytes = static_cast<double>(copies) * static_cast<double>(after.bytes - before.bytes);
  return window;
}

Result<void> sleep_while(Child &needed, Nanoseconds duration) {
  for (Nanoseconds end = monotonic_now() + duration; monotonic_now() < end; usleep(kLookInterval_us))
    if (!needed.running()) return Error{"a process of the measurement ended"};
  return {};
}

// A reader each, whose packets are all looked at.
Result<PullWindow> measure_read(const Server &server, const Cameras &cameras, size_t sources, Nanoseconds length) {
  Sink sink = TRY(Sink::create(1));
  std::vector<Reader> readers;
  for (size_t i = 0; i < sources; i++) {
    readers.push_back(TRY(set_up_reader(server.port, source_path(i), Transport::kTcp)));
    sink.run_until(0);
    TRY(play(readers.back()));
    TRY(sink.add_tcp(readers.back().client.fd(), true));
  }
  sink.run_until(monotonic_now() + kWarmUp);
  SinkTotals totals_before = sink.totals();
  Moment before = now(server.process.pid(), cameras.sent);
  sink.run_until(monotonic_now() + length);
  PullWindow window = between(before, now(server.process.pid(), cameras.sent), sources / kCameras);
  SinkTotals totals = sink.totals();
  if (totals.broken != 0)
    return Error{fmt::format("{} readers were refused, closed or got broken framing", totals.broken)};
  window.lost = totals.lost - totals_before.lost + totals.disordered - totals_before.disordered;
  return window;
}

Result<void> measure_memory(const Paths &paths, const Server &server, size_t sources, PulledStreams &pulled) {
  auto all = static_cast<double>(TRY(proportional_set_size(server.process.pid())));
  auto rings = static_cast<double>(TRY(proportional_set_size_of(server.process.pid(), kRingMapping)));
  Server idle = TRY(start_server(paths, {.name = "idle"}));
  auto before = static_cast<double>(TRY(proportional_set_size(idle.process.pid())));
  pulled.ring_bytes = rings / static_cast<double>(sources);
  pulled.other_bytes = (all - rings - before) / static_cast<double>(sources);
  return {};
}

Result<PulledStreams> measure_server(const Paths &paths, Upstream &upstream, Transport transport, size_t sources,
                                     Nanoseconds length) {
  ServerOptions options = downstream(upstream.server.port, transport, sources);
  Nanoseconds begin = monotonic_now();
  Server server = TRY(start_server(paths, options));
  TRY(wait_until_ready(log_of(paths, options), sources));
  PulledStreams pulled;
  pulled.seconds_to_ready = static_cast<double>(monotonic_now() - begin) / kSecond;
  TRY(sleep_while(server.process, kSettling));
  const SharedCounts &sent = upstream.cameras.sent;
  Moment before = now(server.process.pid(), sent);
  TRY(sleep_while(upstream.cameras.process, length));
  pulled.unread = between(before, now(server.process.pid(), sent), sources / kCameras);
  TRY(measure_memory(paths, server, sources, pulled));
  pulled.read = TRY(measure_read(server, upstream.cameras, sources, length));
  pulled.errors = occurrences(log_of(paths, options), "ERR");
  pulled.sources_cut_off = sources_with(log_of(paths, options), "ERR");
  if (!server.process.running()) return Error{"the server ended, see " + log_of(paths, options)};
  return pulled;
}

Result<PullWindow> measure_loop(const Upstream &upstream, Transport transport, size_t sources, Nanoseconds length,
                                uint64_t &cut_off) {
  std::vector<Reader> readers;
  for (size_t i = 0; i < sources; i++)
    readers.push_back(TRY(set_up_reader(upstream.server.port, camera_path(i % kCameras), transport)));
  for (Reader &reader : readers) TRY(play(reader));
  ReceivingLoop loop = TRY(start_receiving_loop(readers));
  TRY(sleep_while(loop.process, kWarmUp));
  Moment before = now(loop.process.pid(), loop.received);
  TRY(sleep_while(loop.process, length));
  cut_off = loop.received.cut_off();
  return between(before, now(loop.process.pid(), loop.received), 1);
}

} // namespace

Result<Pulling> measure_pulling(const Paths &paths, Transport transport, size_t sources, Nanoseconds length) {
  Upstream upstream = TRY(start_upstream(paths));
  auto explained = [&](const Error &error) {
    uint64_t lost = upstream.cameras.sent.cut_off();
    return lost == 0 ? error : Error{fmt::format("{} ({} of {} cameras were cut off)", error.message, lost, kCameras)};
  };
  Pulling pulling;
  auto server = measure_server(paths, upstream, transport, sources, length);
  if (!server) return explained(server.error());
  pulling.server = *server;
  auto loop = measure_loop(upstream, transport, sources, length, pulling.loop_streams_cut_off);
  if (!loop) return explained(loop.error());
  pulling.loop = *loop;
  pulling.cameras_cut_off = upstream.cameras.sent.cut_off();
  return pulling;
}

} // namespace sluice::fanout
