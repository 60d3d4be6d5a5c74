#include "tests/bench/fanout/fanout.h"

#include "tests/bench/fanout/plain_loop.h"
#include "tests/bench/fanout/rtmp_recording.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <utility>

namespace sluice::fanout {
namespace {

constexpr Nanoseconds kWarmUp = 2 * kSecond;
constexpr Nanoseconds kRtmpWarmUp = 2 * kWarmUp; // readers wait for a key frame, which there is each 2 s
constexpr Nanoseconds kLoopLead = 1 * kSecond;
constexpr Nanoseconds kLoopStart = 200 * kMillisecond; // for the fork

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval &time) { return static_cast<double>(time.tv_sec) + 1e-6 * time.tv_usec; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool same_processes(const CpuSeconds &before, const CpuSeconds &after) {
  auto same = [](const auto &a, const auto &b) { return a.first == b.first; };
  return std::equal(before.begin(), before.end(), after.begin(), after.end(), same);
}

SinkTotals operator-(const SinkTotals &after, const SinkTotals &before) {
  return {after.bytes - before.bytes, after.checked_packets - before.checked_packets, after.lost - before.lost,
          after.disordered - before.disordered, after.broken};
}

Window measure(Sink &sink, pid_t sender, std::optional<pid_t> publisher, Nanoseconds start, Nanoseconds length) {
  sink.run_until(start);
  Nanoseconds begin = monotonic_now();
  CpuSeconds sender_before = cpu_seconds(sender);
  CpuSeconds publisher_before = publisher ? cpu_seconds(*publisher) : CpuSeconds{};
  double core_before = core_busy_seconds(kServerCore);
  double own_before = own_cpu_seconds();
  SinkTotals totals_before = sink.totals();
  sink.run_until(start + length);
  Window window;
  window.received = sink.totals() - totals_before;
  window.sink_cpu = own_cpu_seconds() - own_before;
  window.sender_core_busy = core_busy_seconds(kServerCore) - core_before;
  CpuSeconds sender_after = cpu_seconds(sender);
  window.sender_cpu = cpu_between(sender_before, sender_after);
  window.processes_changed = !same_processes(sender_before, sender_after);
  if (publisher) window.publisher_cpu = cpu_between(publisher_before, cpu_seconds(*publisher));
  window.seconds = static_cast<double>(monotonic_now() - begin) / kSecond;
  return window;
}

Result<double> growth_per_reader(Result<uint64_t> before, Result<uint64_t> after, size_t added) {
  return (static_cast<double>(TRY(std::move(after))) - static_cast<double>(TRY(std::move(before)))) /
         static_cast<double>(added);
}

// The one who receives what is sent to the groups.
Result<std::vector<Fd>> add_groups(Sink &sink, const Reader &reader) {
  std::vector<Fd> sockets;
  for (const MulticastGroup &group : reader.groups) {
    sockets.push_back(TRY(multicast_join(group.address, group.port)));
    TRY(sink.add_udp(sockets.back().get()));
  }
  return sockets;
}

Result<LoopSockets> loop_sockets(const Paths &paths, Transport transport, size_t readers, const Replay &replay) {
  switch (transport) {
  case Transport::kTcp:
  case Transport::kRtmp:
    return tcp_sockets(readers);
  case Transport::kTls:
    return tls_sockets(readers, paths.work + "/server");
  case Transport::kUdp:
    return udp_sockets(readers, replay.sockets);
  case Transport::kMulticast:
    return multicast_sockets(replay.sockets);
  }
  return Error{"no such transport"};
}

size_t copies(Transport transport, size_t readers) {
  return transport == Transport::kMulticast ? 1 : readers;
}

// One who reads, over RTSP or RTMP: set up and not playing yet.
struct Viewer {
  std::optional<Reader> rtsp;
  std::optional<RtmpClient> rtmp;
};

Result<Viewer> set_up_viewer(const Server &server, const std::string &path, Transport transport) {
  Viewer viewer;
  if (transport == Transport::kRtmp)
    viewer.rtmp = TRY(RtmpClient::open(server.rtmp_port));
  else
    viewer.rtsp = TRY(set_up_reader(server.port_of(transport), path, transport));
  return viewer;
}

Result<void> add_to(Sink &sink, const Reader &reader) {
  if (reader.client.tls() != nullptr) return sink.add_tls(reader.client.socket(), reader.client.tls());
  if (!reader.groups.empty()) return sink.add_uncounted(reader.client.fd(), true);
  if (reader.udp.empty()) return sink.add_tcp(reader.client.fd(), true);
  TRY(sink.add_uncounted(reader.client.fd(), true));
  for (const UdpPair &pair : reader.udp) {
    TRY(sink.add_udp(pair.rtp.get()));
    TRY(sink.add_uncounted(pair.rtcp.get(), false));
  }
  return {};
}

Result<void> begin(Sink &sink, Viewer &viewer, const std::string &path) {
  if (viewer.rtmp) {
    TRY(viewer.rtmp->play(path));
    return sink.add_rtmp(viewer.rtmp->fd(), std::move(viewer.rtmp->parser()));
  }
  TRY(play(*viewer.rtsp));
  return add_to(sink, *viewer.rtsp);
}

} // namespace

Result<SingleReader> measure_single_reader(const Paths &paths, Nanoseconds length) {
  Server server = TRY(start_server(paths));
  Publisher publisher = TRY(publish_with_ffmpeg(paths, server));
  Reader reader = TRY(set_up_reader(server.port, publisher.path, Transport::kTcp));
  CpuSeconds before = cpu_seconds(server.process.pid());
  Nanoseconds begin = monotonic_now();
  SingleReader measured;
  measured.recording = TRY(record(reader, begin + kWarmUp, begin + kWarmUp + length));
  double seconds = static_cast<double>(monotonic_now() - begin) / kSecond;
  measured.server_share = cpu_between(before, cpu_seconds(server.process.pid())) / seconds;
  return measured;
}

Result<Replay> record_over_rtmp(const Paths &paths, Nanoseconds length) {
  Server server = TRY(start_server(paths, {.rtmp = true}));
  Publisher publisher = TRY(publish_with_ffmpeg(paths, server));
  RtmpClient client = TRY(RtmpClient::open(server.rtmp_port));
  Nanoseconds begin = monotonic_now() + kRtmpWarmUp;
  return record_rtmp(client, publisher.path, begin, begin + length);
}

// The memory of the server once it does not grow any more: the stream's ring has been written all over.
Result<uint64_t> settled_size(Sink &sink, const Server &server) {
  constexpr uint64_t kSteady = 32 * 1024;
  constexpr int kMostLooks = 8;
  sink.run_until(monotonic_now() + kWarmUp);
  uint64_t size = TRY(proportional_set_size(server.process.pid()));
  for (int look = 0; look < kMostLooks; look++) {
    sink.run_until(monotonic_now() + 2 * kSecond);
    uint64_t next = TRY(proportional_set_size(server.process.pid()));
    if (next < std::exchange(size, next) + kSteady) break;
  }
  return size;
}

Result<ServerFanout> measure_server(const Paths &paths, Transport transport, size_t readers, const Replay &expected,
                                    const std::string &write_merge) {
  Server server =
      TRY(start_server(paths, {.tls = transport == Transport::kTls,
                               .rtmp = transport == Transport::kRtmp,
                               .configured_paths = fmt::format("  all:\n    writeMerge: {}\n", write_merge)}));
  Publisher publisher = TRY(publish_with_ffmpeg(paths, server));
  Sink sink = TRY(Sink::create());
  std::vector<Viewer> connected;
  auto begin_from = [&](size_t first) -> Result<void> {
    for (size_t i = first; i < connected.size(); i++) {
      TRY(begin(sink, connected[i], publisher.path));
      if (transport == Transport::kTls) sink.run_until(0); // the others have media by now
    }
    return {};
  };
  connected.push_back(TRY(set_up_viewer(server, publisher.path, transport)));
  std::vector<Fd> receivers;
  if (connected[0].rtsp) receivers = TRY(add_groups(sink, *connected[0].rtsp));
  TRY(begin_from(0));
  auto pss_of_one = settled_size(sink, server);
  // All are set up before any plays: the server is not busy yet and answers at once.
  while (connected.size() < readers) {
    connected.push_back(TRY(set_up_viewer(server, publisher.path, transport)));
    sink.run_until(0);
  }
  TRY(begin_from(1));
  ServerFanout measured;
  measured.window = measure(sink, server.process.pid(), publisher.process.pid(),
                            monotonic_now() + (transport == Transport::kRtmp ? kRtmpWarmUp : kWarmUp), expected.length);
  measured.window.expected_bytes =
      static_cast<double>(expected.bytes) * static_cast<double>(copies(transport, readers));
  if (connected[0].rtsp && connected[0].rtsp->client.tls() != nullptr)
    measured.window.cipher = cipher_of(*connected[0].rtsp->client.tls());
  measured.pss_per_reader = growth_per_reader(pss_of_one, proportional_set_size(server.process.pid()), readers - 1);
  if (!server.process.running()) return Error{"the server ended, see " + paths.work + "/server.log"};
  return measured;
}

Result<Window> measure_plain_loop(const Paths &paths, Transport transport, size_t readers, Replay &replay) {
  LoopSockets sockets = TRY(loop_sockets(paths, transport, readers, replay));
  Sink sink = TRY(Sink::create());
  for (size_t i = 0; i < sockets.receivers.size(); i++) {
    const Fd &receiver = sockets.receivers[i];
    if (transport == Transport::kTls)
      TRY(sink.add_tls(receiver, sockets.tls[i].client.get()));
    else if (transport == Transport::kRtmp)
      TRY(sink.add_rtmp(receiver.get(), parser_of_replay()));
    else
      TRY(transport == Transport::kTcp ? sink.add_tcp(receiver.get(), false) : sink.add_udp(receiver.get()));
  }
  Nanoseconds start = monotonic_now() + kLoopStart;
  Child loop = TRY(start_plain_loop(replay, sockets, start, kLoopLead));
  Window window = measure(sink, loop.pid(), std::nullopt, start + kLoopLead, replay.length);
  window.expected_bytes = static_cast<double>(replay.bytes) * static_cast<double>(copies(transport, readers));
  if (!sockets.tls.empty()) window.cipher = cipher_of(*sockets.tls[0].client);
  if (!loop.running()) return Error{"the plain loop ended"};
  return window;
}

} // namespace sluice::fanout
