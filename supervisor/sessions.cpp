#include "supervisor/sessions.h"

#include "supervisor/muxers/muxers.h"
#include "supervisor/workers.h"

#include <algorithm>
#include <unordered_map>

namespace sluice {
namespace {

template <size_t n> std::string text_of(const char (&field)[n]) {
  return std::string(field, std::find(field, field + n, '\0'));
}

template <class Record> bool is_open(const Record &record) {
  return record.state.load(std::memory_order_acquire) == shm::RecordState::Open;
}

} // namespace

template <class F> void Sessions::for_each_slot(config::Protocol protocol, F &&call) const {
  for (uint16_t slot = 0; slot < config::kMaxWorkerSlots; slot++)
    if (const processes::Slot *found = workers_.find(slot); found != nullptr && workers_.protocol_of(slot) == protocol)
      call(slot, found->table());
}

void Sessions::join_path(SessionInfo &info) const {
  auto part = paths_.part_of(info.slot, info.session);
  if (!part) return;
  info.state = part->publishes ? SessionState::Publish : SessionState::Read;
  info.path = part->path;
}

std::optional<SessionInfo> Sessions::rtsp_session(uint16_t slot, const shm::SessionRecord &record, bool tls) const {
  if (!is_open(record) || record.kind != shm::SessionKind::Client || (record.tls != 0) != tls) return std::nullopt;
  SessionInfo info;
  info.slot = slot;
  info.session = record.id;
  info.log_id = record.log_id;
  info.peer = text_of(record.peer);
  info.carrier = record.carrier.load(std::memory_order_relaxed);
  info.created = record.created_ns;
  info.traffic = shm::traffic_of(record);
  if (info.log_id == 0) return std::nullopt; // it is being made
  join_path(info);
  return info;
}

void Sessions::add_rtmp(uint16_t slot, const shm::SessionTable &table, bool tls,
                        std::vector<SessionInfo> &infos) const {
  std::unordered_map<uint64_t, const shm::SessionRecord *> sessions;
  for (const shm::SessionRecord &record : table.touched_sessions())
    if (is_open(record) && record.kind == shm::SessionKind::Client) sessions.emplace(record.id, &record);
  for (const shm::ConnectionRecord &record : table.touched_connections()) {
    if (!is_open(record) || record.is_source != 0 || (record.tls != 0) != tls || record.log_id == 0) continue;
    SessionInfo info;
    info.slot = slot;
    info.connection = record.id;
    info.session = record.session;
    info.log_id = record.log_id;
    info.peer = text_of(record.peer);
    info.carrier = shm::Carrier::Tcp;
    info.created = record.created_ns;
    if (auto found = sessions.find(info.session); found != sessions.end())
      info.traffic = shm::traffic_of(*found->second);
    if (info.session != 0) join_path(info);
    infos.push_back(std::move(info));
  }
}

std::vector<SessionInfo> Sessions::list(config::Protocol protocol, bool tls) const {
  std::vector<SessionInfo> infos;
  for_each_slot(protocol, [&](uint16_t slot, const shm::SessionTable &table) {
    if (protocol == config::Protocol::Rtmp) return add_rtmp(slot, table, tls, infos);
    for (const shm::SessionRecord &record : table.touched_sessions())
      if (auto info = rtsp_session(slot, record, tls)) infos.push_back(std::move(*info));
  });
  return infos;
}

std::optional<SessionInfo> Sessions::find(config::Protocol protocol, bool tls, uint32_t log_id) const {
  for (SessionInfo &info : list(protocol, tls))
    if (info.log_id == log_id) return std::move(info);
  return std::nullopt;
}

std::map<paths::StreamId, Traffic> Sessions::by_stream() const {
  std::map<paths::StreamId, Traffic> streams;
  for (config::Protocol protocol : config::kProtocols)
    for_each_slot(protocol, [&](uint16_t, const shm::SessionTable &table) {
      for (const shm::SessionRecord &record : table.touched_sessions())
        if (is_open(record) && record.stream != 0 && record.kind != shm::SessionKind::Viewers)
          streams[record.stream].add(shm::traffic_of(record));
    });
  return streams;
}

std::map<std::string, Traffic> Sessions::by_path(uint16_t slot, const Muxers &muxers) const {
  std::map<std::string, Traffic> paths;
  const processes::Slot *found = workers_.find(slot);
  if (found == nullptr) return paths;
  for (const shm::SessionRecord &record : found->table().touched_sessions()) {
    if (!is_open(record) || record.log_id == 0) continue;
    bool viewers = record.kind == shm::SessionKind::Viewers;
    std::string path = viewers ? muxers.path_of(record.stream) : paths_.path_of(record.stream);
    paths[path].add(shm::traffic_of(record));
  }
  return paths;
}

std::map<std::string, Traffic> Sessions::by_path(config::Protocol protocol, const Muxers &muxers) const {
  std::map<std::string, Traffic> paths;
  for_each_slot(protocol, [&](uint16_t slot, const shm::SessionTable &) {
    for (const auto &[path, traffic] : by_path(slot, muxers)) paths[path].add(traffic);
  });
  return paths;
}

std::map<paths::StreamId, uint64_t> Sessions::slowest_cursors() const {
  std::map<paths::StreamId, uint64_t> cursors;
  for_each_slot(config::Protocol::Rtsp, [&](uint16_t, const shm::SessionTable &table) {
    for (const shm::SessionRecord &record : table.touched_sessions()) {
      uint64_t cursor = record.cursor.load(std::memory_order_relaxed);
      if (!is_open(record) || record.kind != shm::SessionKind::Client || cursor == 0) continue;
      auto [place, first] = cursors.emplace(record.stream, cursor);
      if (!first) place->second = std::min(place->second, cursor);
    }
  });
  return cursors;
}

} // namespace sluice
