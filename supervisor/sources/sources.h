// Has workers pull streams: chooses the worker, looks up the host's addresses, follows the other server's redirects,
// and tells the paths what became of it. Sources are spread evenly over the slots of their protocol. The loop and the
// listener outlive it.
#pragma once

#include "common/loop/resolver.h"
#include "supervisor/config/configuration.h"
#include "supervisor/paths/events.h"

#include <array>
#include <map>
#include <optional>
#include <span>

namespace sluice {

class Sources : loop::Resolver::Listener {
public:
  static constexpr int kMaxRedirects = 5; // in a row
  static constexpr size_t kMaxReasonBytes = 500;

  struct Listener {
    virtual ~Listener() = default;
    // A SourceUp, SourceDown or SourceMoved.
    virtual void on_source(const paths::Event &event) = 0;
    virtual bool worker_serves(uint16_t slot) const = 0;
    virtual void send_to_worker(uint16_t slot, const control::Message &message, std::span<const int> descriptors) = 0;
  };

  Sources(loop::Loop &loop, Listener &listener) : listener_(listener), resolver_(loop, *this) {}

  void start(const paths::PullSource &pull);
  void end(control::SourceId source);

  // Those that may pull, of each protocol. Sources of others are moved.
  void set_slots(const config::PerProtocol<control::SlotSet> &slots);
  void on_worker_ready(uint16_t slot);
  void on_worker_gone(uint16_t slot);
  // SourceReady, SourceFailed or SourceMoved; of sources that are unknown, or another slot's, ignored.
  void on_message(uint16_t slot, const control::Message &message);

private:
  struct Source {
    paths::PullSource pull;
    std::string url; // after redirects; what else stands in `pull`
    config::Protocol protocol = config::Protocol::Rtsp;
    int redirects = 0;
    std::optional<uint16_t> slot;       // none: its protocol has none so far
    std::vector<std::string> addresses; // empty: being looked up
    bool sent = false;                  // else it waits for the addresses, or for its slot's worker
  };
  using Found = std::map<control::SourceId, Source>::iterator;

  void on_resolved(uint64_t id, const Result<std::vector<loop::SocketAddress>> &addresses) override;
  void look_up(Found source);
  void send(Found source);
  void fail(Found source, const std::string &reason, bool at_once = false);
  void on_moved(Found source, const std::string &url);
  std::optional<uint16_t> choose_slot(const Source &source) const;
  void place(Source &source, std::optional<uint16_t> slot);
  void erase(Found source);

  Listener &listener_;
  loop::Resolver resolver_;
  std::map<control::SourceId, Source> sources_;
  config::PerProtocol<control::SlotSet> slots_;
  std::array<size_t, config::kMaxWorkerSlots> loads_{}; // sources of each slot
};

} // namespace sluice
