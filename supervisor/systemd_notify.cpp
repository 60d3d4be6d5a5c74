#include "supervisor/systemd_notify.h"

#include "common/base/log.h"
#include "common/base/time.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

std::string take(config::Environment &environment, const char *name) {
  auto node = environment.extract(name);
  return node.empty() ? std::string() : std::move(node.mapped());
}

int64_t number(const std::string &text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

} // namespace

SystemdNotify::SystemdNotify(loop::Loop &loop, config::Environment &environment)
    : address_(take(environment, "NOTIFY_SOCKET")), watchdog_(loop, *this) {
  Nanoseconds interval = number(take(environment, "WATCHDOG_USEC")) * kMicrosecond;
  std::string whose = take(environment, "WATCHDOG_PID");
  bool usable =
      (address_.starts_with('/') || address_.starts_with('@')) && address_.size() < sizeof(sockaddr_un::sun_path);
  if (!usable) address_.clear();
  if (address_.empty()) return;
  socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (interval <= 0 || (!whose.empty() && number(whose) != ::getpid())) return;
  watchdog_.start(0, interval / 3); // one may come late
}

void SystemdNotify::ready() {
  if (!std::exchange(ready_, true)) send("READY=1");
}

void SystemdNotify::reloading() {
  if (ready_) send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_now() / kMicrosecond));
}

void SystemdNotify::reloaded(const std::string &status) {
  if (ready_) send("READY=1\nSTATUS=" + printable(status, 200));
}

void SystemdNotify::stopping() {
  send("STOPPING=1");
}

void SystemdNotify::on_timer(loop::Timer &) {
  send("WATCHDOG=1");
}

void SystemdNotify::send(const std::string &text) {
  if (!socket_.valid()) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  size_t length = offsetof(sockaddr_un, sun_path) + address_.size(); // an abstract name has no zero at its end
  if (to.sun_path[0] == '@')
    to.sun_path[0] = 0;
  else
    length++;
  ::sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr *>(&to),
           static_cast<socklen_t>(length));
}

} // namespace sluice
