// The shared memory of a worker slot: its header, one record per connection and per session, and the buffers
// that unparsed input and unsent replies stand in. The supervisor makes it (make_session_table) and outlives every
// worker; one incarnation at a time writes it. Records are plain and pointer-free, so that a successor and
// the supervisor can read them.
//
// Layout: SlotHeader | ConnectionRecord[n] | SessionRecord[n] | small buffers[2n] | large buffers[m]. Only touched
// pages cost memory.
#pragma once

#include "common/base/bytes.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/traffic.h"
#include "ipc/shm/crash_record.h"

#include <array>
#include <atomic>
#include <span>
#include <type_traits>

namespace sluice::shm {

constexpr uint64_t kTableMagic = 0x534c554943455442; // "SLUICETB"
constexpr uint32_t kTableVersion = 3;
constexpr uint32_t kMaxTableSessions = 100'000;  // only touched pages cost memory, so tables are of that size
constexpr size_t kSmallBufferBytes = 4 * 1024;   // requests of readers, replies
constexpr size_t kLargeBufferBytes = 256 * 1024; // publishers' input, requests with a body, long replies
constexpr uint32_t kMaxLargeBuffers = 4096;
constexpr size_t kMaxMediaSockets = 32; // RTP and RTCP of 16 tracks

// A session's id names its slot: the low 6 bits.
constexpr uint64_t kSlotBits = 6;
inline uint16_t slot_of_session(uint64_t id) {
  return id & ((1 << kSlotBits) - 1);
}

// Answers over HTTP are counted by their status; the last stands for all others.
constexpr std::array<uint16_t, 14> kCountedStatuses{200, 206, 301, 304, 400, 401, 403, 404, 405, 416, 500, 503, 504, 0};
constexpr size_t index_of_status(uint16_t status) {
  size_t i = 0;
  while (i + 1 < kCountedStatuses.size() && kCountedStatuses[i] != status) i++;
  return i;
}

struct alignas(64) SlotHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t sessions; // records of each kind
  uint32_t large_buffers;
  std::atomic<uint32_t> touched;       // records of either kind from this index on were never taken: pages nobody needs
  std::atomic<int64_t> tick_ns;        // CLOCK_MONOTONIC, stored by the worker every turn, at least each 250 ms
  std::atomic<uint64_t> incarnation;   // epoch of the worker that writes this table
  std::atomic<uint64_t> blame_session; // what the worker is handling right now (0: nothing of a session's)
  std::atomic<uint64_t> blame_stream;
  std::atomic<uint64_t> blame_sequence;
  // Of all incarnations: connections of clients that were accepted, those that were turned away, answers over HTTP.
  std::atomic<uint64_t> accepted, refused, answers[kCountedStatuses.size()];
  CrashRecord crash; // of the incarnation
};

enum class RecordState : uint32_t { Free, Open, Closing };

enum class SessionKind : uint8_t {
  Client,  // of a client that publishes or reads, or may do so
  Source,  // of a stream that is pulled
  Muxer,   // that reads a stream for many viewers
  Viewers, // of a muxer's stream, all those of one worker
};
// What a session's media comes or goes by.
enum class Carrier : uint8_t { None, Tcp, Udp, Multicast };

// A buffer of either class. 0 = none.
using BufferId = uint32_t;

struct alignas(64) ConnectionRecord {
  std::atomic<RecordState> state;
  int32_t fd;
  uint64_t cookie;  // SO_COOKIE of fd: a number alone is no identity
  uint64_t id;      // unique within the slot, never reused
  uint64_t session; // linked session, 0 = none
  BufferId input;
  uint32_t input_length; // bytes in the input buffer, from its begin
  BufferId output;
  uint32_t output_begin, output_end; // unsent reply bytes in the output buffer
  std::atomic<uint64_t> received_bytes, sent_bytes;
  int64_t created_ns; // since 1970
  uint32_t log_id;    // 9 digits, of a protocol whose connections are what logs and the API name
  uint8_t tls;        // 1: the client speaks TLS
  uint8_t is_source;  // 1: we are the client
  char peer[64];      // "host:port"
  alignas(8) uint8_t protocol_state[128];
};

struct MediaSocket {
  int32_t fd; // -1 = none
  uint32_t reserved;
  uint64_t cookie;
};

struct alignas(64) SessionRecord {
  std::atomic<RecordState> state;
  uint32_t log_id; // 9 digits, shown in logs and the API; the id itself is a secret of the client's
  uint64_t id;
  uint64_t connection;          // of an interleaved session: ConnectionRecord::id, else 0
  uint64_t stream;              // control::StreamId, of viewers control::MuxerId; 0 = none
  std::atomic<uint64_t> cursor; // a reader's next ring sequence
  std::atomic<uint64_t> bytes_in, bytes_out, packets_in, packets_out, lost;
  // Of a reader: packets that it did not get; those of them that it was too slow for, and in how many gaps.
  std::atomic<uint64_t> dropped, left_out, skips;
  std::atomic<uint64_t> malformed;     // interleaved RTCP packets that could not be read
  std::atomic<int64_t> last_active_ns; // CLOCK_MONOTONIC
  int64_t created_ns;                  // since 1970
  std::atomic<uint32_t> jitter_us;     // of a publisher's packets: the worst track's (RFC 3550, A.8)
  SessionKind kind;
  std::atomic<Carrier> carrier;
  uint8_t tls;                           // 1: its client speaks TLS
  char peer[64];                         // "host:port"
  MediaSocket sockets[kMaxMediaSockets]; // track i: RTP at 2i, RTCP at 2i+1
  alignas(8) uint8_t protocol_state[1536];
};

static_assert(sizeof(SlotHeader) == 1280);
static_assert(sizeof(ConnectionRecord) == 320);
static_assert(sizeof(SessionRecord) == 2304);
static_assert(std::is_standard_layout_v<ConnectionRecord> && std::is_standard_layout_v<SessionRecord>);

// May be written to meanwhile.
Traffic traffic_of(const SessionRecord &record);

// A mapping of a table; whoever maps it must unmap nothing else. Not thread-safe.
class SessionTable {
public:
  // Bytes of a table for this many sessions (1..kMaxTableSessions).
  static size_t bytes_for(uint32_t sessions);

  // The supervisor's: a fresh, size-sealed memfd of mode 0600.
  static Result<Fd> make(uint32_t sessions);

  // Error: not a table, of another version, or of another size than it says.
  static Result<SessionTable> map(int fd);

  SessionTable(SessionTable &&other) noexcept;
  SessionTable &operator=(SessionTable &&) = delete;
  ~SessionTable();

  SlotHeader &header() const { return *reinterpret_cast<SlotHeader *>(base_); }
  std::span<ConnectionRecord> connections() const { return {connections_, sessions_}; }
  std::span<SessionRecord> sessions() const { return {session_records_, sessions_}; }

  // Those that were ever taken; looking at the others would only make the kernel find pages for them.
  std::span<ConnectionRecord> touched_connections() const { return connections().first(touched()); }
  std::span<SessionRecord> touched_sessions() const { return sessions().first(touched()); }
  // Before a record is taken.
  void touch(uint32_t index) const;

  uint32_t small_buffers() const { return 2 * sessions_; }
  uint32_t large_buffers() const { return large_; }
  // Ids 1..small_buffers() are small, those above large. Empty for ids out of range.
  MutableBytes buffer(BufferId id) const;

private:
  SessionTable(uint8_t *base, uint32_t sessions);
  uint32_t touched() const;

  uint8_t *base_;
  size_t bytes_;
  uint32_t sessions_, large_; // as checked when mapped, not read again
  ConnectionRecord *connections_;
  SessionRecord *session_records_;
  uint8_t *small_;
  uint8_t *large_base_;
};

} // namespace sluice::shm
