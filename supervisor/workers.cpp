#include "supervisor/workers.h"

#include "common/base/log.h"
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

bool pulls_rtsp(const config::Configuration &configuration) {
  return std::any_of(configuration.paths.begin(), configuration.paths.end(),
                     [](const auto &entry) { return entry.second.pulls_rtsp(); });
}

// With rtspDisable there are workers, too, for what is pulled. They have no listeners.
size_t count_of_slots(const config::Configuration &configuration) {
  if (configuration.rtsp_disable && !pulls_rtsp(configuration)) return 0;
  size_t wanted = static_cast<size_t>(configuration.rtsp_workers);
  return std::min(wanted == 0 ? cores() : wanted, size_t{config::kMaxWorkerSlots});
}

bool same_address(const loop::SocketAddress &a, const loop::SocketAddress &b) {
  return a.family() == b.family() && a.text() == b.text();
}

std::string listeners_text(const config::Configuration &configuration) {
  std::string text = configuration.rtsp_address + " (TCP)";
  if (configuration.protocols.udp)
    text += fmt::format(", {} (UDP/RTP), {} (UDP/RTCP)", configuration.rtp_address, configuration.rtcp_address);
  return text;
}

} // namespace

Workers::Workers(loop::Loop &loop, processes::Reaper &reaper, Listener &listener)
    : loop_(loop), reaper_(reaper), listener_(listener), sweep_(loop, sweep_listener_), sweep_listener_(*this),
      certificate_(loop, "RTSPS", *this) {}

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
  opened.slots = count_of_slots(next);
  TRY(open_listeners(next, opened));
  TRY(open_bases(next, opened));
  for (size_t i = 0; i < opened.slots; i++) {
    opened.fresh.emplace_back();
    if (workers_[i].slot) continue;
    processes::SlotOptions options{.index = static_cast<uint16_t>(i),
                                   .name = fmt::format("rtsp-{}", i),
                                   .slots = kMaxSlots,
                                   .max_sessions = shm::kMaxTableSessions};
    opened.fresh.back() = TRY(processes::Slot::create(loop_, reaper_, options, *this));
  }
  return opened;
}

Result<void> Workers::open_listeners(const config::Configuration &next, Opened &opened) const {
  using config::Encryption;
  std::string plain = next.rtsp_disable || next.encryption == Encryption::Strict ? "" : next.rtsp_address;
  std::string tls = next.rtsp_disable || next.encryption == Encryption::No ? "" : next.rtsps_address;
  opened.plain = TRY(plain_listeners_.open(plain, opened.slots));
  opened.tls = TRY(tls_listeners_.open(tls, opened.slots));
  ServerCertificate::Files files{next.server_cert, next.server_key};
  if (opened.tls.text.empty() || certificate_.uses(files)) return {};
  auto loaded = ServerCertificate::load(files);
  if (!loaded) return Error{"RTSPS: " + loaded.error().message};
  opened.certificate = std::move(*loaded);
  return {};
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
  bool rtsp_changes = opened.plain.changed || opened.udp_changed, rtsps_changes = opened.tls.changed;
  if (rtsp_changes && plain_listeners_.is_open()) log(LogLevel::Info, "[RTSP] listener is closing");
  if (rtsps_changes && tls_listeners_.is_open()) log(LogLevel::Info, "[RTSPS] listener is closing");
  configuration_ = next;
  serving_ = true;
  count_ = opened.slots;
  apply_listeners(opened);
  for (uint16_t i = 0; i < kMaxSlots; i++) {
    Worker &worker = workers_[i];
    if (i >= count_) {
      if (worker.slot && !worker.draining) give_up(i);
      continue;
    }
    if (!worker.slot) {
      worker.slot = std::move(opened.fresh[i]);
      worker.draining = false;
      worker.slot->start();
      continue;
    }
    if (worker.draining) worker.draining = !worker.slot->stay();
    if (worker.draining) continue; // too late; on_slot_closed() starts it anew
    control::Settings message;
    std::vector<int> descriptors = sockets_of(i, message);
    message.settings = settings();
    if (message.tls_listeners > 0) send(i, certificate_.message());
    send(i, message, descriptors);
  }
  if (rtsp_changes && plain_listeners_.is_open())
    log(LogLevel::Info, "[RTSP] listener opened on {}", listeners_text(next));
  if (rtsps_changes && tls_listeners_.is_open())
    log(LogLevel::Info, "[RTSPS] listener opened on {} (TCP)", next.rtsps_address);
}

void Workers::apply_listeners(Opened &opened) {
  plain_listeners_.apply(std::move(opened.plain), count_);
  tls_listeners_.apply(std::move(opened.tls), count_);
  if (opened.certificate) certificate_.use(std::move(*opened.certificate));
  if (!tls_listeners_.is_open()) certificate_.forget();
  if (!opened.udp_changed) return;
  udp_bases_ = std::move(opened.udp_bases);
  rtp_address_ = opened.rtp_address;
  rtcp_address_ = opened.rtcp_address;
}

// Workers that have not begun to serve get it when they do.
void Workers::on_certificate_changed() {
  for (uint16_t i = 0; i < count_; i++)
    if (!workers_[i].draining) send(i, certificate_.message());
}

void Workers::give_up(uint16_t index) {
  workers_[index].draining = true;
  if (configuration_.rtsp_disable)
    workers_[index].slot->shut_down(false); // nobody is to be served any more
  else
    workers_[index].slot->drain();
}

control::WorkerSettings Workers::settings() const {
  control::WorkerSettings settings;
  settings.tcp = configuration_.protocols.tcp;
  settings.udp = !udp_bases_.empty();
  settings.read_timeout_ns = configuration_.read_timeout;
  settings.write_timeout_ns = configuration_.write_timeout;
  settings.max_sessions = static_cast<uint32_t>(configuration_.max_sessions);
  settings.log_level = static_cast<uint8_t>(configuration_.log_level);
  settings.reports_connections = !configuration_.run_on_connect.empty();
  uint64_t input = processes::memory_budget(configuration_.max_memory).input_bytes;
  settings.max_input_bytes = std::max<uint64_t>(input / std::max<size_t>(count_, 1), 16 * shm::kLargeBufferBytes);
  for (uint16_t i = 0; i < kMaxSlots; i++)
    if (workers_[i].slot) settings.slots = static_cast<uint16_t>(i + 1);
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
  std::vector<int> descriptors;
  for (const SlotListeners *listeners : {&plain_listeners_, &tls_listeners_})
    for (const Fd &fd : listeners->of(index)) descriptors.push_back(fd.get());
  message.listeners = static_cast<uint16_t>(descriptors.size());
  message.tls_listeners = static_cast<uint16_t>(tls_listeners_.of(index).size());
  if (index == 0)
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
  welcome.settings = settings();
  std::vector<int> sockets = sockets_of(index, welcome);
  std::vector<int> descriptors{slot.session_table(), doorbell_board_.get()};
  descriptors.insert(descriptors.end(), sockets.begin(), sockets.end());
  for (const Fd &doorbell : doorbells_) descriptors.push_back(doorbell.get());
  slot.send(welcome, descriptors);
  if (welcome.tls_listeners > 0) slot.send(certificate_.message());
  listener_.on_worker_ready(index);
}

void Workers::on_worker_message(processes::Slot &slot, control::Message message, std::vector<Fd> descriptors) {
  if (const auto *line = std::get_if<control::LogLine>(&message)) return print(workers_[slot.index()], *line);
  if (const auto *hand_over = std::get_if<control::HandOver>(&message)) {
    int connection = descriptors[0].get();
    control::HandOver forwarded = *hand_over;
    forwarded.token = forwarded.token == 0 ? 0 : forwarded.token << shm::kSlotBits | slot.index(); // unique now
    const Worker &target = workers_[forwarded.slot];
    if (target.slot && target.slot->has_worker() && !target.slot->congested())
      return send(forwarded.slot, forwarded, {&connection, 1});
    loop::close_in_order(connection); // it can't be served now; the client comes back
    if (hand_over->token != 0) listener_.on_worker_message(slot.index(), control::Closed{hand_over->token});
    return;
  }
  listener_.on_worker_message(slot.index(), std::move(message));
}

void Workers::print(Worker &worker, const control::LogLine &line) {
  processes::LogLimit::Verdict verdict = worker.log_limit.on_line(loop_.now());
  if (verdict.omitted > 0)
    log(LogLevel::Warn, "[{}] {} more log lines were left out", worker.slot->name(), verdict.omitted);
  if (verdict.print) log_message(static_cast<LogLevel>(line.level), line.text);
}

void Workers::on_worker_gone(processes::Slot &slot, const std::string &) {
  listener_.on_worker_gone(slot.index());
}

// It was given up, or all are. A slot that is wanted again by now starts anew.
void Workers::on_slot_closed(processes::Slot &slot) {
  uint16_t index = slot.index();
  Worker &worker = workers_[index];
  closed_.push_back(std::move(worker.slot));
  worker.draining = false;
  if (stopping_) return close_if_all_left();
  if (index >= count_) return;
  auto opened = open(configuration_);
  if (opened) return apply(std::move(*opened), configuration_);
  log(LogLevel::Error, "[rtsp-{}] {}", index, opened.error().message);
}

void Workers::send(uint16_t slot, const control::Message &message, std::span<const int> descriptors) {
  if (slot < kMaxSlots && workers_[slot].slot) workers_[slot].slot->send(message, descriptors);
}

void Workers::shut_down(bool kill) {
  if (plain_listeners_.is_open() && !stopping_) log(LogLevel::Info, "[RTSP] listener is closing");
  if (tls_listeners_.is_open() && !stopping_) log(LogLevel::Info, "[RTSPS] listener is closing");
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
