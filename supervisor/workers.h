// The worker slots of all protocols and what they serve: listeners, UDP base sockets, doorbells. A changed
// configuration is applied in two steps: open() makes everything that may fail, apply() then can't. Loop, reaper and
// listener outlive it.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "ipc/ring/ring_layout.h"
#include "supervisor/config/worker_slots.h"
#include "supervisor/processes/log_limit.h"
#include "supervisor/processes/slot.h"
#include "supervisor/protocol_listeners.h"

#include <array>
#include <memory>
#include <vector>

namespace sluice {

control::HlsSettings hls_settings(const config::Configuration &configuration);

class Workers : processes::Slot::Listener, ProtocolListeners::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_worker_message(uint16_t slot, control::Message message) = 0;
    virtual void on_worker_ready(uint16_t slot) = 0; // it has its Welcome
    virtual void on_worker_gone(uint16_t slot) = 0;
    virtual void on_slots_changed() = 0;      // by themselves: a worker got the place that another one has left
    virtual void on_all_workers_closed() = 0; // after shut_down()
  };

  static Result<std::unique_ptr<Workers>> create(loop::Loop &loop, processes::Reaper &reaper, Listener &listener);

  // What a configuration needs beyond what there is.
  struct Opened {
    config::SlotRoles roles;
    config::PerProtocol<ProtocolListeners::Opened> listeners;
    bool udp_changed = false;
    loop::SocketAddress rtp_address, rtcp_address;
    std::vector<Fd> udp_bases;
    std::array<std::unique_ptr<processes::Slot>, config::kMaxWorkerSlots> fresh; // where there is none yet
  };
  Result<Opened> open(const config::Configuration &next);
  // Workers get the settings that changed; `next` is the configuration from now on.
  void apply(Opened opened, const config::Configuration &next);

  void send(uint16_t slot, const control::Message &message, std::span<const int> descriptors = {});
  // Ends its worker; another one follows. The slot is there.
  void restart(uint16_t slot, const std::string &why) { workers_[slot].slot->kill_worker(why); }
  void shut_down(bool kill);
  bool serves(uint16_t slot) const;
  // Null: there is none. One that is being given up counts.
  const processes::Slot *find(uint16_t slot) const { return workers_[slot].slot.get(); }
  // Without those that are being given up.
  const config::SlotRoles &roles() const { return roles_; }
  control::SlotSet slots(config::Protocol protocol) const { return config::slots_of(roles_, protocol); }
  // Of a slot that there is.
  config::Protocol protocol_of(uint16_t slot) const { return workers_[slot].role.protocol; }

private:
  static constexpr size_t kMaxSlots = config::kMaxWorkerSlots;
  static_assert(kMaxSlots <= ring::kMaxSlots);

  struct Worker {
    std::unique_ptr<processes::Slot> slot; // null: no such slot now
    config::SlotRole role;                 // of the slot
    processes::LogLimit log_limit;
    bool draining = false;
  };
  using ListenerChanges = config::PerProtocol<std::array<bool, 2>>; // plain and over TLS

  Workers(loop::Loop &loop, processes::Reaper &reaper, Listener &listener);

  void on_worker_hello(processes::Slot &slot) override;
  void on_worker_message(processes::Slot &slot, control::Message message, std::vector<Fd> descriptors) override;
  void on_worker_gone(processes::Slot &slot, const std::string &how) override;
  void on_slot_closed(processes::Slot &slot) override;

  void on_certificate_changed(config::Protocol protocol) override;

  Result<void> open_bases(const config::Configuration &next, Opened &opened) const;
  config::SlotRoles present() const;
  void apply_listeners(Opened &opened);
  void apply_to(uint16_t index, std::unique_ptr<processes::Slot> fresh);
  void give_up(uint16_t index);
  void fill_free_slots();
  void pass_on(const processes::Slot &from, const control::HandOver &hand_over, const Fd &connection);
  bool is_listening(config::Protocol protocol, bool tls) const;
  void log_closing(const ListenerChanges &changes) const; // before they are applied
  void log_opened(const ListenerChanges &changes) const;  // after it
  control::WorkerSettings settings(config::Protocol protocol) const;
  control::RtspSettings rtsp_settings() const;
  template <class M> std::vector<int> sockets_of(uint16_t index, M &message) const;
  void print(Worker &worker, const control::LogLine &line);
  void close_if_all_left();

  loop::Loop &loop_;
  processes::Reaper &reaper_;
  Listener &listener_;
  Fd doorbell_board_;
  std::array<Fd, kMaxSlots> doorbells_;
  std::array<Worker, kMaxSlots> workers_;
  std::vector<std::unique_ptr<processes::Slot>> closed_; // to be destroyed when nothing of theirs runs
  loop::Check sweep_;
  struct Sweep : loop::Check::Listener {
    explicit Sweep(Workers &owner) : owner_(owner) {}
    void on_turn_end() override { owner_.closed_.clear(); }
    Workers &owner_;
  } sweep_listener_;

  config::Configuration configuration_;
  config::SlotRoles roles_; // that are wanted, and have or get a place
  config::PerProtocol<ProtocolListeners> listeners_;
  loop::SocketAddress rtp_address_, rtcp_address_;
  std::vector<Fd> udp_bases_; // of rtpAddress and rtcpAddress; drained by rtsp-0
  bool applying_ = false, slot_became_free_ = false;
  bool stopping_ = false;
};

} // namespace sluice
