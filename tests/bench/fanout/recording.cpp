#include "tests/bench/fanout/recording.h"

#include "tests/bench/fanout/interleaved.h"

#include <poll.h>
#include <sys/socket.h>

namespace sluice::fanout {
namespace {

constexpr size_t kMaxRecording = 256 << 20;
constexpr size_t kMaxDatagrams = 50;    // UDP_SEGMENT's limit is 64 at the least
constexpr size_t kMaxRunBytes = 65'000; // one IP packet before segmentation

bool is_rtcp(const RecordedPacket &packet) {
  return packet.channel % 2 == 1;
}

bool is_video(const Recording &recording, const RecordedPacket &packet) {
  size_t track = packet.channel / 2;
  return !is_rtcp(packet) && track < recording.tracks.size() && recording.tracks[track].video;
}

void append(ByteVector &buffer, Bytes bytes) {
  buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

// Appends a datagram to the round: to the run at its end if that can take it, else as a new span.
void append_datagram(Round &round, ByteVector &buffer, const RecordedPacket &packet) {
  size_t track = packet.channel / 2;
  size_t size = packet.bytes.size();
  round.sequences.push_back({buffer.size() + 2, track});
  Span *run = round.spans.empty() ? nullptr : &round.spans.back();
  size_t length = run == nullptr ? 0 : (run->segment == 0 ? run->size : run->segment);
  bool fits = run != nullptr && run->track == track && size <= length && run->size % length == 0 &&
              run->size + size <= kMaxRunBytes && run->size / length < kMaxDatagrams;
  if (fits) {
    run->segment = length;
    run->size += size;
  } else {
    round.spans.push_back({buffer.size(), size, 0, track});
  }
  append(buffer, packet.bytes);
}

Result<Replay> finish(Replay replay, const Recording &recording) {
  if (replay.rounds.empty()) return Error{"the recording has no complete video access unit"};
  replay.length = recording.length;
  for (const Round &round : replay.rounds)
    for (const Span &span : round.spans) replay.bytes += span.size;
  return replay;
}

} // namespace

Result<Recording> record(Reader &reader, Nanoseconds start, Nanoseconds end) {
  Recording recording{{}, reader.tracks, end - start};
  InterleavedParser parser;
  ByteVector chunk(256 << 10);
  size_t total = 0;
  TRY(play(reader));
  for (Nanoseconds now = monotonic_now(); now < end; now = monotonic_now()) {
    pollfd readable{reader.client.fd(), POLLIN, 0};
    poll(&readable, 1, static_cast<int>((end - now) / kMillisecond + 1));
    ssize_t got = recv(reader.client.fd(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return Error{"the server closed the recording reader"};
    Nanoseconds arrival = monotonic_now() - start;
    bool intact = parser.feed(Bytes(chunk).first(static_cast<size_t>(got)), [&](uint8_t channel, Bytes packet) {
      if (arrival < 0 || packet.size() < kRtpHeaderSize) return;
      recording.packets.push_back({arrival, channel, ByteVector(packet.begin(), packet.end())});
      total += packet.size();
    });
    if (!intact) return Error{"broken interleaved framing"};
    if (total > kMaxRecording) return Error{"the stream is too big to be recorded"};
  }
  return recording;
}

Result<Replay> tcp_replay(const Recording &recording) {
  Replay replay;
  replay.sockets = 1;
  Round round;
  size_t begin = 0;
  for (const RecordedPacket &packet : recording.packets) {
    uint8_t header[4] = {'$', packet.channel, 0, 0};
    store_be16(header + 2, static_cast<uint16_t>(packet.bytes.size()));
    append(replay.buffer, header);
    if (!is_rtcp(packet)) round.sequences.push_back({replay.buffer.size() + 2, packet.channel / size_t{2}});
    append(replay.buffer, packet.bytes);
    if (!is_video(recording, packet) || !rtp_marker(packet.bytes)) continue;
    round.due = packet.arrival;
    round.spans.push_back({begin, replay.buffer.size() - begin, 0, 0});
    replay.rounds.push_back(std::exchange(round, {}));
    begin = replay.buffer.size();
  }
  return finish(std::move(replay), recording);
}

Result<Replay> udp_replay(const Recording &recording) {
  Replay replay;
  replay.sockets = recording.tracks.size();
  std::vector<const RecordedPacket *> access_unit;
  for (const RecordedPacket &packet : recording.packets) {
    if (is_rtcp(packet) || packet.channel / size_t{2} >= replay.sockets) continue;
    if (is_video(recording, packet)) {
      access_unit.push_back(&packet);
      if (!rtp_marker(packet.bytes)) continue;
    }
    Round round;
    round.due = packet.arrival;
    if (!is_video(recording, packet))
      append_datagram(round, replay.buffer, packet);
    else
      for (const RecordedPacket *part : std::exchange(access_unit, {})) append_datagram(round, replay.buffer, *part);
    replay.rounds.push_back(std::move(round));
  }
  return finish(std::move(replay), recording);
}

} // namespace sluice::fanout
