// Which streams are being made into HLS, and in which worker: makes the segment stores, has a worker mux each stream,
// shows the store to the workers whose clients want it, moves a muxer when its worker dies, and ends those that nobody
// uses. Muxers are spread evenly over the HLS workers. The listener outlives it; time comes with on_time().
//
// A muxer goes through: placed (in a slot, or none is there) → started (its worker was told) → ready (the store has
// what a playlist needs); with the death of its worker it is placed again, and stays ready.
#pragma once

#include "common/base/fd.h"
#include "common/base/time.h"
#include "ipc/control/messages.h"
#include "ipc/shm/mapping.h"

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace sluice {

class Muxers {
public:
  static constexpr Nanoseconds kUnused = 60 * kSecond; // then it ends
  static constexpr size_t kMaxWaiting = 10'000;        // requests for one muxer; more are refused
  static constexpr Nanoseconds kFirstRetry = 5 * kSecond, kLastRetry = 60 * kSecond; // of alwaysRemux, after an error
  static constexpr size_t kMaxReasonBytes = 500;

  struct Listener {
    virtual ~Listener() = default;
    virtual bool worker_serves(uint16_t slot) const = 0;
    virtual void send_to_worker(uint16_t slot, const control::Message &message, std::span<const int> descriptors) = 0;
  };
  struct Settings {
    bool always = false; // hlsAlwaysRemux
    control::HlsSettings hls;
    uint64_t budget_bytes = 0; // of all stores together
  };
  struct Info {
    std::string path;
    Nanoseconds last_request_wall = 0; // since 1970
    uint64_t bytes = 0;                // of its store, in memory
  };

  explicit Muxers(Listener &listener);

  // Muxers that were made with other settings end.
  void configure(const Settings &settings, Nanoseconds now);
  void set_slots(control::SlotSet slots, Nanoseconds now); // those that may mux
  void on_worker_ready(uint16_t slot);
  void on_worker_gone(uint16_t slot, Nanoseconds now);
  // A stream of the path is there, or no more.
  void on_path_ready(const std::string &path, Nanoseconds now);
  void on_path_not_ready(const std::string &path);
  // Mux, MuxerReady, MuxerEnded, MuxerUsed.
  void on_message(uint16_t slot, const control::Message &message, Nanoseconds now);
  void on_time(Nanoseconds now); // each second

  std::vector<Info> list() const;
  std::string path_of(control::MuxerId muxer) const; // empty: there is no such muxer
  uint64_t resumed() const { return resumed_; }      // muxers that went on in another worker
  uint64_t used_bytes() const;                       // of memory, by all stores now

private:
  struct Waiting {
    uint16_t slot = 0;
    control::RequestId request = 0;
  };
  struct Muxer {
    std::string path;
    Fd writable, read_only;
    shm::Mapping mapping;
    uint16_t store_index = 0;
    std::optional<uint16_t> slot;
    bool sent = false;  // its worker was told
    bool begun = false; // some worker was, so that the store may hold something
    bool ready = false;
    std::vector<Waiting> waiting;
    control::SlotSet granted; // slots that were shown the store
    Nanoseconds last_request = 0, last_request_wall = 0;
  };
  using Found = std::map<control::MuxerId, Muxer>::iterator;
  struct Retry {
    Nanoseconds due = 0, pause = kFirstRetry;
  };

  void on(uint16_t slot, const control::Mux &mux, Nanoseconds now);
  void on(uint16_t slot, const control::MuxerReady &ready);
  void on(uint16_t slot, const control::MuxerEnded &ended, Nanoseconds now);
  void on(uint16_t slot, const control::MuxerUsed &used, Nanoseconds now);
  Result<Found> create(const std::string &path, bool automatic, Nanoseconds now);
  void place(Muxer &muxer, std::optional<uint16_t> slot);
  std::optional<uint16_t> choose_slot() const;
  void send(Found muxer);
  void grant(Found muxer, const Waiting &waiting);
  void end(Found muxer, control::Refusal refusal, const std::string &reason);
  void refuse(const Waiting &waiting, control::Refusal refusal, const std::string &reason);
  void start_automatic(const std::string &path, Nanoseconds now);
  void retry_later(const std::string &path, Nanoseconds now);
  void keep_to_budget();
  Found find_started(uint16_t slot, control::MuxerId id);

  Listener &listener_;
  Settings settings_;
  control::SlotSet slots_;
  std::map<control::MuxerId, Muxer> muxers_;
  std::map<std::string, control::MuxerId> by_path_;
  std::array<size_t, control::SlotSet::kMaxSlots> loads_{}; // muxers of each slot
  std::set<std::string> ready_paths_;
  std::map<std::string, Retry> retries_; // of paths whose muxer failed, with `always`
  std::deque<uint16_t> free_stores_;     // the longest unused first
  control::MuxerId next_muxer_ = 1;
  uint64_t resumed_ = 0;
};

} // namespace sluice
