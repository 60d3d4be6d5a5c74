#include "supervisor/supervisor.h"

#include "common/base/log.h"
#include "ipc/shm/session_table.h"
#include "supervisor/hooks/orphans.h"
#include "supervisor/path_rules.h"
#include "supervisor/processes/family.h"
#include "supervisor/processes/memory_budget.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace sluice {
namespace {

constexpr size_t kPacketBytes = 2048; // what readBufferCount counts in

processes::RingLimits ring_limits(const config::Configuration &configuration) {
  return {static_cast<size_t>(configuration.read_buffer_count) * kPacketBytes, configuration.ring_max_size,
          processes::memory_budget(configuration.max_memory).ring_bytes, processes::descriptor_limit() / 2};
}

control::SourceId source_of(const paths::OpenStream &open) {
  return open.source;
}
control::SourceId source_of(const paths::GrantRead &) {
  return 0;
}

} // namespace

Supervisor::Supervisor(loop::Loop &loop, logs::Logs &logs, config::LoadedConfiguration loaded,
                       config::Environment environment)
    : loop_(loop), logs_(logs), environment_(std::move(environment)), systemd_(loop, environment_),
      file_(std::move(loaded.file)), active_(std::make_unique<Active>(std::move(loaded.configuration))), reaper_(loop),
      terminate_(loop, SIGTERM, *this), interrupt_(loop, SIGINT, *this), hang_up_(loop, SIGHUP, *this),
      shutdown_timer_(loop, *this), path_timer_(loop, *this), reload_timer_(loop, *this), muxer_timer_(loop, *this),
      paths_(*this, static_cast<size_t>(configuration().max_sessions)), rings_(ring_limits(configuration())),
      gate_(loop, *this), sources_(loop, *this), hooks_(loop, reaper_, environment_, *this), multicast_(rings_),
      muxers_(*this) {}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::start() {
  workers_ = TRY(Workers::create(loop_, reaper_, *this));
  operations_ = std::make_unique<Operations>(loop_, static_cast<Operations::Host &>(*this),
                                             Operations::Sources{*workers_, paths_, muxers_, rings_, gate_, hooks_});
  TRY(activate(configuration()));
  tell_if_ready();
  if (file_.empty()) return {};
  auto watcher = FileWatcher::create(loop_, file_, *this);
  if (watcher)
    watcher_ = std::move(*watcher);
  else
    log(LogLevel::Warn, "the configuration file is not watched: {}", watcher.error().message);
  return {};
}

// --- the configuration ---

void Supervisor::on_file_changed() {
  reloads_again_ = 0;
  reload("file changed");
}

void Supervisor::reload(const char *why) {
  if (stopping_) return;
  log(LogLevel::Info, "reloading configuration ({})", why);
  systemd_.reloading();
  std::string wrong = reload_file();
  systemd_.reloaded(wrong.empty() ? "" : "the configuration stays as it was: " + wrong);
}

// Empty, or what is wrong.
std::string Supervisor::reload_file() {
  if (file_.empty()) {
    log(LogLevel::Warn, "there is no configuration file to load");
    return {};
  }
  if (watcher_) watcher_->note_as_known();
  config::LoadResult loaded = config::load_configuration(file_, environment_);
  if (watcher_ && !watcher_->was_whole()) {
    log(LogLevel::Debug, "the configuration file is being written");
    return {};
  }
  std::string wrong;
  if (!loaded) {
    for (const std::string &error : loaded.error()) wrong += (wrong.empty() ? "" : "; ") + error;
  } else if (auto activated = activate(std::move(loaded->configuration)); !activated) {
    wrong = activated.error().message;
    bool in_use = wrong.ends_with(std::strerror(EADDRINUSE));
    if (in_use && reloads_again_++ < kMaxReloadsAgain) reload_timer_.start(kReloadPause);
  }
  operations_->count_reload(wrong.empty());
  if (!wrong.empty()) {
    log(LogLevel::Error, "the configuration stays as it was: {}", wrong);
    return wrong;
  }
  for (const std::string &note : loaded->notes) log(LogLevel::Info, "{}", note);
  return {};
}

Result<void> Supervisor::change_configuration(config::Configuration next) {
  if (stopping_) return Error{"the server is shutting down"};
  auto activated = activate(std::move(next));
  operations_->count_reload(activated.has_value());
  if (!activated) log(LogLevel::Error, "the configuration stays as it was: {}", activated.error().message);
  return activated;
}

// All that may fail comes first. What then follows from the plan is all that is done.
Result<void> Supervisor::activate(config::Configuration configuration) {
  auto next = std::make_unique<Active>(std::move(configuration));
  const config::Configuration &made = next->configuration;
  config::ReloadPlan plan = config::plan_reload(active_->configuration, made);
  logs::Logs::Opened log_file = TRY(logs_.open(made));
  Operations::Opened operations = TRY(operations_->open(made));
  Workers::Opened opened = TRY(workers_->open(made));
  TRY(gate_.configure(made, next->matcher));
  bool other_slots = opened.roles != workers_->roles(); // also since there are sources to pull, or none any more
  std::unique_ptr<Active> before = std::exchange(active_, std::move(next));

  bool first = !std::exchange(serving_, true);
  logs_.apply(std::move(log_file), made);
  operations_->apply(std::move(operations), made);
  if (!first) log(LogLevel::Info, "{}", plan.text());
  if (first || plan.concerns_workers() || other_slots) {
    workers_->apply(std::move(opened), made);
    multicast_.configure(made, *workers_);
  }
  on_slots_changed();
  configure_muxers();
  if (first) {
    hooks_.configure(made);
    warn_of_limits(made);
    handle(paths::RulesChanged{});
  } else {
    follow(plan);
  }
  return {};
}

// Whatever has changed, who may read a path may be another matter now.
void Supervisor::configure_muxers() {
  const config::Configuration &now = configuration();
  muxers_.configure({now.hls_always_remux, hls_settings(now), processes::memory_budget(now.max_memory).segment_bytes},
                    loop_.now());
  workers_->slots(config::Protocol::Hls).for_each([this](uint16_t slot) {
    workers_->send(slot, control::ForgetVerdicts{});
  });
  if (now.hls_disable)
    muxer_timer_.stop();
  else if (!muxer_timer_.active())
    muxer_timer_.start(kSecond, kSecond);
}

void Supervisor::follow(const config::ReloadPlan &plan) {
  using config::Change;
  const config::Configuration &now = configuration();
  auto concerns = [&](auto... changes) { return (plan.changes.contains(changes) || ...); };
  if (concerns(Change::Log)) set_log_level(now.log_level);
  if (concerns(Change::MemoryLimits)) rings_.set_limits(ring_limits(now));
  if (concerns(Change::WorkerSetting)) {
    paths_.set_max_sessions(static_cast<size_t>(now.max_sessions));
    bool named = std::find(plan.parameters.begin(), plan.parameters.end(), "maxSessions") != plan.parameters.end();
    if (named) warn_of_limits(now);
  }
  if (concerns(Change::ConnectHook, Change::RtspListener)) hooks_.configure(now); // commands know the port
  handle(paths::RulesChanged{}); // each path finds out whether its rules are others now
}

void Supervisor::warn_of_limits(const config::Configuration &configuration) const {
  uint64_t limit = processes::descriptor_limit();
  if (static_cast<uint64_t>(configuration.max_sessions) < limit) return;
  log(LogLevel::Warn, "maxSessions is {}, but a process may have {} files open only: further clients are refused",
      configuration.max_sessions, limit);
}

Result<paths::PathRules> Supervisor::rules_for(const std::string &name) const {
  return path_rules(TRY(active_->matcher.find(name)), configuration());
}

std::vector<std::string> Supervisor::permanent_paths() const {
  std::vector<std::string> names;
  for (const auto &[name, path] : configuration().paths)
    if (!path.is_regex()) names.push_back(name);
  return names;
}

// --- requests ---

void Supervisor::on_worker_message(uint16_t slot, control::Message message) {
  if (const auto *request = std::get_if<control::RingTooSmall>(&message)) return grow_ring(slot, *request);
  if (const auto *asked = std::get_if<control::Claim>(&message)) return claim(slot, *asked);
  bool of_source = std::holds_alternative<control::SourceReady>(message) ||
                   std::holds_alternative<control::SourceFailed>(message) ||
                   std::holds_alternative<control::SourceMoved>(message);
  if (of_source) return sources_.on_message(slot, message);
  if (const auto *join = std::get_if<control::JoinMulticast>(&message)) return multicast_.on_join(slot, *join, paths_);
  if (const auto *stray = std::get_if<control::StrayDatagram>(&message)) return offer(*stray);
  if (const auto *heard = std::get_if<control::HeardAll>(&message)) return udp_claims_.note_heard(heard->session);
  config::Protocol protocol = workers_->protocol_of(slot);
  if (const auto *connected = std::get_if<control::Connected>(&message))
    return hooks_.on_connected(slot, protocol, *connected);
  if (const auto *closed = std::get_if<control::Closed>(&message)) return hooks_.on_closed(slot, closed->connection);
  bool of_muxer =
      std::holds_alternative<control::Mux>(message) || std::holds_alternative<control::MuxerReady>(message) ||
      std::holds_alternative<control::MuxerEnded>(message) || std::holds_alternative<control::MuxerUsed>(message);
  if (of_muxer) return muxers_.on_message(slot, message, loop_.now());
  // Muxers read for whoever may read what they make.
  bool trusted = protocol == config::Protocol::Hls && std::holds_alternative<control::Read>(message);
  if (trusted) return handle(paths::FromWorker{slot, std::move(message), protocol});
  bool asks = std::holds_alternative<control::Authorize>(message) ||
              std::holds_alternative<control::Describe>(message) || std::holds_alternative<control::Admit>(message) ||
              std::holds_alternative<control::Publish>(message) || std::holds_alternative<control::Read>(message);
  if (asks) return gate_.submit(slot, protocol, std::move(message));
  if (const auto *release = std::get_if<control::Release>(&message)) {
    gate_.drop_session(release->session);
    operations_->on_session_ended(slot, *release);
    udp_claims_.release(release->session);
  }
  multicast_.on_message(slot, message);
  handle(paths::FromWorker{slot, std::move(message), protocol});
}

void Supervisor::on_passed(uint16_t slot, control::Message message) {
  if (const auto *authorize = std::get_if<control::Authorize>(&message))
    return workers_->send(slot, control::Admitted{authorize->request});
  handle(paths::FromWorker{slot, std::move(message), workers_->protocol_of(slot)});
}

void Supervisor::on_refused(uint16_t slot, control::Refused refused) {
  workers_->send(slot, refused);
}

void Supervisor::on_worker_ready(uint16_t slot) {
  sources_.on_worker_ready(slot);
  multicast_.on_worker_ready(slot);
  muxers_.on_worker_ready(slot);
  tell_if_ready();
}

void Supervisor::tell_if_ready() {
  if (operations_->why_not_ready().empty()) systemd_.ready();
}

void Supervisor::on_worker_gone(uint16_t slot) {
  operations_->on_worker_gone(slot);
  rings_.writer_gone(slot);
  multicast_.on_worker_gone(slot);
  gate_.drop_worker(slot);
  udp_claims_.release_slot(slot);
  hooks_.on_worker_gone(slot);
  handle(paths::WorkerGone{slot});
  sources_.on_worker_gone(slot);
  muxers_.on_worker_gone(slot, loop_.now());
}

void Supervisor::on_slots_changed() {
  multicast_.on_slots_changed();
  config::PerProtocol<control::SlotSet> slots;
  for (config::Protocol protocol : config::kProtocols) slots[protocol] = workers_->slots(protocol);
  sources_.set_slots(slots);
  muxers_.set_slots(slots[config::Protocol::Hls], loop_.now());
}

void Supervisor::on_source(const paths::Event &event) {
  handle(event);
}

bool Supervisor::worker_serves(uint16_t slot) const {
  return workers_->serves(slot);
}

void Supervisor::send_to_worker(uint16_t slot, const control::Message &message, std::span<const int> descriptors) {
  workers_->send(slot, message, descriptors);
}

void Supervisor::claim(uint16_t slot, const control::Claim &claim) {
  auto claimed = udp_claims_.claim(claim);
  if (claimed) return workers_->send(slot, control::Claimed{claim.request});
  workers_->send(slot, control::Refused{claim.request, control::Refusal::BadRequest, claimed.error().message, {}});
}

void Supervisor::offer(const control::StrayDatagram &stray) {
  UdpClaims::Candidates found = udp_claims_.publishers_beside(stray.address);
  for (control::SessionId session : found.sessions)
    workers_->send(shm::slot_of_session(session), control::StrayOffer{session, found.alone == session, stray});
}

void Supervisor::grow_ring(uint16_t writer, const control::RingTooSmall &request) {
  auto replacement = rings_.grow(request.stream, writer, request.wanted_bytes);
  if (!replacement) log(LogLevel::Warn, "a ring can't grow: {}", replacement.error().message);
  if (!replacement || !*replacement) return workers_->send(writer, control::RingKept{request.stream});
  const processes::Rings::Grant &grant = (*replacement)->grant;
  tell_readers(request.stream, grant, (*replacement)->readers & ~(uint64_t{1} << writer));
  workers_->send(writer, control::RingReplaced{request.stream}, {&grant.writable, 1});
}

void Supervisor::tell_readers(control::StreamId stream, const processes::Rings::Grant &grant, uint64_t slots) {
  for (; slots != 0; slots &= slots - 1)
    workers_->send(static_cast<uint16_t>(std::countr_zero(slots)), control::RingReplaced{stream},
                   {&grant.read_only, 1});
}

// --- paths ---

void Supervisor::handle(const paths::Event &event) {
  std::vector<paths::Event> failures;
  for (const paths::Effect &effect : paths_.on_event(event, loop_.now())) perform(effect, failures);
  // What follows from a failure grants nothing, so this ends.
  for (const paths::Event &failure : failures) handle(failure);
  if (auto deadline = paths_.next_deadline())
    path_timer_.start(std::max<Nanoseconds>(*deadline - loop_.now(), 0));
  else
    path_timer_.stop();
}

void Supervisor::perform(const paths::Effect &effect, std::vector<paths::Event> &failures) {
  auto note = [&](const auto &grant, const Result<void> &result) {
    if (!result)
      failures.push_back(
          paths::GrantFailed{grant.slot, grant.request, grant.session, source_of(grant), result.error().message});
  };
  if (const auto *message = std::get_if<paths::Send>(&effect)) workers_->send(message->slot, message->message);
  if (const auto *open = std::get_if<paths::OpenStream>(&effect)) note(*open, open_stream(*open));
  if (const auto *grant = std::get_if<paths::GrantRead>(&effect)) note(*grant, grant_read(*grant));
  if (const auto *join = std::get_if<paths::Subscribe>(&effect)) rings_.subscribe(join->stream, join->slot);
  if (const auto *part = std::get_if<paths::Unsubscribe>(&effect)) rings_.unsubscribe(part->stream, part->slot);
  if (const auto *close = std::get_if<paths::CloseStream>(&effect)) {
    multicast_.on_stream_closed(close->stream);
    rings_.close(close->stream);
  }
  if (const auto *pull = std::get_if<paths::PullSource>(&effect)) sources_.start(*pull);
  if (const auto *end = std::get_if<paths::EndSource>(&effect)) sources_.end(end->source);
  if (const auto *ready = std::get_if<paths::PathReady>(&effect)) muxers_.on_path_ready(ready->path, loop_.now());
  if (const auto *gone = std::get_if<paths::PathNotReady>(&effect)) muxers_.on_path_not_ready(gone->path);
  if (const auto *run = std::get_if<paths::RunCommand>(&effect)) hooks_.run(*run);
  if (const auto *end = std::get_if<paths::EndCommand>(&effect)) hooks_.end(end->number);
  if (const auto *line = std::get_if<paths::Log>(&effect)) log(line->level, "[path {}] {}", line->path, line->text);
}

Result<void> Supervisor::open_stream(const paths::OpenStream &open) {
  processes::Rings::Grant grant;
  if (open.continues) {
    processes::Rings::Replacement handed = TRY(rings_.hand_on(open.stream, open.slot));
    grant = handed.grant;
    tell_readers(open.stream, grant, handed.readers);
  } else {
    grant = TRY(rings_.open(open.stream, open.slot, open.description));
  }
  control::PublishGranted granted;
  granted.request = open.request;
  granted.stream = open.stream;
  granted.ring_index = grant.ring_index;
  granted.coalesce_ns = open.coalesce;
  granted.merge_ns = open.merge;
  granted.continues = open.continues;
  granted.absolute_time = open.absolute_time;
  granted.max_ring_bytes = rings_.largest_bytes();
  std::vector<int> descriptors{grant.writable};
  if (grant.former >= 0) descriptors.push_back(grant.former);
  workers_->send(open.slot, granted, descriptors);
  return {};
}

Result<void> Supervisor::grant_read(const paths::GrantRead &read) {
  processes::Rings::Grant grant = TRY(rings_.find(read.stream));
  control::ReadGranted granted{read.request, read.stream, grant.ring_index, read.from_key_frame};
  workers_->send(read.slot, granted, {&grant.read_only, 1});
  return {};
}

// --- time and the end ---

void Supervisor::on_timer(loop::Timer &timer) {
  if (&timer == &path_timer_) return handle(paths::TimePassed{});
  if (&timer == &muxer_timer_) return muxers_.on_time(loop_.now());
  if (&timer == &reload_timer_) return reload("an address was in use");
  workers_->shut_down(true);
}

void Supervisor::on_signal(int number) {
  if (number == SIGHUP) {
    logs_.reopen();
    return reload("SIGHUP");
  }
  if (stopping_) { // asked twice
    workers_->shut_down(true);
    return hooks_.kill_all();
  }
  stop();
}

void Supervisor::stop() {
  stopping_ = true;
  systemd_.stopping();
  log(LogLevel::Info, "shutting down gracefully");
  operations_->stop();
  shutdown_timer_.start(kShutdownPatience, kSecond);
  hooks_.stop_all();
  if (!hooks_.idle()) log(LogLevel::Info, "waiting for external commands");
  workers_->shut_down(false);
}

void Supervisor::on_all_workers_closed() {
  workers_closed_ = true;
  leave_if_done();
}

void Supervisor::on_hooks_idle() {
  leave_if_done();
}

void Supervisor::leave_if_done() {
  if (!workers_closed_ || !hooks_.idle()) return;
  hooks::kill_orphans({});
  loop_.stop();
}

} // namespace sluice
