#include "supervisor/config/changes.h"

namespace sluice::config {

std::string_view description_of(Change change) {
  switch (change) {
  case Change::NextUse:
    return "from the next use on";
  case Change::Log:
    return "log set up again";
  case Change::WorkerSetting:
    return "workers are told";
  case Change::MemoryLimits:
    return "for buffers made or grown from then on";
  case Change::PathsThatInherit:
    return "as in the paths that have none of their own";
  case Change::ConnectHook:
    return "for clients that connect from then on; commands that run are replaced";
  case Change::RtspSlots:
    return "RTSP workers added or drained";
  case Change::RtmpSlots:
    return "RTMP workers added or drained";
  case Change::HlsSlots:
    return "HLS workers added or drained";
  case Change::RtspListener:
    return "RTSP listener";
  case Change::RtspsListener:
    return "RTSPS listener";
  case Change::UdpListener:
    return "RTP and RTCP sockets";
  case Change::MulticastListener:
    return "multicast sockets";
  case Change::RtmpListener:
    return "RTMP listener";
  case Change::RtmpsListener:
    return "RTMPS listener";
  case Change::HlsListener:
    return "HLS listener";
  case Change::ApiListener:
    return "API listener";
  case Change::MetricsListener:
    return "metrics listener";
  case Change::PprofListener:
    return "pprof listener";
  case Change::RtspsCertificate:
  case Change::RtmpsCertificate:
  case Change::HlsCertificate:
  case Change::ApiCertificate:
    return "for connections from then on";
  case Change::PathHooks:
    return "commands of the path replaced";
  case Change::PathSource:
    return "source of the path started again";
  case Change::StreamSetting:
    return "workers with the stream are told";
  }
  return {};
}

} // namespace sluice::config
