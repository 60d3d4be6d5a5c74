#include "workers/base/server.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "workers/base/publication.h"

#include <sys/resource.h>

#include <algorithm>

namespace sluice::worker {
namespace {

size_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

uint32_t draw_log_id() {
  return static_cast<uint32_t>(100'000'000 + secure_random() % 900'000'000);
}

} // namespace

Server::Server(loop::Loop &loop, Supervisor &supervisor, shm::SessionTable &table, ServerParts &parts,
               const char *label, std::vector<std::string> protocols)
    : loop_(loop), supervisor_(supervisor), label_(label), welcome_(parts.welcome), allocator_(table),
      streams_(loop, *this, std::move(parts.board), std::move(parts.doorbells), parts.welcome.slot),
      listeners_(loop, *this, label, std::move(protocols)), sources_(*this, *this), next_turn_(loop, *this),
      turn_end_(loop, *this), second_(loop, *this),
      max_descriptors_(std::max<size_t>(descriptor_limit(), 2 * kReservedDescriptors) - kReservedDescriptors) {}

Server::~Server() = default;

void Server::start(ServerParts &parts) {
  allocator_.set_max_large_bytes(settings().max_input_bytes);
  on_settings(std::move(parts.udp_bases));
  listeners_.listen(std::move(parts.listeners), welcome_.tls_listeners);
  second_.start(kSecond, kSecond);
}

// Each step of a long turn is a sign of life: none takes long.
void Server::note_blame(uint64_t session) {
  shm::SlotHeader &header = allocator_.table().header();
  header.blame_session.store(session, std::memory_order_relaxed);
  header.tick_ns.store(header.tick_ns.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Server::identify(shm::ConnectionRecord &record) {
  record.id = next_connection_++;
  record.log_id = draw_log_id();
  record.created_ns = wall_now();
  allocator_.table().header().accepted.fetch_add(record.is_source == 0 ? 1 : 0, std::memory_order_relaxed);
}

void Server::release(shm::SessionRecord &record, const std::string &path) {
  record.state.store(shm::RecordState::Closing, std::memory_order_release);
  supervisor_.send(control::Release{.session = record.id, .path = path, .traffic = shm::traffic_of(record)});
}

uint32_t Server::identify(shm::SessionRecord &record) {
  uint32_t low;
  do low = static_cast<uint32_t>(secure_random()) >> shm::kSlotBits << shm::kSlotBits | slot();
  while (low >> shm::kSlotBits == 0 || has_session(low));
  // The upper half tells the sessions of one low half apart: ids are never reused.
  record.id = next_session_++ << 32 | low;
  record.log_id = draw_log_id();
  record.created_ns = wall_now();
  return low;
}

// --- the supervisor ---

void Server::on_message(control::Received &received) {
  std::vector<Fd> &fds = received.descriptors;
  if (auto *certificate = std::get_if<control::Certificate>(&received.message))
    return listeners_.set_certificate(*certificate);
  if (auto *source = std::get_if<control::StartSource>(&received.message))
    return sources_.start(*source, fds, !leaving_ && !draining_);
  std::visit(
      [&](const auto &message) {
        using T = std::decay_t<decltype(message)>;
        if constexpr (std::is_same_v<T, control::Kick>) {
          on_kick(message);
        } else if constexpr (std::is_same_v<T, control::RingReplaced>) {
          if (fds.size() == 1) replace_ring(message, fds[0]);
        } else if constexpr (std::is_same_v<T, control::Settings>) {
          take(message, fds);
        } else if constexpr (std::is_same_v<T, control::RingKept>) {
          if (Publication *publication = publication_of(message.stream)) publication->keep_ring();
        } else if constexpr (std::is_same_v<T, control::StreamSettings>) {
          if (Publication *publication = publication_of(message.stream)) publication->change_settings(message);
        } else if constexpr (std::is_same_v<T, control::StopSource>) {
          sources_.stop(message);
        } else if constexpr (std::is_same_v<T, control::Drain>) {
          drain();
        } else if constexpr (std::is_same_v<T, control::Ping>) {
          supervisor_.send(control::Pong{message.stamp});
        } else if constexpr (std::is_same_v<T, control::StreamEnded>) {
          // its sessions are kicked one by one
        } else if (!on_other(received)) {
          if constexpr (requires { message.request; })
            answer(message.request, received);
          else
            log(LogLevel::Warn, "[{}] unexpected control message ignored", label_);
        }
      },
      received.message);
}

void Server::answer(control::RequestId request, control::Received &received) {
  if (!sources_.answer(request, received)) on_answer(request, received);
}

// One descriptor serves both: readers of this slot get to know the next generation before its writer goes on there.
void Server::replace_ring(const control::RingReplaced &message, const Fd &fd) {
  streams_.replace_ring(message.stream, fd.get(), label_);
  if (Publication *publication = publication_of(message.stream)) publication->replace_ring(fd.get());
}

Publication *Server::publication_of(control::StreamId stream) {
  Publication *own = find_publication(stream);
  return own != nullptr ? own : sources_.find_publication(stream);
}

void Server::take(control::Settings message, std::vector<Fd> &fds) {
  if (fds.size() != size_t{message.listeners} + message.udp_bases || message.tls_listeners > message.listeners)
    return log(LogLevel::Error, "[{}] malformed settings ignored", label_);
  auto first_base = fds.begin() + message.listeners;
  std::vector<Fd> listeners(std::make_move_iterator(fds.begin()), std::make_move_iterator(first_base));
  std::vector<Fd> bases(std::make_move_iterator(first_base), std::make_move_iterator(fds.end()));
  listeners_.listen(std::move(listeners), message.tls_listeners); // those before are emptied by the former settings
  welcome_.settings = std::move(message.settings);
  set_log_level(static_cast<LogLevel>(settings().log_level));
  allocator_.set_max_large_bytes(settings().max_input_bytes);
  draining_ = false;
  on_settings(std::move(bases));
  if (!serves_clients()) close_clients();
}

void Server::drain() {
  listeners_.listen({}, 0);
  on_settings({});
  sources_.fail_all("the worker is given up");
  draining_ = true;
}

void Server::shut_down() {
  leaving_ = true;
  sources_.stop_all();
  listeners_.stop_accepting();
  close_clients();
}

// --- time ---

void Server::on_turn_end() {
  streams_.run_rounds();
  note_blame(0);
  sweep();
  streams_.sweep();
  sources_.sweep();
}

void Server::on_timer(loop::Timer &) {
  Nanoseconds now = loop_.now();
  on_second(now);
  sources_.on_second(now);
  listeners_.retry();
  allocator_.give_back_idle_memory();
  streams_.scan();
}

} // namespace sluice::worker
