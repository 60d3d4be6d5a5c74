// Demuxes the MPEG transport streams of a source's segments (ISO/IEC 13818-1): the first program of the PAT, its H.264,
// H.265, AAC (ADTS), MPEG audio, AC-3 and Opus; other streams are left alone. Bytes come in any pieces; what is damaged
// or missing costs the unit that it belongs to. Pure; memory is bounded: at most kMaxAccessUnit for each track.
#pragma once

#include "workers/hls/demux/elementary_stream.h"
#include "workers/hls/demux/timeline.h"
#include "workers/hls/demux/ts_packet.h"

#include <optional>
#include <vector>

namespace sluice::hls {

class MpegTsReader {
public:
  void push(Bytes bytes, DemuxSink &sink);
  // A segment ends here, and with it what has no other end: pictures. Frames of audio may go on in the next one.
  void end_segment(DemuxSink &sink);
  // What follows does not join what was pushed: its times begin anew, tracks that are the same stay.
  void begin_discontinuity(DemuxSink &sink);

  uint64_t dropped_units() const;
  uint64_t lost_packets() const {
    return lost_packets_;
  } // continuity errors, and what was skipped to find packets again

private:
  struct Stream {
    PmtStream source;
    ElementaryStream units;
    std::optional<uint8_t> counter;
    ByteVector pes = {}; // of the packet that is put together
    std::optional<PesHeader> header = {};
    bool open = false;          // a packet has begun and is not damaged
    bool random_access = false; // the container says so
  };

  size_t take_packets(Bytes bytes, DemuxSink &sink);
  void on_packet(const TsPacket &packet, DemuxSink &sink);
  void on_tables(const TsPacket &packet, DemuxSink &sink);
  void on_pmt(const Pmt &pmt, DemuxSink &sink);
  void on_media(Stream &stream, const TsPacket &packet, DemuxSink &sink);
  void begin_pes(Stream &stream, const TsPacket &packet, DemuxSink &sink);
  void append(Stream &stream, Bytes payload, DemuxSink &sink);
  void finish_pes(Stream &stream, DemuxSink &sink);
  void drop(Stream &stream);
  bool follows(std::optional<uint8_t> &counter, const TsPacket &packet, bool &repeated);

  ByteVector pending_; // less than two packets
  bool in_sync_ = true;
  SectionAssembler pat_sections_, pmt_sections_;
  std::optional<uint8_t> pat_counter_, pmt_counter_;
  std::optional<uint16_t> pmt_pid_;
  std::vector<Stream> streams_;
  Timeline timeline_;
  uint64_t lost_packets_ = 0;
  uint64_t earlier_dropped_units_ = 0; // of streams that are no more
};

} // namespace sluice::hls
