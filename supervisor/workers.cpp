#include "supervisor/workers.h"

#include "common/base/log.h"
#include "ipc/control/codec.h"
#include "ipc/shm/doorbell_board.h"
#include "ipc/shm/memfd.h"
#include "supervisor/config/addresses.h"
#include "supervisor/listeners.h"
#include "supervisor/multicast/group_pool.h"
#include "supervisor/processes/memory_budget.h"

#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>

namespace sluice {
namespace {

size_t cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<size_t>(std::max(1, CPU_COUNT(&set)));
}

bool same_address(const loop::SocketAddress &a, const loop::SocketAddress &b) {
  return a.family() == b.family() && a.text() == b.text();
}

std::string listeners_text(const config::Configuration &configuration, config::Protocol protocol, bool tls) {
  if (protocol == config::Protocol::Hls) return configuration.hls_address;
  if (protocol == config::Protocol::Rtmp) return tls ? configuration.rtmps_address : configuration.rtmp_address;
  if (tls) return configuration.rtsps_address + " (TCP)";
  std::string text = configuration.rtsp_address + " (TCP)";
  if (configuration.protocols.udp)
    text += fmt::format(", {} (UDP/RTP), {} (UDP/RTCP)", configuration.rtp_address, configuration.rtcp_address);
  return text;
}

// What only HLS has.
bool is_of_hls(const control::Message &message) {
  return std::holds_alternative<control::Authorize>(message) || std::holds_alternative<control::Mux>(message) ||
         std::holds_alternative<control::MuxerReady>(message) || std::holds_alternative<control::MuxerEnded>(message) ||
         std::holds_alternative<control::MuxerUsed>(message);
}

// What only RTSP has.
bool is_of_rtsp(const control::Message &message) {
  return std::holds_alternative<control::Claim>(message) || std::holds_alternative<control::JoinMulticast>(message) ||
         std::holds_alternative<control::StrayDatagram>(message) ||
         std::holds_alternative<control::HeardAll>(message) || std::holds_alternative<control::HandOver>(message) ||
         std::holds_alternative<control::Describe>(message);
}

} // namespace

Workers::Workers(loop::Loop &loop, processes::Reaper &reaper, Listener &listener)
    : loop_(loop), reaper_(reaper), listener_(listener), sweep_(loop, sweep_listener_),
      sweep_listener_(*this), listeners_{{ProtocolListeners(loop, config::Protocol::Rtsp, *this),
                                          ProtocolListeners(loop, config::Protocol::Rtmp, *this),
                                          ProtocolListeners(loop, config::Protocol::Hls, *this)}} {}

Result<std::unique_ptr<Workers>> Workers::create(loop::Loop &loop, processes::Reaper &reaper, Listener &listener) {
  std::unique_ptr<Workers> workers(new Workers(loop, reaper, listener));
  workers->doorbell_board_ = TRY(shm::create_memfd("sluice doorbells", shm::DoorbellBoard::bytes()));
  for (Fd &doorbell : workers->doorbells_) {
    doorbell = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!doorbell) return os_error("eventfd");
  }
  return workers;
}

// --- a changed configuration ---

Result<Workers::Opened> Workers::open(const config::Configuration &next) {
  Opened opened;
  opened.roles = config::place_workers(present(), config::worker_counts(next, cores()));
  for (config::Protocol protocol : config::kProtocols)
    opened.listeners[protocol] = TRY(listeners_[protocol].open(next, config::slots_of(opened.roles, protocol)));
  TRY(open_bases(next, opened));
  for (uint16_t i = 0; i < kMaxSlots; i++) {
    if (!opened.roles[i] || workers_[i].slot) continue;
    processes::SlotOptions options{.index = i,
                                   .name = config::name_of(*opened.roles[i]),
                                   .slots = kMaxSlots,
                                   .max_sessions = shm::kMaxTableSessions};
    opened.fresh[i] = TRY(processes::Slot::create(loop_, reaper_, options, *this));
  }
  return opened;
}

config::SlotRoles Workers::present() const {
  config::SlotRoles roles;
  for (uint16_t i = 0; i < kMaxSlots; i++)
    if (workers_[i].slot) roles[i] = workers_[i].role;
  return roles;
}

Result<void> Workers::open_bases(const config::Configuration &next, Opened &opened) const {
  if (next.rtsp_disable || !next.protocols.udp) {
    opened.udp_changed = !udp_bases_.empty();
    return {};
  }
  bool there = !udp_bases_.empty();
  bool rtp_known = there && next.rtp_address == configuration_.rtp_address;
  bool rtcp_known = there && next.rtcp_address == configuration_.rtcp_address;
  opened.rtp_address = rtp_known ? rtp_address_ : TRY(resolve(next.rtp_address));
  opened.rtcp_address = rtcp_known ? rtcp_address_ : TRY(resolve(next.rtcp_address));
  opened.udp_changed = udp_bases_.empty() || !same_address(opened.rtp_address, rtp_address_) ||
                       !same_address(opened.rtcp_address, rtcp_address_);
  if (!opened.udp_changed) return {};
  for (const loop::SocketAddress &address : {opened.rtp_address, opened.rtcp_address}) {
    bool ours =
        !udp_bases_.empty() && (address.port() == rtp_address_.port() || address.port() == rtcp_address_.port());
    if (!ours) TRY(check_unused(address, SOCK_DGRAM));
    opened.udp_bases.push_back(TRY(loop::bind_udp_base(address)));
  }
  return {};
}

void Workers::apply(Opened opened, const config::Configuration &next) {
  applying_ = true;
  ListenerChanges changes;
  for (config::Protocol protocol : config::kProtocols)
    changes[protocol] = {opened.listeners[protocol].plain.changed, opened.listeners[protocol].tls.changed};
  changes[config::Protocol::Rtsp][0] |= opened.udp_changed;
  log_closing(changes);
  configuration_ = next;
  roles_ = opened.roles;
  apply_listeners(opened);
  for (uint16_t i = 0; i < kMaxSlots; i++) apply_to(i, std::move(opened.fresh[i]));
  log_opened(changes);
  applying_ = false;
  if (std::exchange(slot_became_free_, false)) fill_free_slots();
}

void Workers::apply_listeners(Opened &opened) {
  for (config::Protocol protocol : config::kProtocols)
    listeners_[protocol].apply(std::move(opened.listeners[protocol]), slots(protocol));
  if (!opened.udp_changed) return;
  udp_bases_ = std::move(opened.udp_bases);
  rtp_address_ = opened.rtp_address;
  rtcp_address_ = opened.rtcp_address;
}

void Workers::apply_to(uint16_t index, std::unique_ptr<processes::Slot> fresh) {
  Worker &worker = workers_[index];
  if (!roles_[index]) {
    if (worker.slot && !worker.draining) give_up(index);
    return;
  }
  if (!worker.slot) {
    worker.slot = std::move(fresh);
    worker.role = *roles_[index];
    worker.draining = false;
    return worker.slot->start();
  }
  if (worker.draining) worker.draining = !worker.slot->stay();
  if (worker.draining) return; // too late; on_slot_closed() starts it anew
  control::Settings message;
  std::vector<int> descriptors = sockets_of(index, message);
  message.settings = settings(worker.role.protocol);
  if (message.tls_listeners > 0) send(index, listeners_[worker.role.protocol].certificate());
  send(index, message, descriptors);
}

bool Workers::is_listening(config::Protocol protocol, bool tls) const {
  const ProtocolListeners &listeners = listeners_[protocol];
  return (tls ? listeners.tls() : listeners.plain()).is_open();
}

void Workers::log_closing(const ListenerChanges &changes) const {
  for (config::Protocol protocol : config::kProtocols)
    for (bool tls : {false, true})
      if (changes[protocol][tls] && is_listening(protocol, tls))
        log(LogLevel::Info, "[{}] listener is closing", config::label_of(protocol, tls));
}

void Workers::log_opened(const ListenerChanges &changes) const {
  for (config::Protocol protocol : config::kProtocols)
    for (bool tls : {false, true})
      if (changes[protocol][tls] && is_listening(protocol, tls))
        log(LogLevel::Info, "[{}] listener opened on {}", config::label_of(protocol, tls),
            listeners_text(configuration_, protocol, tls));
}

// Workers that have not begun to serve get it when they do.
void Workers::on_certificate_changed(config::Protocol protocol) {
  slots(protocol).for_each([&](uint16_t slot) {
    if (!workers_[slot].draining) send(slot, listeners_[protocol].certificate());
  });
}

void Workers::give_up(uint16_t index) {
  Worker &worker = workers_[index];
  worker.draining = true;
  if (config::serves(configuration_, worker.role.protocol))
    worker.slot->drain();
  else
    worker.slot->shut_down(false); // nobody is to be served any more
}

bool Workers::serves(uint16_t slot) const {
  return slot < kMaxSlots && roles_[slot] && workers_[slot].slot && workers_[slot].slot->has_worker();
}

control::WorkerSettings Workers::settings(config::Protocol protocol) const {
  control::WorkerSettings settings;
  settings.read_timeout_ns = configuration_.read_timeout;
  settings.write_timeout_ns = configuration_.write_timeout;
  settings.max_sessions = static_cast<uint32_t>(configuration_.max_sessions);
  settings.log_level = static_cast<uint8_t>(configuration_.log_level);
  settings.reports_connections = !configuration_.run_on_connect.empty();
  size_t count = 0;
  for (config::Protocol each : config::kProtocols) count += slots(each).size();
  uint64_t input = processes::memory_budget(configuration_.max_memory).input_bytes;
  settings.max_input_bytes = std::max<uint64_t>(input / std::max<size_t>(count, 1), 16 * shm::kLargeBufferBytes);
  settings.peers.bits = config::slots_of(present(), protocol).bits | slots(protocol).bits; // some are being made
  if (protocol == config::Protocol::Rtsp) settings.rtsp = rtsp_settings();
  if (protocol == config::Protocol::Hls) settings.hls = hls_settings(configuration_);
  return settings;
}

control::HlsSettings hls_settings(const config::Configuration &configuration) {
  control::HlsSettings settings;
  settings.variant = static_cast<control::HlsVariant>(configuration.hls_variant);
  settings.segment_count = static_cast<uint32_t>(configuration.hls_segment_count);
  settings.segment_duration_ns = configuration.hls_segment_duration;
  settings.part_duration_ns = configuration.hls_part_duration;
  settings.segment_max_bytes = configuration.hls_segment_max_size;
  settings.allow_origin = configuration.hls_allow_origin;
  settings.trusted_proxies = configuration.hls_trusted_proxies;
  return settings;
}

control::RtspSettings Workers::rtsp_settings() const {
  control::RtspSettings settings;
  settings.tcp = configuration_.protocols.tcp;
  settings.udp = !udp_bases_.empty();
  if (auto range = config::parse_multicast_range(configuration_.multicast_ip_range)) {
    settings.multicast = configuration_.protocols.multicast;
    settings.multicast_base = multicast::address_text(range->network);
  }
  if (!settings.udp) return settings;
  settings.rtp_port = rtp_address_.port();
  settings.rtcp_port = rtcp_address_.port();
  settings.rtp_address = rtp_address_.text();
  settings.rtcp_address = rtcp_address_.text();
  return settings;
}

// Of a Welcome or Settings, whose counts are set.
template <class M> std::vector<int> Workers::sockets_of(uint16_t index, M &message) const {
  const config::SlotRole &role = workers_[index].role;
  const ProtocolListeners &listeners = listeners_[role.protocol];
  std::vector<int> descriptors;
  for (const SlotListeners *kind : {&listeners.plain(), &listeners.tls()})
    for (const Fd &fd : kind->of(index)) descriptors.push_back(fd.get());
  message.listeners = static_cast<uint16_t>(descriptors.size());
  message.tls_listeners = static_cast<uint16_t>(listeners.tls().of(index).size());
  if (role == config::SlotRole{config::Protocol::Rtsp, 0})
    for (const Fd &base : udp_bases_) descriptors.push_back(base.get());
  message.udp_bases = static_cast<uint16_t>(descriptors.size() - message.listeners);
  return descriptors;
}

// --- slots ---

void Workers::on_worker_hello(processes::Slot &slot) {
  uint16_t index = slot.index();
  control::Welcome welcome;
  welcome.epoch = slot.epoch();
  welcome.slot = index;
  welcome.doorbells = kMaxSlots;
  welcome.settings = settings(protocol_of(index));
  std::vector<int> sockets = sockets_of(index, welcome);
  std::vector<int> descriptors{slot.session_table(), doorbell_board_.get()};
  descriptors.insert(descriptors.end(), sockets.begin(), sockets.end());
  for (const Fd &doorbell : doorbells_) descriptors.push_back(doorbell.get());
  slot.send(welcome, descriptors);
  if (welcome.tls_listeners > 0) slot.send(listeners_[protocol_of(index)].certificate());
  listener_.on_worker_ready(index);
}

void Workers::on_worker_message(processes::Slot &slot, control::Message message, std::vector<Fd> descriptors) {
  config::Protocol protocol = protocol_of(slot.index());
  if ((protocol != config::Protocol::Rtsp && is_of_rtsp(message)) ||
      (protocol != config::Protocol::Hls && is_of_hls(message)))
    return slot.kill_worker(fmt::format("message {}: it is not of its protocol", control::name_of(message)));
  if (const auto *line = std::get_if<control::LogLine>(&message)) return print(workers_[slot.index()], *line);
  if (const auto *hand_over = std::get_if<control::HandOver>(&message))
    return pass_on(slot, *hand_over, descriptors[0]);
  listener_.on_worker_message(slot.index(), std::move(message));
}

void Workers::pass_on(const processes::Slot &from, const control::HandOver &hand_over, const Fd &connection) {
  control::HandOver forwarded = hand_over;
  forwarded.token = forwarded.token == 0 ? 0 : forwarded.token << shm::kSlotBits | from.index(); // unique now
  const Worker &target = workers_[forwarded.slot];
  int descriptor = connection.get();
  bool peer = target.slot && target.role.protocol == protocol_of(from.index()); // the slot may be another one by now
  if (peer && target.slot->has_worker() && !target.slot->congested())
    return send(forwarded.slot, forwarded, {&descriptor, 1});
  loop::close_in_order(descriptor); // it can't be served now; the client comes back
  if (hand_over.token != 0) listener_.on_worker_message(from.index(), control::Closed{hand_over.token});
}

void Workers::print(Worker &worker, const control::LogLine &line) {
  processes::LogLimit::Verdict verdict = worker.log_limit.on_line(loop_.now());
  if (verdict.omitted > 0)
    log(LogLevel::Warn, "[{}] {} more log lines were left out", worker.slot->name(), verdict.omitted);
  if (verdict.print) relay_message(static_cast<LogLevel>(line.level), line.text);
}

void Workers::on_worker_gone(processes::Slot &slot, const std::string &) {
  listener_.on_worker_gone(slot.index());
}

// It was given up, or all are. A slot that is wanted again by now starts anew, and may be another worker's.
void Workers::on_slot_closed(processes::Slot &slot) {
  Worker &worker = workers_[slot.index()];
  closed_.push_back(std::move(worker.slot));
  worker.draining = false;
  if (stopping_) return close_if_all_left();
  if (applying_)
    slot_became_free_ = true;
  else
    fill_free_slots();
}

// Workers that found no place, or whose slot had gone too far to stay.
void Workers::fill_free_slots() {
  config::SlotRoles there = present(),
                    wanted = config::place_workers(there, config::worker_counts(configuration_, cores()));
  bool missing = false;
  for (size_t i = 0; i < kMaxSlots; i++) missing = missing || (wanted[i] && !there[i]);
  if (!missing) return;
  auto opened = open(configuration_);
  if (!opened) return log(LogLevel::Error, "workers can't be started: {}", opened.error().message);
  apply(std::move(*opened), configuration_);
  listener_.on_slots_changed();
}

void Workers::send(uint16_t slot, const control::Message &message, std::span<const int> descriptors) {
  if (slot < kMaxSlots && workers_[slot].slot) workers_[slot].slot->send(message, descriptors);
}

void Workers::shut_down(bool kill) {
  if (!stopping_) {
    ListenerChanges all;
    for (auto &of_protocol : all.values) of_protocol.fill(true);
    log_closing(all);
  }
  stopping_ = true;
  for (Worker &worker : workers_)
    if (worker.slot) worker.slot->shut_down(kill);
  close_if_all_left();
}

void Workers::close_if_all_left() {
  bool any = std::any_of(workers_.begin(), workers_.end(), [](const Worker &worker) { return worker.slot != nullptr; });
  if (!any) listener_.on_all_workers_closed();
}

} // namespace sluice
