#include "workers/rtsp/multicast_reports.h"

#include "common/base/check.h"
#include "common/loop/multicast.h"
#include "common/rtp/rtcp.h"

#include <array>

namespace sluice::rtsp {
namespace {

constexpr int kMaxDatagramsPerTurn = 64;

// Sender reports are our own: groups are looped back to this machine.
struct Heard final : rtp::RtcpListener {
  void on_sender_report(const rtp::SenderReport &) override { receives = false; }
  void on_bye(uint32_t) override { receives = false; }
  bool receives = true;
};

bool is_receiver_report(Bytes datagram) {
  Heard heard;
  return rtp::parse_rtcp(datagram, heard) && heard.receives;
}

} // namespace

Result<std::unique_ptr<MulticastReports>> MulticastReports::create(loop::Loop &loop,
                                                                   const control::MulticastGranted &granted) {
  std::unique_ptr<MulticastReports> reports(new MulticastReports(loop));
  for (const std::string &text : granted.groups) {
    Group group;
    group.address = TRY(loop::SocketAddress::parse(text + ":0")).with_port(granted.rtcp_port);
    group.fd = TRY(loop::bind_multicast(group.address));
    group.poll = std::make_unique<loop::Poll>(loop, group.fd.get(), *reports);
    group.poll->watch(loop::Poll::kReadable);
    reports->groups_.push_back(std::move(group));
  }
  return reports;
}

Result<void> MulticastReports::join(uint32_t interface, const loop::SocketAddress &client) {
  if (interfaces_[interface]++ == 0) {
    for (size_t i = 0; i < groups_.size(); i++) {
      auto joined = loop::join_multicast(groups_[i].fd.get(), groups_[i].address, interface);
      if (joined) continue;
      while (i-- > 0) loop::leave_multicast(groups_[i].fd.get(), groups_[i].address, interface);
      interfaces_.erase(interface);
      return joined;
    }
  }
  clients_[client.host()].sessions++;
  return {};
}

void MulticastReports::leave(uint32_t interface, const loop::SocketAddress &client) {
  auto found = clients_.find(client.host());
  CHECK(found != clients_.end());
  if (--found->second.sessions == 0) clients_.erase(found);
  if (--interfaces_.at(interface) > 0) return;
  interfaces_.erase(interface);
  for (Group &group : groups_) loop::leave_multicast(group.fd.get(), group.address, interface);
}

Nanoseconds MulticastReports::heard(const loop::SocketAddress &client) const {
  auto found = clients_.find(client.host());
  return found == clients_.end() ? 0 : found->second.heard;
}

void MulticastReports::on_poll(int fd, int) {
  std::array<uint8_t, 2048> buffer;
  for (int i = 0; i < kMaxDatagramsPerTurn; i++) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    ssize_t count = ::recvfrom(fd, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC,
                               reinterpret_cast<sockaddr *>(&from), &length);
    if (count < 0) return; // EAGAIN; an error of the socket's is taken by this call
    if (static_cast<size_t>(count) > buffer.size()) continue;
    auto client = clients_.find(loop::SocketAddress(from).host());
    if (client == clients_.end() || !is_receiver_report(Bytes(buffer).first(static_cast<size_t>(count)))) continue;
    client->second.heard = loop_.now();
  }
}

} // namespace sluice::rtsp
