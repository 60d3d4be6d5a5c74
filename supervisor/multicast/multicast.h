// Which groups a stream is sent to by multicast, and which slot sends it: exactly one, as long as any of its multicast
// readers plays, on the interfaces of those who do. Groups are a stream's from its first multicast reader to its last.
// Pure: what happened in, effects out.
#pragma once

#include "ipc/control/messages.h"
#include "supervisor/multicast/group_pool.h"

#include <map>
#include <optional>
#include <set>
#include <variant>

namespace sluice::multicast {

using Slot = uint16_t;

constexpr uint8_t kTtl = 16;
constexpr size_t kMaxInterfaces = 32; // that one stream is sent on; more are refused

// What streams get that nobody reads by multicast yet.
struct Settings {
  bool enabled = false;
  Range range;
  uint16_t rtp_port = 0, rtcp_port = 0;
};

// --- effects, to be carried out in order ---

struct Send {
  Slot slot = 0;
  control::Message message;
};
// Send it with the stream's ring. The slot is woken when the ring is written, until Unsubscribe.
struct StartSending {
  Slot slot = 0;
  control::SendMulticast message;
};
struct Subscribe {
  control::StreamId stream = 0;
  Slot slot = 0;
};
struct Unsubscribe {
  control::StreamId stream = 0;
  Slot slot = 0;
};
using Effect = std::variant<Send, StartSending, Subscribe, Unsubscribe>;
using Effects = std::vector<Effect>;

class Multicast {
public:
  void configure(const Settings &settings) { settings_ = settings; }

  // Those that may send. The others send nothing any more.
  Effects set_slots(control::SlotSet slots);
  Effects on_worker_ready(Slot slot);
  Effects on_worker_gone(Slot slot); // with its sessions

  // The session reads a stream of so many tracks.
  Effects on_join(Slot slot, const control::JoinMulticast &join, control::StreamId stream, size_t tracks);
  // Sessions that are unknown, or another slot's, are ignored, here and below.
  Effects on_playing(Slot slot, control::SessionId session, bool playing);
  Effects on_release(Slot slot, control::SessionId session);
  // The stream is over. Its sessions are forgotten.
  Effects on_stream_closed(control::StreamId stream);

  size_t groups_in_use() const { return pool_.in_use(); }
  bool idle() const { return sessions_.empty() && streams_.empty(); }

private:
  struct Session {
    control::StreamId stream = 0;
    Slot slot = 0;
    uint32_t interface = 0;
    bool playing = false;
  };
  struct Interface {
    size_t sessions = 0, playing = 0;
  };
  struct Stream {
    std::vector<uint32_t> groups;
    uint16_t rtp_port = 0, rtcp_port = 0;
    std::set<control::SessionId> sessions;
    std::map<uint32_t, Interface> interfaces;
    std::optional<Slot> sender;
    std::vector<uint32_t> sent_on; // what the sender was told
  };

  Result<Stream *> stream_for(control::StreamId id, size_t tracks);
  std::vector<std::string> group_texts(const Stream &stream) const;
  Session *session_of(Slot slot, control::SessionId id);
  void set_playing(Session &session, bool playing);
  void forget(control::SessionId id);
  // Brings the sender in line with who plays; `again`: tell it also if nothing is different.
  void update(control::StreamId id, std::optional<Slot> preferred, bool again);
  std::optional<Slot> choose_sender(std::optional<Slot> preferred) const;
  void start(control::StreamId id, const Stream &stream);
  void stop(control::StreamId id, Stream &stream);
  Effects take() { return std::exchange(effects_, {}); }

  Settings settings_;
  GroupPool pool_;
  control::SlotSet slots_;
  std::set<Slot> ready_; // slots whose worker is there
  std::map<control::SessionId, Session> sessions_;
  std::map<control::StreamId, Stream> streams_;
  Effects effects_;
};

} // namespace sluice::multicast
