#include "workers/rtsp/stray_datagrams.h"

#include "workers/rtsp/server.h"

#include <cerrno>

namespace sluice::rtsp {
namespace {

constexpr int kDatagramsPerTurn = 256;
constexpr size_t kRtpHeaderBytes = 12;
constexpr size_t kRtcpStartBytes = 8; // up to the SSRC

uint64_t hash_of(const loop::SocketAddress &address) {
  uint64_t hash = 0xcbf29ce484222325; // FNV-1a
  const auto *bytes = reinterpret_cast<const uint8_t *>(address.raw());
  for (socklen_t i = 0; i < address.length(); i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

} // namespace

std::optional<control::StrayDatagram> StrayDatagrams::parse(Bytes start, bool rtcp) {
  if (start.size() < (rtcp ? kRtcpStartBytes : kRtpHeaderBytes) || start[0] >> 6 != 2) return std::nullopt;
  control::StrayDatagram stray;
  stray.rtcp = rtcp;
  if (!rtcp) stray.payload_type = start[1] & 0x7f;
  if (rtcp && (start[1] < 200 || start[1] > 204)) return std::nullopt;
  stray.ssrc = load_be32(start.data() + (rtcp ? 4 : 8));
  return stray;
}

bool StrayDatagrams::is_due(const loop::SocketAddress &sender, Nanoseconds now) {
  uint64_t hash = hash_of(sender);
  Told &told = told_[hash % told_.size()];
  if (told.address == hash && now < told.again_ns) return false;
  if (now - second_ns_ >= kSecond) {
    second_ns_ = now;
    reports_ = 0;
  }
  if (reports_ == kReportsPerSecond) return false;
  reports_++;
  told = {hash, now + kInterval};
  return true;
}

void StrayDatagrams::drain(int fd, bool rtcp, Nanoseconds now) {
  for (int i = 0; i < kDatagramsPerTurn; i++) {
    uint8_t start[kRtpHeaderBytes];
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    ssize_t count = ::recvfrom(fd, start, sizeof start, MSG_DONTWAIT, reinterpret_cast<sockaddr *>(&storage), &length);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) continue; // what a former answer met with
    auto stray = parse(Bytes(start, static_cast<size_t>(count)), rtcp);
    loop::SocketAddress sender(storage);
    if (!stray || supervisor_.congested() || !is_due(sender, now)) continue;
    stray->address = sender.text();
    supervisor_.send(*stray);
  }
}

} // namespace sluice::rtsp
