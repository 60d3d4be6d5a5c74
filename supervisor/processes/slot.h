// A worker's place, as the supervisor sees it: owns the keeper process, the socket to it, the control channel to
// the living worker and the session table, which outlives workers. Replaces workers and keepers that died.
// Loop, reaper and listener outlive it.
#pragma once

#include "common/base/fd.h"
#include "common/base/latency_histogram.h"
#include "common/loop/loop.h"
#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "supervisor/processes/keeper.h"
#include "supervisor/processes/reaper.h"
#include "supervisor/processes/restart_spacing.h"
#include "supervisor/processes/watchdog.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::processes {

struct SlotOptions {
  uint16_t index = 0;
  std::string name;   // "rtsp-0"; what the keeper chooses the worker's entry point by
  uint16_t slots = 1; // that there may be
  uint32_t max_sessions = 0;
  Nanoseconds max_unread = 10 * kSecond; // how long the worker may read nothing of what waits for it
};

class Slot : loop::Poll::Listener, loop::Timer::Listener, Reaper::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    // The worker is there and speaks our version; answer with Welcome.
    virtual void on_worker_hello(Slot &slot) = 0;
    virtual void on_worker_message(Slot &slot, control::Message message, std::vector<Fd> descriptors) = 0;
    // No process of the incarnation is left. Its last messages came before this; the next one starts after it.
    virtual void on_worker_gone(Slot &slot, const std::string &how) = 0;
    // After shut_down() or drain(): keeper and worker have left. The slot is not to be destroyed in here.
    virtual void on_slot_closed(Slot &slot) = 0;
  };

  static Result<std::unique_ptr<Slot>> create(loop::Loop &loop, Reaper &reaper, const SlotOptions &options,
                                              Listener &listener);
  ~Slot() override; // kills what is left; by then on_slot_closed should have been called

  // What can't be started is tried again.
  void start();

  // Dropped if there is no worker, or one that is about to be killed. While much waits to be read by the worker nothing
  // more is read from it; one that reads nothing for max_unread is killed.
  void send(const control::Message &message, std::span<const int> descriptors = {});
  // Its messages are no longer listened to; a successor starts when it is gone. `why`: for the log.
  void kill_worker(const std::string &why);
  // The worker is to leave when its last session has gone; nothing is restarted any more. stay() takes that back,
  // unless it is too late.
  void drain();
  bool stay();
  // Shutdown to the worker, nothing is restarted any more. `kill`: don't wait for the worker's consent.
  void shut_down(bool kill);

  uint16_t index() const { return options_.index; }
  const std::string &name() const { return options_.name; }
  uint64_t epoch() const { return epoch_; }                // of the latest incarnation
  bool has_worker() const { return greeted_ && !doomed_; } // said Hello and was not given up
  Nanoseconds serves_since() const { return greeted_at_; } // if it has one
  bool congested() const { return channel_ && channel_->congested(); }
  pid_t keeper_pid() const { return keeper_pid_; } // 0: none
  pid_t worker_pid() const { return worker_pid_; } // as the keeper reported it; 0: none
  uint64_t restarts() const { return restarts_; }  // of workers
  // From a Ping to its Pong, each second; of all incarnations.
  const LatencyHistogram &round_trips() const { return round_trips_; }
  int session_table() const { return table_fd_.get(); } // memfd
  const shm::SessionTable &table() const { return table_; }

private:
  static constexpr Nanoseconds kPingInterval = kSecond;
  enum class State : uint8_t {
    Idle,     // no keeper; at the begin, and while the next one waits for its time
    Resting,  // a keeper, its next worker waits for its time
    Running,  // a keeper that was told to start a worker and has not reported its end
    Orphaned, // the keeper died; its worker still holds the descriptors
    Leaving,  // the keeper was told to leave
    Closed,
  };

  Slot(loop::Loop &loop, Reaper &reaper, const SlotOptions &options, Listener &listener, Fd table_fd,
       shm::SessionTable table);

  void on_poll(int fd, int events) override;
  void on_timer(loop::Timer &timer) override;
  void on_child_gone(pid_t pid, int status) override;

  Result<void> start_keeper();
  void start_worker();
  bool give_order(Order::Kind kind, int descriptor = -1);
  void kill_keeper();
  void read_reports();
  void on_report(const Report &report);
  void read_messages(size_t limit);
  void on_message(control::Received received);
  Result<void> greet(const control::Hello &hello) const;
  void watch_channel();
  void look_after_worker();
  void look_after_channel(Nanoseconds now);
  void ping(Nanoseconds now);
  void report_crash(int status) const;
  void worker_gone(const std::string &how);
  void leave();
  void close();

  loop::Loop &loop_;
  Reaper &reaper_;
  SlotOptions options_;
  Listener &listener_;
  Fd table_fd_;
  shm::SessionTable table_;

  State state_ = State::Idle;
  bool stopping_ = false;
  uint64_t epoch_ = 0;
  uint64_t restarts_ = 0;
  RestartSpacing spacing_;
  Watchdog watchdog_;
  loop::Timer restart_timer_;
  loop::Timer watch_timer_;

  pid_t keeper_pid_ = 0;
  Fd keeper_socket_;
  std::unique_ptr<loop::Poll> keeper_poll_;

  // Of the incarnation under way.
  pid_t worker_pid_ = 0;
  std::optional<control::Channel> channel_;
  std::unique_ptr<loop::Poll> channel_poll_;
  bool greeted_ = false;
  Nanoseconds greeted_at_ = 0;
  Nanoseconds pinged_at_ = 0;
  bool awaits_pong_ = false;
  LatencyHistogram round_trips_;
  bool doomed_ = false;
  Nanoseconds doomed_at_ = 0;
  Nanoseconds unread_since_ = 0; // the channel's queue made no progress since; 0: it is empty
  uint64_t flushed_ = 0;         // of the channel, when last looked at
  std::string doom_;
};

} // namespace sluice::processes
