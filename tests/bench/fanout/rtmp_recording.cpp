#include "tests/bench/fanout/rtmp_recording.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

namespace sluice::fanout {
namespace {

constexpr size_t kMaxReplay = 256 << 20;

} // namespace

Result<Replay> record_rtmp(RtmpClient &client, const std::string &path, Nanoseconds start, Nanoseconds end) {
  Replay replay;
  replay.sockets = 1;
  size_t begin = 0;     // of the round
  bool seamless = true; // headers are of format 1: what they say is relative
  ByteVector piece(256 << 10);
  TRY(client.play(path));
  for (Nanoseconds now = monotonic_now(); now < end; now = monotonic_now()) {
    pollfd readable{client.fd(), POLLIN, 0};
    poll(&readable, 1, static_cast<int>((end - now) / kMillisecond + 1));
    ssize_t got = recv(client.fd(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return Error{"the server closed the recording reader"};
    Nanoseconds arrival = monotonic_now() - start;
    bool intact = client.parser().feed(Bytes(piece).first(static_cast<size_t>(got)),
                                       [&](const rtmp::Message &message, Bytes wire) {
                                         bool video = message.type == rtmp::MessageType::Video;
                                         if (arrival < 0 || (!video && message.type != rtmp::MessageType::Audio))
                                           return;
                                         seamless = seamless && wire[0] >> 6 == 1;
                                         replay.buffer.insert(replay.buffer.end(), wire.begin(), wire.end());
                                         if (!video) return;
                                         Round round;
                                         round.due = arrival;
                                         round.spans.push_back({begin, replay.buffer.size() - begin, 0, 0});
                                         replay.bytes += replay.buffer.size() - begin;
                                         replay.rounds.push_back(std::move(round));
                                         begin = replay.buffer.size();
                                       });
    if (!intact) return Error{"broken chunk stream"};
    if (!seamless) return Error{"the recorded stream can't be repeated: it has an absolute timestamp"};
    if (replay.buffer.size() > kMaxReplay) return Error{"the stream is too big to be recorded"};
  }
  if (replay.rounds.empty()) return Error{"the recording has no video"};
  replay.length = end - start;
  return replay;
}

// Headers of format 1, as all in a replay are, refer to a message before them on their chunk stream.
RtmpParser parser_of_replay() {
  ByteVector before;
  rtmp::put_control_number(before, rtmp::MessageType::SetChunkSize, rtmp::kSentChunkBytes);
  for (uint32_t chunk_stream : {rtmp::kAudioChunkStream, rtmp::kVideoChunkStream})
    rtmp::append_message(before, chunk_stream, {.type = rtmp::MessageType::DataAmf0, .stream = 1});
  RtmpParser parser;
  parser.feed(before, [](const rtmp::Message &, Bytes) {});
  return parser;
}

} // namespace sluice::fanout
