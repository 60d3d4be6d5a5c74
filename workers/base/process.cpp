#include "workers/base/process.h"

#include "common/base/log.h"
#include "common/loop/sandbox.h"
#include "workers/base/crash_handler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

namespace sluice::worker {
namespace {

// The process: its loop, its control channel, its log and its sign of life. Ends when the supervisor is gone.
class Process final : public Supervisor, public LogSink, public loop::Poll::Listener, public loop::Timer::Listener {
public:
  Process(int control_fd, Create create, const char *label)
      : create_(create), label_(label), channel_(Fd(control_fd)), control_poll_(loop_, control_fd, *this),
        tick_timer_(loop_, *this) {}

  int run() {
    install_crash_handlers();
    set_log(this, LogLevel::Info);
    if (auto entered = loop::enter_sandbox({.lowest_own_descriptor = channel_.fd() + kKeepersAfterChannel}); !entered)
      log(LogLevel::Warn, "[{}] the worker runs without a sandbox: {}", label_, entered.error().message);
    control_poll_.watch(loop::Poll::kReadable);
    send(control::Hello{.version = control::kVersion, .epoch = 0, .pid = static_cast<uint32_t>(::getpid())});
    loop_.run();
    return status_;
  }

private:
  static constexpr int kKeepersAfterChannel = 2; // the channel's own, and that of the keeper's signals
  static constexpr Nanoseconds kTickInterval = 200 * kMillisecond;
  static constexpr Nanoseconds kShutdownPatience = 3 * kSecond; // the supervisor waits a little longer

  void on_poll(int, int events) override {
    if ((events & loop::Poll::kWritable) != 0) {
      if (!check(channel_.flush())) return;
      if (server_ && !channel_.congested()) server_->on_channel_room();
    }
    if ((events & loop::Poll::kReadable) != 0) receive();
    watch();
  }

  void receive() {
    constexpr int kMessagesPerTurn = 256;
    for (int i = 0; i < kMessagesPerTurn; i++) {
      auto received = channel_.receive();
      if (!received) return fail(received.error().message);
      if (!*received) return;
      if (auto *welcome = std::get_if<control::Welcome>(&(*received)->message))
        start(*welcome, (*received)->descriptors);
      else if (std::get_if<control::Shutdown>(&(*received)->message) != nullptr)
        shut_down();
      else if (server_)
        server_->on_message(**received);
    }
  }

  void start(const control::Welcome &welcome, std::vector<Fd> &descriptors) {
    size_t expected = 2u + welcome.listeners + welcome.udp_bases + welcome.doorbells;
    if (server_ || descriptors.size() != expected || welcome.slot >= welcome.doorbells ||
        welcome.tls_listeners > welcome.listeners)
      return fail("malformed Welcome");
    auto table = shm::SessionTable::map(descriptors[0].get());
    if (!table) return fail(table.error().message);
    auto board = shm::DoorbellBoard::map(descriptors[1].get());
    if (!board) return fail(board.error().message);
    set_log_level(static_cast<LogLevel>(welcome.settings.log_level));
    table_.emplace(std::move(*table));
    note_crashes_in(&table_->header().crash);
    forget_predecessor();
    ServerParts parts{
        .welcome = welcome, .listeners = {}, .udp_bases = {}, .doorbells = {}, .board = std::move(*board)};
    auto next = descriptors.begin() + 2;
    auto take = [&](std::vector<Fd> &to, size_t count) {
      for (; count > 0; count--) to.push_back(std::move(*next++));
    };
    take(parts.listeners, welcome.listeners);
    take(parts.udp_bases, welcome.udp_bases);
    take(parts.doorbells, welcome.doorbells);
    table_->header().incarnation.store(welcome.epoch, std::memory_order_relaxed);
    on_timer(tick_timer_);
    server_ = create_(loop_, *this, *table_, std::move(parts));
    tick_timer_.start(kTickInterval, kTickInterval);
  }

  // Its connections were closed before the loop began; its sessions are not continued.
  void forget_predecessor() {
    for (shm::ConnectionRecord &record : table_->touched_connections()) record.state.store(shm::RecordState::Free);
    for (shm::SessionRecord &record : table_->touched_sessions()) record.state.store(shm::RecordState::Free);
  }

  void shut_down() {
    if (!server_) return end(0);
    server_->shut_down();
    shutdown_deadline_ns_ = loop_.now() + kShutdownPatience;
    tick_timer_.start(0, 10 * kMillisecond);
  }

  void on_timer(loop::Timer &) override {
    Nanoseconds now = loop_.now();
    if (table_) table_->header().tick_ns.store(now, std::memory_order_relaxed);
    if (server_ && server_->drained()) end(0);
    if (shutdown_deadline_ns_ != 0 && (server_->empty() || now > shutdown_deadline_ns_)) end(0);
  }

  void send(const control::Message &message, std::span<const int> descriptors = {}) override {
    if (ended_) return;
    if (check(channel_.send(message, descriptors))) watch();
  }

  bool congested() const override { return channel_.congested(); }

  // Lines wait for the supervisor like any message, but are the first to be given up when it does not read.
  void write(LogLevel level, std::string_view message) override {
    if (ended_ || channel_.wants_write()) {
      lost_lines_++;
      return;
    }
    if (lost_lines_ > 0) {
      std::string note = std::to_string(std::exchange(lost_lines_, 0)) + " log lines lost";
      send(control::LogLine{.level = static_cast<uint8_t>(LogLevel::Warn), .text = std::move(note)});
    }
    send(control::LogLine{.level = static_cast<uint8_t>(level),
                          .text = std::string(message.substr(0, kMaxLogLineBytes))});
  }

  bool check(const Result<void> &result) {
    if (!result) fail(result.error().message);
    return result.has_value();
  }

  void watch() {
    if (!ended_) control_poll_.watch(loop::Poll::kReadable | (channel_.wants_write() ? loop::Poll::kWritable : 0));
  }

  // Without its control channel there is nothing to serve. The reason still reaches the log if the channel does.
  void fail(const std::string &reason) {
    if (ended_) return;
    control::LogLine line{.level = static_cast<uint8_t>(LogLevel::Error),
                          .text = fmt::format("[{}] worker ends: {}", label_, reason)};
    end(1);
    [[maybe_unused]] auto told = channel_.send(line); // nothing more can be done
  }

  void end(int status) {
    if (std::exchange(ended_, true)) return;
    status_ = status;
    loop_.stop();
  }

  Create create_;
  const char *label_;
  loop::Loop loop_;
  control::Channel channel_;
  loop::Poll control_poll_;
  loop::Timer tick_timer_;
  std::optional<shm::SessionTable> table_;
  std::unique_ptr<Server> server_;
  Nanoseconds shutdown_deadline_ns_ = 0;
  uint64_t lost_lines_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

} // namespace

void run(int control_fd, Create create, const char *label) {
  auto *process = new Process(control_fd, create, label); // not destroyed: the process ends, and the kernel takes back
  ::_exit(process->run());                                // all there is
}

} // namespace sluice::worker
