// The packets of a stream as one reader got them, and the same bytes arranged for the plain loops.
#pragma once

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "tests/bench/fanout/rtsp_client.h"

namespace sluice::fanout {

struct RecordedPacket {
  Nanoseconds arrival; // since the recording's start
  uint8_t channel;
  ByteVector bytes; // without the frame header
};

struct Recording {
  std::vector<RecordedPacket> packets; // at most 256 MB
  std::vector<MediaTrack> tracks;
  Nanoseconds length = 0;
};

// Plays an RTSP/TCP reader; what arrives before `start` is left out.
Result<Recording> record(Reader &reader, Nanoseconds start, Nanoseconds end);

// One system call per reader: bytes [offset, offset + size) of the buffer.
struct Span {
  size_t offset = 0;
  size_t size = 0;
  size_t segment = 0; // bytes per datagram if this is a run of several, else 0
  size_t track = 0;   // which of a reader's sockets
};

struct SequenceField {
  size_t offset; // of the RTP sequence number, in the buffer
  size_t track;
};

// What all readers get at one instant.
struct Round {
  Nanoseconds due = 0; // since the replay's start
  std::vector<Span> spans;
  std::vector<SequenceField> sequences; // renumbered each time, so that a replay has no gap where it begins anew
};

struct Replay {
  ByteVector buffer;
  std::vector<Round> rounds;
  Nanoseconds length = 0;
  size_t sockets = 0; // per reader
  size_t bytes = 0;   // of all rounds
};

// One span per video access unit, with what arrived since the one before folded in.
Result<Replay> tcp_replay(const Recording &recording);
// Per video access unit, the runs of equally long packets; other packets each by itself. Without RTCP.
Result<Replay> udp_replay(const Recording &recording);

} // namespace sluice::fanout
