// Makes MPEG transport streams for tests.
#pragma once

#include "demux_record.h"
#include "workers/hls/demux/ts_packet.h"

#include <map>
#include <optional>

namespace sluice::hls {

struct TestStream {
  uint8_t type = 0;
  uint16_t pid = 0;
  ByteVector descriptors = {};
};

inline ByteVector be16(size_t value) {
  return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}

inline ByteVector section(uint8_t table, ByteVector body, uint8_t version = 0, bool in_force = true) {
  ByteVector out = {table};
  out = out + be16(0xb000 | (5 + body.size() + 4)) + be16(1);
  out.push_back(static_cast<uint8_t>(0xc0 | version << 1 | (in_force ? 1 : 0)));
  out = out + ByteVector{0, 0} + body;
  uint32_t crc = ts_crc(out);
  return out + be16(crc >> 16) + be16(crc & 0xffff);
}

constexpr uint16_t kTestPmtPid = 0x1000;

inline ByteVector pat_section(uint16_t pmt_pid = kTestPmtPid) {
  return section(0, be16(0) + be16(0xe000 | 16) + be16(1) + be16(0xe000U | pmt_pid)); // with one of the network
}

inline ByteVector pmt_section(const std::vector<TestStream> &streams, uint8_t version = 0, bool in_force = true) {
  ByteVector body = be16(0xe100) + be16(0xf000);
  for (const TestStream &stream : streams) {
    body.push_back(stream.type);
    body = body + be16(0xe000U | stream.pid) + be16(0xf000 | stream.descriptors.size()) + stream.descriptors;
  }
  return section(2, body, version, in_force);
}

inline ByteVector pes(std::optional<uint64_t> pts, std::optional<uint64_t> dts, const ByteVector &payload,
                      bool bounded = false) {
  auto timestamp = [](unsigned prefix, uint64_t value) {
    return ByteVector{static_cast<uint8_t>(prefix << 4 | (value >> 30 & 7) << 1 | 1), static_cast<uint8_t>(value >> 22),
                      static_cast<uint8_t>((value >> 15 & 0x7f) << 1 | 1), static_cast<uint8_t>(value >> 7),
                      static_cast<uint8_t>((value & 0x7f) << 1 | 1)};
  };
  ByteVector times;
  if (pts) times = timestamp(dts ? 3 : 2, *pts);
  if (dts) times = times + timestamp(1, *dts);
  ByteVector out = {0, 0, 1, 0xe0};
  out = out + be16(bounded ? 3 + times.size() + payload.size() : 0);
  out = out + ByteVector{0x80, static_cast<uint8_t>(pts ? (dts ? 0xc0 : 0x80) : 0), static_cast<uint8_t>(times.size())};
  return out + times + payload;
}

// Cuts what it is given into packets and counts them.
class TsBuilder {
public:
  std::vector<ByteVector> packets;

  TsBuilder &tables(const std::vector<TestStream> &streams, uint8_t version = 0) {
    add(kPatPid, ByteVector{0} + pat_section());
    return add(kTestPmtPid, ByteVector{0} + pmt_section(streams, version));
  }

  TsBuilder &add(uint16_t pid, const ByteVector &bytes, bool random_access = false, bool discontinuity = false) {
    Bytes rest(bytes);
    for (bool first = true; !rest.empty(); first = false) {
      bool flags = first && (random_access || discontinuity);
      size_t room = flags ? 182 : 184;
      size_t taken = std::min(rest.size(), room);
      ByteVector packet = {kTsSync};
      packet = packet + be16((first ? 0x4000U : 0U) | pid);
      size_t adaptation = 184 - taken; // bytes
      uint8_t &counter = counters_[pid];
      packet.push_back(static_cast<uint8_t>((adaptation > 0 ? 0x30 : 0x10) | counter));
      counter = (counter + 1) & 15;
      if (adaptation > 0) packet.push_back(static_cast<uint8_t>(adaptation - 1));
      if (adaptation > 1) {
        packet.push_back(
            static_cast<uint8_t>((flags && discontinuity ? 0x80 : 0) | (flags && random_access ? 0x40 : 0)));
        packet.resize(4 + adaptation, 0xff);
      }
      packet.insert(packet.end(), rest.begin(), rest.begin() + static_cast<ptrdiff_t>(taken));
      rest = rest.subspan(taken);
      packets.push_back(packet);
    }
    return *this;
  }

  void skip_counter(uint16_t pid) { counters_[pid] = (counters_[pid] + 1) & 15; }

  ByteVector bytes() const {
    ByteVector all;
    for (const ByteVector &packet : packets) all.insert(all.end(), packet.begin(), packet.end());
    return all;
  }

private:
  std::map<uint16_t, uint8_t> counters_;
};

// An IDR picture with its parameter sets and a delimiter, or another picture; `size`: of the slice.
inline ByteVector h264_picture(bool idr, size_t size, uint8_t content) {
  ByteVector out = {0, 0, 0, 1, 9, 0xf0};
  if (idr) {
    media::ParameterSets sets = h264_sets();
    out = out + ByteVector{0, 0, 0, 1} + sets.sps + ByteVector{0, 0, 1} + sets.pps;
  }
  out = out + ByteVector{0, 0, 1, static_cast<uint8_t>(idr ? 0x65 : 0x41)};
  out.resize(out.size() + size - 1, content);
  return out;
}

// LC, 48 kHz, stereo.
inline ByteVector adts_frame(size_t payload, uint8_t content) {
  size_t size = 7 + payload;
  ByteVector out = {0xff,
                    0xf1,
                    0x4c,
                    static_cast<uint8_t>(0x80 | size >> 11),
                    static_cast<uint8_t>(size >> 3),
                    static_cast<uint8_t>((size & 7) << 5 | 0x1f),
                    0xfc};
  out.resize(size, content);
  return out;
}

} // namespace sluice::hls
