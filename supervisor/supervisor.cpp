#include "supervisor/supervisor.h"

#include "common/base/log.h"
#include "ipc/shm/doorbell_board.h"
#include "supervisor/config/path_names.h"
#include "supervisor/listeners.h"
#include "supervisor/processes/memory_budget.h"

#include <sched.h>

#include <csignal>

namespace sluice {
namespace {

constexpr size_t kPacketBytes = 2048; // what readBufferCount counts in
constexpr size_t kMaxSlots = config::kMaxWorkerSlots;

size_t cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

size_t count_of_rtsp_slots(const config::Configuration &configuration) {
  if (configuration.rtsp_disable) return 0;
  size_t wanted = static_cast<size_t>(configuration.rtsp_workers);
  return std::min(wanted == 0 ? cores() : wanted, kMaxSlots);
}

processes::RingLimits ring_limits(const config::Configuration &configuration) {
  uint64_t budget = configuration.max_memory;
  return {static_cast<size_t>(configuration.read_buffer_count) * kPacketBytes, configuration.ring_max_size,
          budget == 0 ? processes::default_memory_budget() : budget};
}

} // namespace

Supervisor::Supervisor(loop::Loop &loop, config::Configuration configuration)
    : loop_(loop), configuration_(std::move(configuration)), reaper_(loop), terminate_(loop, SIGTERM, *this),
      interrupt_(loop, SIGINT, *this), shutdown_timer_(loop, *this),
      paths_(*this, static_cast<size_t>(configuration_.max_sessions)), rings_(ring_limits(configuration_)) {}

Result<void> Supervisor::start() {
  size_t slots = count_of_rtsp_slots(configuration_);
  doorbell_board_ = TRY(shm::create_memfd("sluice doorbells", shm::DoorbellBoard::bytes()));
  TRY(create_slots(slots));
  TRY(open_listeners(slots));
  log_missing_listeners();
  for (Worker &worker : workers_) TRY(worker.slot->start());
  return {};
}

Result<void> Supervisor::create_slots(size_t slots) {
  for (size_t i = 0; i < slots; i++) {
    processes::SlotOptions options{.index = static_cast<uint16_t>(i),
                                   .name = fmt::format("rtsp-{}", i),
                                   .slots = static_cast<uint16_t>(slots),
                                   .max_sessions = static_cast<uint32_t>(configuration_.max_sessions)};
    Worker worker;
    worker.slot = TRY(processes::Slot::create(loop_, reaper_, options, *this));
    workers_.push_back(std::move(worker));
  }
  open_slots_ = slots;
  return {};
}

Result<void> Supervisor::open_listeners(size_t slots) {
  if (slots == 0) return {};
  loop::SocketAddress address = TRY(resolve(configuration_.rtsp_address));
  std::vector<Fd> listeners = TRY(open_tcp_listeners(address, slots));
  for (size_t i = 0; i < slots; i++) workers_[i].listener = std::move(listeners[i]);
  std::string opened = configuration_.rtsp_address + " (TCP)";
  if (configuration_.protocols.udp) {
    rtp_address_ = TRY(resolve(configuration_.rtp_address));
    rtcp_address_ = TRY(resolve(configuration_.rtcp_address));
    udp_bases_.push_back(TRY(open_udp_base(rtp_address_)));
    udp_bases_.push_back(TRY(open_udp_base(rtcp_address_)));
    opened += fmt::format(", {} (UDP/RTP), {} (UDP/RTCP)", configuration_.rtp_address, configuration_.rtcp_address);
  }
  log(LogLevel::Info, "[RTSP] listener opened on {}", opened);
  return {};
}

void Supervisor::log_missing_listeners() const {
  std::string missing;
  if (!configuration_.rtmp_disable) missing = "RTMP on " + configuration_.rtmp_address;
  if (!configuration_.hls_disable)
    missing += (missing.empty() ? "" : " and ") + std::string("HLS on ") + configuration_.hls_address;
  if (!missing.empty()) log(LogLevel::Info, "not opened, since this version does not have it yet: {}", missing);
}

control::WorkerSettings Supervisor::worker_settings() const {
  control::WorkerSettings settings;
  settings.tcp = configuration_.protocols.tcp;
  settings.udp = configuration_.protocols.udp;
  settings.read_timeout_ns = configuration_.read_timeout;
  settings.write_timeout_ns = configuration_.write_timeout;
  settings.max_sessions = static_cast<uint32_t>(configuration_.max_sessions);
  settings.log_level = static_cast<uint8_t>(configuration_.log_level);
  if (!settings.udp) return settings;
  settings.rtp_port = rtp_address_.port();
  settings.rtcp_port = rtcp_address_.port();
  settings.rtp_address = rtp_address_.text();
  settings.rtcp_address = rtcp_address_.text();
  return settings;
}

// --- workers ---

void Supervisor::on_worker_hello(processes::Slot &slot) {
  control::Welcome welcome;
  welcome.epoch = slot.epoch();
  welcome.slot = slot.index();
  welcome.slots = static_cast<uint16_t>(workers_.size());
  welcome.listeners = 1;
  welcome.settings = worker_settings();
  std::vector<int> descriptors{slot.session_table(), doorbell_board_.get(), workers_[slot.index()].listener.get()};
  if (slot.index() == 0) {
    welcome.udp_bases = static_cast<uint16_t>(udp_bases_.size());
    for (const Fd &base : udp_bases_) descriptors.push_back(base.get());
  }
  for (const Worker &worker : workers_) descriptors.push_back(worker.slot->doorbell());
  slot.send(welcome, descriptors);
}

void Supervisor::on_worker_message(processes::Slot &slot, control::Message message, std::vector<Fd> descriptors) {
  if (const auto *line = std::get_if<control::LogLine>(&message)) return print(workers_[slot.index()], *line);
  if (const auto *request = std::get_if<control::RingTooSmall>(&message)) return grow_ring(slot, *request);
  if (const auto *hand_over = std::get_if<control::HandOver>(&message)) {
    int connection = descriptors[0].get();
    return send(hand_over->slot, message, {&connection, 1}); // to a slot without a worker: the connection is closed
  }
  handle(paths::FromWorker{slot.index(), std::move(message)});
}

void Supervisor::print(Worker &worker, const control::LogLine &line) {
  processes::LogLimit::Verdict verdict = worker.log_limit.on_line(loop_.now());
  if (verdict.omitted > 0)
    log(LogLevel::Warn, "[{}] {} more log lines were left out", worker.slot->name(), verdict.omitted);
  if (verdict.print) log_message(static_cast<LogLevel>(line.level), line.text);
}

void Supervisor::on_worker_gone(processes::Slot &slot, const std::string &) {
  handle(paths::WorkerGone{slot.index()});
}

void Supervisor::grow_ring(processes::Slot &writer, const control::RingTooSmall &request) {
  auto replacement = rings_.grow(request.stream, writer.index(), request.wanted_bytes);
  if (!replacement)
    log(LogLevel::Warn, "a ring of {} bytes is wanted, but not granted: {}", request.wanted_bytes,
        replacement.error().message);
  if (!replacement || !replacement->has_value()) return;
  // Readers first: they have the new ring before anything is in it. A slot gets one descriptor; the writer's
  // serves its readers too.
  const auto &[grant, readers] = **replacement;
  for (const Worker &worker : workers_) {
    uint16_t slot = worker.slot->index();
    if (slot != writer.index() && (readers >> slot & 1) != 0)
      send(slot, control::RingReplaced{request.stream}, {&grant.read_only, 1});
  }
  writer.send(control::RingReplaced{request.stream}, {&grant.writable, 1});
}

// --- paths ---

Result<paths::PathRules> Supervisor::rules_for(const std::string &path) const {
  const config::PathConfiguration *found = TRY(config::find_path(configuration_, path));
  return paths::PathRules{.publisher_override = !found->disable_publisher_override};
}

void Supervisor::handle(const paths::Event &event) {
  std::vector<paths::Event> failures;
  for (const paths::Effect &effect : paths_.on_event(event)) perform(effect, failures);
  // What follows from a failure grants nothing, so this ends.
  for (const paths::Event &failure : failures) handle(failure);
}

void Supervisor::perform(const paths::Effect &effect, std::vector<paths::Event> &failures) {
  auto note = [&](const auto &grant, const Result<void> &result) {
    if (!result)
      failures.push_back(paths::GrantFailed{grant.slot, grant.request, grant.session, result.error().message});
  };
  if (const auto *message = std::get_if<paths::Send>(&effect)) send(message->slot, message->message);
  if (const auto *open = std::get_if<paths::OpenStream>(&effect)) note(*open, open_stream(*open));
  if (const auto *grant = std::get_if<paths::GrantRead>(&effect)) note(*grant, grant_read(*grant));
  if (const auto *join = std::get_if<paths::Subscribe>(&effect)) rings_.subscribe(join->stream, join->slot);
  if (const auto *part = std::get_if<paths::Unsubscribe>(&effect)) rings_.unsubscribe(part->stream, part->slot);
  if (const auto *close = std::get_if<paths::CloseStream>(&effect)) rings_.close(close->stream);
  if (const auto *line = std::get_if<paths::Log>(&effect)) log(LogLevel::Info, "[path {}] {}", line->path, line->text);
}

Result<void> Supervisor::open_stream(const paths::OpenStream &open) {
  const config::PathConfiguration *path = TRY(config::find_path(configuration_, open.path));
  processes::Rings::Grant grant = TRY(rings_.open(open.stream, open.slot, open.description));
  control::PublishGranted granted;
  granted.request = open.request;
  granted.stream = open.stream;
  granted.ring_index = grant.ring_index;
  granted.coalesce_ns = path->write_coalesce;
  granted.merge_ns = path->write_merge;
  granted.max_ring_bytes = rings_.largest_bytes();
  send(open.slot, granted, {&grant.writable, 1});
  return {};
}

Result<void> Supervisor::grant_read(const paths::GrantRead &read) {
  processes::Rings::Grant grant = TRY(rings_.find(read.stream));
  control::ReadGranted granted{read.request, read.stream, grant.ring_index};
  send(read.slot, granted, {&grant.read_only, 1});
  return {};
}

void Supervisor::send(uint16_t slot, const control::Message &message, std::span<const int> descriptors) {
  workers_[slot].slot->send(message, descriptors);
}

// --- the end ---

void Supervisor::on_signal(int) {
  if (stopping_) return kill_all(); // asked twice
  stopping_ = true;
  log(LogLevel::Info, "shutting down gracefully");
  if (open_slots_ == 0) return loop_.stop();
  log(LogLevel::Info, "[RTSP] listener is closing");
  shutdown_timer_.start(kShutdownPatience, kSecond);
  for (Worker &worker : workers_) worker.slot->shut_down(false);
}

void Supervisor::on_timer(loop::Timer &) {
  kill_all();
}

void Supervisor::kill_all() {
  for (Worker &worker : workers_) worker.slot->shut_down(true);
}

void Supervisor::on_slot_closed(processes::Slot &) {
  if (--open_slots_ == 0) loop_.stop();
}

} // namespace sluice
