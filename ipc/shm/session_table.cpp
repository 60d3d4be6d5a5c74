#include "ipc/shm/session_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

namespace sluice::shm {
namespace {

constexpr size_t kPage = 4096;

size_t page_up(size_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}
uint32_t large_buffers_for(uint32_t sessions) {
  return std::min(sessions, kMaxLargeBuffers);
}

size_t small_offset(uint32_t sessions) {
  return page_up(sizeof(SlotHeader) + sessions * (sizeof(ConnectionRecord) + sizeof(SessionRecord)));
}
size_t large_offset(uint32_t sessions) {
  return small_offset(sessions) + 2 * sessions * kSmallBufferBytes;
}

} // namespace

Traffic traffic_of(const SessionRecord &record) {
  auto count = [](const std::atomic<uint64_t> &counter) { return counter.load(std::memory_order_relaxed); };
  return {.bytes_in = count(record.bytes_in),
          .bytes_out = count(record.bytes_out),
          .packets_in = count(record.packets_in),
          .packets_out = count(record.packets_out),
          .lost = count(record.lost),
          .dropped = count(record.dropped),
          .laps = count(record.skips),
          .jitter_us = record.jitter_us.load(std::memory_order_relaxed)};
}

size_t SessionTable::bytes_for(uint32_t sessions) {
  return large_offset(sessions) + large_buffers_for(sessions) * kLargeBufferBytes;
}

Result<Fd> SessionTable::make(uint32_t sessions) {
  if (sessions == 0 || sessions > kMaxTableSessions) return Error{"session table: size out of range"};
  Fd fd(::memfd_create("sluice-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return os_error("memfd_create");
  if (::fchmod(fd.get(), 0600) != 0) return os_error("session table");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes_for(sessions))) != 0) return os_error("session table");
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return os_error("session table");
  SlotHeader header{};
  header.magic = kTableMagic;
  header.version = kTableVersion;
  header.sessions = sessions;
  header.large_buffers = large_buffers_for(sessions);
  if (::pwrite(fd.get(), &header, sizeof header, 0) != sizeof header) return os_error("session table");
  return fd;
}

Result<SessionTable> SessionTable::map(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return os_error("session table");
  if (static_cast<size_t>(status.st_size) < sizeof(SlotHeader)) return Error{"session table: too small"};
  SlotHeader header{};
  if (::pread(fd, &header, sizeof header, 0) != sizeof header) return os_error("session table");
  if (header.magic != kTableMagic || header.version != kTableVersion) return Error{"session table: another layout"};
  if (header.sessions == 0 || header.sessions > kMaxTableSessions ||
      static_cast<size_t>(status.st_size) != bytes_for(header.sessions))
    return Error{"session table: size does not match"};
  void *base = ::mmap(nullptr, bytes_for(header.sessions), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return os_error("session table");
  return SessionTable(static_cast<uint8_t *>(base), header.sessions);
}

SessionTable::SessionTable(uint8_t *base, uint32_t sessions)
    : base_(base), bytes_(bytes_for(sessions)), sessions_(sessions), large_(large_buffers_for(sessions)),
      connections_(reinterpret_cast<ConnectionRecord *>(base + sizeof(SlotHeader))),
      session_records_(reinterpret_cast<SessionRecord *>(connections_ + sessions)),
      small_(base + small_offset(sessions)), large_base_(base + large_offset(sessions)) {}

SessionTable::SessionTable(SessionTable &&other) noexcept
    : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_), sessions_(other.sessions_),
      large_(other.large_), connections_(other.connections_), session_records_(other.session_records_),
      small_(other.small_), large_base_(other.large_base_) {}

SessionTable::~SessionTable() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

uint32_t SessionTable::touched() const {
  return std::min(header().touched.load(std::memory_order_acquire), sessions_);
}

void SessionTable::touch(uint32_t index) const {
  if (index >= touched()) header().touched.store(index + 1, std::memory_order_release);
}

MutableBytes SessionTable::buffer(BufferId id) const {
  if (id == 0) return {};
  uint32_t index = id - 1;
  if (index < small_buffers()) return {small_ + index * kSmallBufferBytes, kSmallBufferBytes};
  index -= small_buffers();
  if (index < large_) return {large_base_ + index * kLargeBufferBytes, kLargeBufferBytes};
  return {};
}

} // namespace sluice::shm
