#include "common/rtp/rtcp.h"

#include <algorithm>
#include <cstring>

namespace sluice::rtp {

namespace {

constexpr uint8_t kSenderReport = 200;
constexpr uint8_t kReceiverReport = 201;
constexpr uint8_t kSourceDescription = 202;
constexpr uint8_t kBye = 203;
constexpr uint8_t kCname = 1;
constexpr size_t kHeader = 4;
constexpr size_t kSenderInformation = 20;
constexpr size_t kBlock = 24;
constexpr uint64_t kSecondsFrom1900To1970 = 2208988800;

ReportBlock parse_block(const uint8_t *p) {
  ReportBlock block;
  block.ssrc = load_be32(p);
  block.fraction_lost = p[4];
  uint32_t lost = load_be32(p + 4) & 0xffffff;
  block.cumulative_lost = static_cast<int32_t>(lost << 8) >> 8;
  block.highest_sequence = load_be32(p + 8);
  block.jitter = load_be32(p + 12);
  block.last_sr = load_be32(p + 16);
  block.delay_since_last_sr = load_be32(p + 20);
  return block;
}

// `body` begins with the reporter's SSRC; `skip` is the sender information of an SR.
Result<void> parse_blocks(Bytes body, size_t skip, unsigned count, RtcpListener &listener) {
  if (body.size() < 4 + skip + count * kBlock) return Error{"invalid RTCP packet: report blocks do not fit"};
  uint32_t reporter = load_be32(body.data());
  for (unsigned i = 0; i < count; i++) {
    listener.on_report_block(reporter, parse_block(body.data() + 4 + skip + i * kBlock));
  }
  return {};
}

Result<void> parse_sender_report(Bytes body, unsigned count, RtcpListener &listener) {
  if (body.size() < 4 + kSenderInformation) return Error{"invalid RTCP packet: a sender report is too short"};
  SenderReport report;
  report.ssrc = load_be32(body.data());
  report.ntp = load_be64(body.data() + 4);
  report.rtp_time = load_be32(body.data() + 12);
  report.packet_count = load_be32(body.data() + 16);
  report.octet_count = load_be32(body.data() + 20);
  listener.on_sender_report(report);
  return parse_blocks(body, kSenderInformation, count, listener);
}

// Chunks of an SSRC and items, ended by 0 and filled up to 32 bits.
Result<void> parse_source_description(Bytes body, unsigned count, RtcpListener &listener) {
  size_t position = 0;
  for (unsigned chunk = 0; chunk < count; chunk++) {
    if (position > body.size() || body.size() - position < 4)
      return Error{"invalid RTCP packet: a source description is too short"};
    uint32_t ssrc = load_be32(body.data() + position);
    position += 4;
    while (position < body.size() && body[position] != 0) {
      if (body.size() - position < 2 || body.size() - position - 2 < body[position + 1])
        return Error{"invalid RTCP packet: a source description item does not fit"};
      uint8_t size = body[position + 1];
      if (body[position] == kCname) listener.on_source_name(ssrc, as_text(body.subspan(position + 2, size)));
      position += 2 + size;
    }
    if (position == body.size()) return Error{"invalid RTCP packet: a source description does not end"};
    position = (position / 4 + 1) * 4;
  }
  return {};
}

Result<void> parse_bye(Bytes body, unsigned count, RtcpListener &listener) {
  if (body.size() < 4 * size_t{count}) return Error{"invalid RTCP packet: a BYE is too short"};
  for (unsigned i = 0; i < count; i++) listener.on_bye(load_be32(body.data() + 4 * size_t{i}));
  return {};
}

Result<void> parse_one(uint8_t type, unsigned count, Bytes body, RtcpListener &listener) {
  switch (type) {
  case kSenderReport:
    return parse_sender_report(body, count, listener);
  case kReceiverReport:
    return parse_blocks(body, 0, count, listener);
  case kSourceDescription:
    return parse_source_description(body, count, listener);
  case kBye:
    return parse_bye(body, count, listener);
  default:
    return {};
  }
}

class Writer {
public:
  void header(uint8_t type, unsigned count, size_t body_size) {
    u8(static_cast<uint8_t>(2 << 6 | count));
    u8(type);
    u16(static_cast<uint16_t>(body_size / 4));
  }
  void u8(uint8_t value) { packet_.buffer[packet_.size++] = value; }
  void u16(uint16_t value) {
    store_be16(packet_.buffer.data() + packet_.size, value);
    packet_.size += 2;
  }
  void u32(uint32_t value) {
    store_be32(packet_.buffer.data() + packet_.size, value);
    packet_.size += 4;
  }
  void text(std::string_view text) {
    std::memcpy(packet_.buffer.data() + packet_.size, text.data(), text.size());
    packet_.size += text.size();
  }
  RtcpPacket take() { return packet_; }

private:
  RtcpPacket packet_{};
};

} // namespace

Result<void> parse_rtcp(Bytes compound, RtcpListener &listener) {
  if (compound.empty()) return Error{"invalid RTCP packet: empty"};
  while (!compound.empty()) {
    if (compound.size() < kHeader) return Error{"invalid RTCP packet: too short"};
    if (compound[0] >> 6 != 2) return Error{"invalid RTCP packet: the version is not 2"};
    size_t size = kHeader + 4 * size_t{load_be16(compound.data() + 2)};
    if (size > compound.size()) return Error{"invalid RTCP packet: the length does not fit"};
    Bytes body = compound.subspan(kHeader, size - kHeader);
    if ((compound[0] & 0x20) != 0) {
      if (body.empty() || body.back() == 0 || body.back() > body.size())
        return Error{"invalid RTCP packet: the padding does not fit"};
      body = body.first(body.size() - body.back());
    }
    TRY(parse_one(compound[1], compound[0] & 0x1f, body, listener));
    compound = compound.subspan(size);
  }
  return {};
}

uint64_t ntp_from_wall(Nanoseconds since_1970) {
  // Floor division, so that instants before 1970 come out right too.
  Nanoseconds seconds = since_1970 / kSecond;
  Nanoseconds rest = since_1970 % kSecond;
  if (rest < 0) {
    seconds--;
    rest += kSecond;
  }
  uint64_t fraction = (static_cast<uint64_t>(rest) << 32) / static_cast<uint64_t>(kSecond);
  return (static_cast<uint64_t>(seconds) + kSecondsFrom1900To1970) << 32 | fraction;
}

RtcpPacket make_sender_report(const SenderReport &report, std::string_view cname) {
  Writer writer;
  writer.header(kSenderReport, 0, 4 + kSenderInformation);
  writer.u32(report.ssrc);
  writer.u32(static_cast<uint32_t>(report.ntp >> 32));
  writer.u32(static_cast<uint32_t>(report.ntp));
  writer.u32(report.rtp_time);
  writer.u32(report.packet_count);
  writer.u32(report.octet_count);

  cname = cname.substr(0, kMaxCname);
  size_t items = 2 + cname.size();
  size_t filling = 4 - items % 4; // at least the one 0 that ends the items
  writer.header(kSourceDescription, 1, 4 + items + filling);
  writer.u32(report.ssrc);
  writer.u8(kCname);
  writer.u8(static_cast<uint8_t>(cname.size()));
  writer.text(cname);
  for (size_t i = 0; i < filling; i++) writer.u8(0);
  return writer.take();
}

RtcpPacket make_receiver_report(uint32_t own_ssrc, const ReportBlock &block) {
  Writer writer;
  writer.header(kReceiverReport, 1, 4 + kBlock);
  writer.u32(own_ssrc);
  writer.u32(block.ssrc);
  int32_t lost = std::clamp(block.cumulative_lost, -0x800000, 0x7fffff);
  writer.u32(uint32_t{block.fraction_lost} << 24 | (static_cast<uint32_t>(lost) & 0xffffff));
  writer.u32(block.highest_sequence);
  writer.u32(block.jitter);
  writer.u32(block.last_sr);
  writer.u32(block.delay_since_last_sr);
  return writer.take();
}

RtcpPacket make_empty_receiver_report(uint32_t own_ssrc) {
  Writer writer;
  writer.header(kReceiverReport, 0, 4);
  writer.u32(own_ssrc);
  return writer.take();
}

} // namespace sluice::rtp
