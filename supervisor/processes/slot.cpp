#include "supervisor/processes/slot.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "supervisor/processes/crash_report.h"
#include "supervisor/processes/spawn.h"
#include "supervisor/processes/worker_claims.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace sluice::processes {
namespace {

constexpr size_t kMessagesPerTurn = 64;        // of one worker, before the others get their turn
constexpr size_t kMessagesAtEnd = 1 << 16;     // more than a socket's queue holds
constexpr Nanoseconds kPatience = 2 * kSecond; // with a keeper that was told to kill

std::string text_of_status(const std::string &who, int status) {
  if (WIFSIGNALED(status))
    return fmt::format("{} killed by signal {} ({})", who, WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  return fmt::format("{} exited with status {}", who, WEXITSTATUS(status));
}

} // namespace

Result<std::unique_ptr<Slot>> Slot::create(loop::Loop &loop, Reaper &reaper, const SlotOptions &options,
                                           Listener &listener) {
  Fd table_fd = TRY(shm::SessionTable::make(options.max_sessions));
  shm::SessionTable table = TRY(shm::SessionTable::map(table_fd.get()));
  return std::unique_ptr<Slot>(new Slot(loop, reaper, options, listener, std::move(table_fd), std::move(table)));
}

Slot::Slot(loop::Loop &loop, Reaper &reaper, const SlotOptions &options, Listener &listener, Fd table_fd,
           shm::SessionTable table)
    : loop_(loop), reaper_(reaper), options_(options), listener_(listener), table_fd_(std::move(table_fd)),
      table_(std::move(table)), restart_timer_(loop, *this), watch_timer_(loop, *this) {}

Slot::~Slot() {
  if (keeper_pid_ == 0) return;
  reaper_.forget(keeper_pid_);
  ::kill(keeper_pid_, SIGKILL);
  while (::waitpid(keeper_pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Slot::start() {
  CHECK(state_ == State::Idle);
  watch_timer_.start(Watchdog::kInterval, Watchdog::kInterval);
  start_worker();
}

Result<void> Slot::start_keeper() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return os_error("socketpair");
  Fd ours(ends[0]), theirs(ends[1]);
  keeper_pid_ = TRY(spawn_keeper(options_.name, theirs.get()));
  reaper_.watch(keeper_pid_, *this);
  keeper_socket_ = std::move(ours);
  keeper_poll_ = std::make_unique<loop::Poll>(loop_, keeper_socket_.get(), static_cast<loop::Poll::Listener &>(*this));
  keeper_poll_->watch(loop::Poll::kReadable);
  state_ = State::Resting;
  return {};
}

void Slot::start_worker() {
  if (state_ == State::Idle) {
    if (auto started = start_keeper(); !started) {
      Nanoseconds delay = spacing_.on_death(false);
      log(LogLevel::Error, "[{}] keeper can't be started: {}", options_.name, started.error().message);
      restart_timer_.start(delay);
      return;
    }
  }
  CHECK(state_ == State::Resting);
  auto pair = control::Channel::make_pair();
  if (!pair) {
    log(LogLevel::Error, "[{}] worker can't be started: {}", options_.name, pair.error().message);
    restart_timer_.start(spacing_.on_death(false));
    return;
  }
  epoch_++;
  table_.header().tick_ns.store(0, std::memory_order_relaxed);
  table_.header().incarnation.store(epoch_, std::memory_order_release);
  table_.header().crash.signal.store(0, std::memory_order_relaxed);
  channel_.emplace(std::move(pair->first));
  channel_poll_ = std::make_unique<loop::Poll>(loop_, channel_->fd(), static_cast<loop::Poll::Listener &>(*this));
  channel_poll_->watch(loop::Poll::kReadable);
  greeted_ = doomed_ = awaits_pong_ = false;
  unread_since_ = 0;
  doom_.clear();
  watchdog_.reset(loop_.now());
  state_ = State::Running;
  if (!give_order(Order::Kind::Start, pair->second.get())) kill_keeper();
}

bool Slot::give_order(Order::Kind kind, int descriptor) {
  Order order{kind, 0, epoch_};
  iovec part{&order, sizeof order};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    header.msg_control = ancillary;
    header.msg_controllen = sizeof ancillary;
    cmsghdr *control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  }
  return ::sendmsg(keeper_socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof order;
}

// Its end takes the worker along and is dealt with in on_child_gone().
void Slot::kill_keeper() {
  if (keeper_pid_ != 0) ::kill(keeper_pid_, SIGKILL);
}

void Slot::on_poll(int fd, int events) {
  if (keeper_poll_ != nullptr && fd == keeper_socket_.get()) return read_reports();
  if (!channel_ || fd != channel_->fd()) return;
  if ((events & loop::Poll::kWritable) != 0) {
    [[maybe_unused]] auto flushed = channel_->flush(); // a peer that is gone shows in reading
    watch_channel();
  }
  if ((events & loop::Poll::kReadable) != 0) read_messages(kMessagesPerTurn);
}

void Slot::on_timer(loop::Timer &timer) {
  if (&timer == &restart_timer_) {
    if (!stopping_) start_worker();
    return;
  }
  look_after_worker();
}

void Slot::look_after_worker() {
  Nanoseconds now = loop_.now();
  if (state_ != State::Running) return;
  if (doomed_ && now - doomed_at_ > kPatience) {
    log(LogLevel::Warn, "[{}] the keeper does not obey", options_.name);
    doomed_at_ = now;
    return kill_keeper();
  }
  look_after_channel(now);
  ping(now);
  bool hangs = watchdog_.look(table_.header().tick_ns.load(std::memory_order_relaxed), now);
  if (hangs && !doomed_) kill_worker("watchdog: no sign of life");
}

void Slot::look_after_channel(Nanoseconds now) {
  if (!channel_ || !channel_->wants_write() || channel_->flushed() != flushed_) {
    unread_since_ = 0;
    if (channel_) flushed_ = channel_->flushed();
  } else if (unread_since_ == 0) {
    unread_since_ = now;
  } else if (now - unread_since_ > options_.max_unread && !doomed_) {
    kill_worker("it does not read its control channel");
  }
}

void Slot::ping(Nanoseconds now) {
  if (!has_worker() || awaits_pong_ || now - pinged_at_ < kPingInterval) return;
  pinged_at_ = now;
  awaits_pong_ = true;
  send(control::Ping{now});
}

void Slot::kill_worker(const std::string &why) {
  if (doomed_) return;
  doomed_ = true;
  doomed_at_ = loop_.now();
  doom_ = why;
  if (state_ == State::Running && !give_order(Order::Kind::Kill)) kill_keeper();
}

void Slot::send(const control::Message &message, std::span<const int> descriptors) {
  if (!channel_ || !has_worker()) return;
  if (channel_->send(message, descriptors)) return watch_channel();
  kill_worker(channel_->wants_write() ? "it does not read its control channel" : "");
}

void Slot::watch_channel() {
  if (channel_poll_ == nullptr) return;
  int readable = channel_->congested() ? 0 : loop::Poll::kReadable; // each message may need an answer
  channel_poll_->watch(readable | (channel_->wants_write() ? loop::Poll::kWritable : 0));
}

void Slot::read_messages(size_t limit) {
  for (size_t i = 0; i < limit && channel_; i++) {
    if (channel_->congested() && state_ == State::Running) return watch_channel();
    auto received = channel_->receive();
    if (channel_->ended()) {
      channel_poll_.reset();
      if (state_ == State::Orphaned) return worker_gone("worker gone with its keeper");
      return kill_worker(""); // in vain, if it is dead already
    }
    if (!received) {
      kill_worker(received.error().message);
      continue;
    }
    if (!received->has_value()) return;
    bool trusted = !doomed_ || doom_.empty(); // one that is merely gone is heard to the end
    if (trusted) on_message(std::move(**received));
  }
}

void Slot::on_message(control::Received received) {
  const control::Message &message = received.message;
  auto checked = check_claims(options_.index, options_.slots, message, received.descriptors.size());
  const auto *hello = std::get_if<control::Hello>(&message);
  if (checked && (hello != nullptr) == greeted_) checked = Error{greeted_ ? "a second Hello" : "no Hello"};
  if (checked && hello != nullptr) checked = greet(*hello);
  if (!checked) return kill_worker(checked.error().message);
  if (const auto *pong = std::get_if<control::Pong>(&message)) {
    if (std::exchange(awaits_pong_, false) && pong->stamp == pinged_at_) round_trips_.observe(loop_.now() - pinged_at_);
    return;
  }
  if (hello == nullptr)
    return listener_.on_worker_message(*this, std::move(received.message), std::move(received.descriptors));
  greeted_ = true;
  greeted_at_ = loop_.now();
  listener_.on_worker_hello(*this);
}

Result<void> Slot::greet(const control::Hello &hello) const {
  if (hello.version != control::kVersion)
    return Error{
        fmt::format("it speaks version {} of the control channel, expected {}", hello.version, control::kVersion)};
  return {};
}

void Slot::read_reports() {
  for (;;) {
    Report report{};
    ssize_t count = ::recv(keeper_socket_.get(), &report, sizeof report, MSG_DONTWAIT | MSG_TRUNC);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count == sizeof report && report.epoch == epoch_) {
      on_report(report);
      if (keeper_poll_ == nullptr) return;
      continue;
    }
    keeper_poll_.reset(); // at its end, or rubbish
    return kill_keeper();
  }
}

void Slot::on_report(const Report &report) {
  if (state_ != State::Running) return;
  switch (report.kind) {
  case Report::Kind::Started:
    worker_pid_ = report.pid;
    return;
  case Report::Kind::Exited:
    report_crash(report.status);
    return worker_gone(text_of_status("worker", report.status));
  case Report::Kind::Failed:
    return worker_gone(fmt::format("worker can't be started: {}", ::strerror(report.status)));
  }
  kill_keeper();
}

void Slot::report_crash(int status) const {
  if (!WIFSIGNALED(status)) return;
  for (const std::string &line : crash_report(table_.header().crash, WTERMSIG(status)))
    log(LogLevel::Error, "[{}] {}", options_.name, line);
}

// No process of the incarnation is left; what it said before may still be in the channel.
void Slot::worker_gone(const std::string &how) {
  if (state_ == State::Running) {
    state_ = State::Resting;
    if (channel_poll_ != nullptr) read_messages(kMessagesAtEnd);
  } else {
    state_ = State::Idle;
  }
  channel_poll_.reset();
  channel_.reset();
  worker_pid_ = 0;
  bool served = greeted_ && table_.header().tick_ns.load(std::memory_order_relaxed) != 0;
  greeted_ = false;
  std::string text = doom_.empty() ? how : how + ": " + doom_;
  if (stopping_) {
    listener_.on_worker_gone(*this, text);
    return leave();
  }
  restarts_++;
  Nanoseconds delay = spacing_.on_death(served);
  log(LogLevel::Warn, "[{}] {}, restarting{}", options_.name, text,
      delay == 0 ? "" : fmt::format(" in {} ms", delay / kMillisecond));
  listener_.on_worker_gone(*this, text);
  if (delay == 0)
    start_worker();
  else
    restart_timer_.start(delay);
}

void Slot::on_child_gone(pid_t, int status) {
  keeper_pid_ = 0;
  keeper_poll_.reset();
  keeper_socket_.reset();
  if (state_ == State::Leaving) return close();
  if (!stopping_) log(LogLevel::Warn, "[{}] {}", options_.name, text_of_status("keeper", status));
  if (state_ == State::Running) {
    state_ = State::Orphaned; // until the channel's end shows that the worker is gone, too
    if (channel_poll_ == nullptr) return worker_gone("worker gone with its keeper");
    return read_messages(kMessagesAtEnd);
  }
  state_ = State::Idle;
  if (stopping_) return close();
  if (!restart_timer_.active()) restart_timer_.start(spacing_.on_death(false));
}

void Slot::drain() {
  stopping_ = true;
  restart_timer_.stop();
  if (state_ == State::Running) {
    if (has_worker()) return send(control::Drain{});
    return kill_worker(""); // it has not begun to serve
  }
  if (state_ == State::Idle || state_ == State::Resting) leave();
}

bool Slot::stay() {
  if (!stopping_ || state_ != State::Running || !has_worker()) return false;
  stopping_ = false;
  return true;
}

void Slot::shut_down(bool kill) {
  stopping_ = true;
  restart_timer_.stop();
  if (kill && (state_ == State::Running || state_ == State::Leaving)) return kill_keeper();
  if (state_ == State::Running) {
    if (has_worker()) return send(control::Shutdown{});
    return kill_worker("");
  }
  if (state_ == State::Idle || state_ == State::Resting) leave();
}

void Slot::leave() {
  if (state_ == State::Idle) return close();
  state_ = State::Leaving;
  if (!give_order(Order::Kind::Leave)) kill_keeper();
}

void Slot::close() {
  state_ = State::Closed;
  watch_timer_.stop();
  listener_.on_slot_closed(*this);
}

} // namespace sluice::processes
