// A transport stream (ISO/IEC 13818-1) with one program: H264 on PID 256, audio (AAC with ADTS headers, MP3, AC-3) on
// 257 and up, PAT and PMT before each random access unit, PCR on the first track's PID. Bytes are appended to a buffer
// that its owner takes part for part. Several audio frames share a PES packet. Sans-I/O; what a successor has to know
// at the end of a part is one plain struct.
//
// Times are in ticks of 90 kHz, not wrapped, and never negative. The PCR runs kPcrLead behind DTS, so that a decoder
// has that long to buffer, and audio may lag that much behind video.
#pragma once

#include "workers/hls/mux/sample.h"
#include "workers/hls/mux/track_format.h"

#include <array>
#include <optional>
#include <span>

namespace sluice::hls {

class MpegTsWriter {
public:
  static constexpr size_t kPacketSize = 188;
  static constexpr int64_t kPcrLead = 45000;
  static constexpr int64_t kMaxPcrInterval = 8100; // 90 ms; 100 ms are allowed (section 2.7.2)
  static constexpr int64_t kMaxAudioPacket = 7200; // 80 ms of audio frames in a PES packet
  static constexpr size_t kMaxAudioBytes = 32 * 1024;

  struct State {
    uint8_t pat_counter = 0, pmt_counter = 0;
    std::array<uint8_t, media::kMaxTracks> counters{}; // of each track's next packet with payload
    std::array<media::Codec, media::kMaxTracks> codecs{};
    std::array<uint32_t, media::kMaxTracks> sample_rates{};
    uint8_t tracks = 0;
    bool has_video = false;
    uint8_t version = 0;       // of the PMT
    bool discontinuity = true; // the next PCR does not continue the last one
    int64_t pcr = 0;           // the last one

    bool operator==(const State &) const = default;
    bool is_valid() const;
  };

  MpegTsWriter() = default;
  explicit MpegTsWriter(const State &state) : state_(state) {}

  // From the next packet on; the first track has the PCR. A video track can only be the first.
  void set_tracks(std::span<const TrackFormat *const> formats);
  // What follows is of another time.
  void break_time() { state_.discontinuity = true; }

  void write_tables();
  void write_video(const Sample &sample, Bytes data);
  // One or more frames.
  void write_audio(size_t track, int64_t pts, Bytes data);

  Bytes bytes() const { return out_; }
  void clear() {
    out_.clear();
    tables_end_ = 0;
  }
  const State &state() const { return state_; }

private:
  static constexpr size_t kPayloadSize = kPacketSize - 4;

  struct Marks { // of the adaptation field
    bool random_access = false;
    bool discontinuity = false;
    std::optional<int64_t> pcr;
  };

  uint16_t pid(size_t track) const;
  void write_section(uint16_t pid, uint8_t &counter, Bytes section);
  Marks advance_pcr(int64_t dts);
  void write_pcr_alone(const Marks &marks);
  void write_pes(size_t track, Bytes head, Bytes data, const Marks &marks);

  State state_;
  ByteVector section_; // scratch
  ByteVector out_;
  size_t tables_end_ = 0; // in out_; 0: none
};

} // namespace sluice::hls
