#include "tests/bench/fanout/report.h"

#include <fmt/format.h>

#include <cstdio>

namespace sluice::fanout {
namespace {

constexpr const char *kRatioTarget = "<= 1.25", *kTlsRatioTarget = "<= 1.15";
constexpr const char *kMergedTarget = "<= 0.64"; // 0.35 s/GB where the loop takes 0.55
constexpr const char *kMemoryTarget = "<= 8 KiB";
constexpr double kDisturbance = 0.05; // of a core

// Lines appear as they are measured, also in a pipe.
void print_line(const std::string &line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f}%", 100 * part / whole) : "-";
}

double milliseconds(Nanoseconds time) {
  return static_cast<double>(time) / kMillisecond;
}

void print_window(const std::string &what, const Window &window, bool has_publisher, const std::string &ratio,
                  const std::string &target) {
  double gigabytes = static_cast<double>(window.received.bytes) / 1e9;
  std::string core = gigabytes > 0 ? fmt::format("{:.3f}", window.sender_core_busy / gigabytes) : "-";
  std::string cpu = gigabytes > 0 ? fmt::format("{:.3f}", window.cpu_per_gigabyte()) : "-";
  print_line(fmt::format("{:<31}{:>9}{:>8}{:>9}{:>9.3f}{:>10}{:>7}{:>9}{:>8}{:>8}", what, cpu, ratio, target, gigabytes,
                         percent(static_cast<double>(window.received.bytes), window.expected_bytes),
                         window.received.lost + window.received.disordered, core,
                         percent(window.sink_cpu, window.seconds),
                         has_publisher ? percent(window.publisher_cpu, window.seconds) : "-"));
  if (window.received.broken != 0)
    print_line(
        fmt::format("  note: {} connections were refused, closed or had broken framing", window.received.broken));
  double others = (window.sender_core_busy - window.sender_cpu) / window.seconds;
  if (others > kDisturbance)
    print_line(
        fmt::format("  note: others used {:.0f}% of that core meanwhile; the figure is disturbed", 100 * others));
  if (window.processes_changed) print_line("  note: a process of the server ended or appeared; its CPU is incomplete");
}

} // namespace

const char *name_of(Transport transport) {
  switch (transport) {
  case Transport::kTcp:
    return "RTSP/TCP";
  case Transport::kUdp:
    return "RTSP/UDP";
  case Transport::kTls:
    return "RTSPS";
  case Transport::kMulticast:
    return "multicast";
  case Transport::kRtmp:
    return "RTMP";
  }
  return "";
}

void print_heading(const std::string &heading) {
  print_line("\n" + heading);
}

void print_fanout_columns() {
  print_line(fmt::format("{:<31}{:>9}{:>8}{:>9}{:>9}{:>10}{:>7}{:>9}{:>8}{:>8}", "", "CPU s/GB", "ratio", "target",
                         "GB", "received", "gaps", "core/GB", "sink", "ffmpeg"));
}

void print_fanout(Transport transport, size_t readers, const ServerFanout &server, const Window &loop,
                  const Window *merged) {
  auto ratio = [&loop](const Window &window) -> std::string {
    if (window.received.bytes == 0 || loop.received.bytes == 0) return "-";
    return fmt::format("{:.2f}", window.cpu_per_gigabyte() / loop.cpu_per_gigabyte());
  };
  std::string name = fmt::format("{}, {} readers", name_of(transport), readers);
  // The one copy that is sent by multicast has to carry all that it costs to receive the stream.
  const char *target = transport == Transport::kMulticast ? ""
                       : transport == Transport::kTls     ? kTlsRatioTarget
                                                          : kRatioTarget;
  print_window(fmt::format("{:<24}sluice", name), server.window, true, ratio(server.window), target);
  if (merged != nullptr) print_window("  writeMerge: 350ms", *merged, true, ratio(*merged), kMergedTarget);
  print_window(fmt::format("{:<24}loop", ""), loop, false, "", "");
  if (server.window.cipher != loop.cipher)
    print_line(fmt::format("  note: not the same cipher: {} against {}", server.window.cipher, loop.cipher));
}

void print_memory(Transport transport, size_t readers, const ServerFanout &server) {
  std::string name = fmt::format("{}, {} readers", name_of(transport), readers);
  if (!server.pss_per_reader) return print_failure(name, server.pss_per_reader.error());
  const char *target = transport == Transport::kTls || transport == Transport::kRtmp ? "" : kMemoryTarget;
  print_line(fmt::format("{:<31}{:>9.2f} KiB{:>13}", name, *server.pss_per_reader / 1024, target));
}

void print_pull_columns() {
  print_line(fmt::format("{:<42}{:>8}{:>7}{:>10}{:>9}{:>10}{:>10}{:>7}{:>12}", "", "us/pkt", "ratio", "CPU s/GB",
                         "core", "a stream", "packets", "lost", "other core"));
}

void print_pulling(Transport transport, size_t sources, const Pulling &pulling) {
  auto us_per_packet = [](const PullWindow &window) { return 1e6 * window.cpu / window.packets; };
  auto line = [&](const std::string &what, const PullWindow &window) {
    double share = window.cpu / window.seconds;
    print_line(fmt::format("{:<42}{:>8.3f}{:>7.2f}{:>10.3f}{:>8.2f}%{:>9.4f}%{:>10.0f}{:>7}{:>12}", what,
                           us_per_packet(window), us_per_packet(window) / us_per_packet(pulling.loop),
                           1e9 * window.cpu / window.bytes, 100 * share, 100 * share / static_cast<double>(sources),
                           window.packets, window.lost ? std::to_string(*window.lost) : "-",
                           percent(window.upstream_busy, window.seconds)));
    double others = (window.core_busy - window.cpu) / window.seconds;
    if (others > kDisturbance)
      print_line(
          fmt::format("  note: others used {:.0f}% of that core meanwhile; the figure is disturbed", 100 * others));
  };
  const PulledStreams &server = pulling.server;
  std::string name = fmt::format("{}, {} sources", name_of(transport), sources);
  line(fmt::format("{:<24}sluice", name), server.unread);
  line(fmt::format("{:<24}sluice, a reader each", ""), server.read);
  line(fmt::format("{:<24}loop", ""), pulling.loop);
  print_line(
      fmt::format("  all ready {:.2f} s after the start, {} errors; PSS a stream: ring {:.1f} KiB, other {:.1f} KiB",
                  server.seconds_to_ready, server.errors, server.ring_bytes / 1024, server.other_bytes / 1024));
  if (server.sources_cut_off + pulling.cameras_cut_off + pulling.loop_streams_cut_off > 0)
    print_line(fmt::format("  note: cut off: {} of {} sources, {} of {} cameras, {} of {} streams of the loop; the "
                           "figures are those of the others",
                           server.sources_cut_off, sources, pulling.cameras_cut_off, kCameras,
                           pulling.loop_streams_cut_off, sources));
}

void print_publishing(size_t publishers, const Publishing &publishing) {
  auto each = [&](double whole) { return whole / static_cast<double>(publishers); };
  double share = publishing.cpu / publishing.seconds;
  print_line(fmt::format("{} publishers: {:.2f} us a message, {:.1f}% of a core, {:.4f}% a publisher; {:.0f} messages, "
                         "{:.1f} kbit/s a publisher",
                         publishers, 1e6 * publishing.cpu / publishing.messages, 100 * share, 100 * each(share),
                         publishing.messages, each(8e-3 * publishing.bytes / publishing.seconds)));
  print_line(fmt::format("  PSS a publisher: ring {:.1f} KiB, other {:.1f} KiB; the publishers' core was busy {}",
                         each(publishing.ring_bytes) / 1024, each(publishing.other_bytes) / 1024,
                         percent(publishing.client_core_busy, publishing.seconds)));
  double others = (publishing.core_busy - publishing.cpu) / publishing.seconds;
  if (others > kDisturbance)
    print_line(
        fmt::format("  note: others used {:.0f}% of that core meanwhile; the figure is disturbed", 100 * others));
  if (publishing.cut_off > 0) print_line(fmt::format("  note: {} publishers were cut off", publishing.cut_off));
}

void print_latency(Transport transport, size_t readers, const PacedStream &stream) {
  bool has_target = transport == Transport::kTcp;
  const char *target = !has_target ? "" : readers == 1 ? "<= 0.25 ms" : readers == 200 ? "<= 3 ms" : "";
  auto line = [&](const char *what, const Distribution &values, const char *wanted) {
    print_line(fmt::format("{:<24}{:>10.3f} ms median{:>16}{:>10.3f} ms p99{:>12} samples",
                           fmt::format("{}, {} reader{}", what, readers, readers == 1 ? "" : "s"),
                           milliseconds(values.median), wanted, milliseconds(values.percentile_99), values.samples));
  };
  line("video", stream.video, target);
  line("audio", stream.audio, has_target ? "video + 20 ms" : "");
}

void print_share(const std::string &what, double share_of_core, const std::string &target) {
  print_line(fmt::format("{:<44}{:>8.3f} % of a core{:>11}", what, 100 * share_of_core, target));
}

void print_failure(const std::string &what, const Error &error) {
  print_line(what + ": not measured: " + error.message);
}

} // namespace sluice::fanout
