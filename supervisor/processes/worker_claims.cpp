#include "supervisor/processes/worker_claims.h"

#include "common/base/log.h"
#include "ipc/control/codec.h"
#include "ipc/shm/session_table.h"

namespace sluice::processes {
namespace {

// Messages stand in the variant in the order: from workers, both directions, from the supervisor.
bool workers_send(const control::Message &message) {
  return message.index() <= control::Message(control::HandOver{}).index();
}

bool owns(uint16_t slot, control::SessionId session) {
  return session >> shm::kSlotBits != 0 && shm::slot_of_session(session) == slot;
}

} // namespace

Result<void> check_claims(uint16_t slot, uint16_t slots, const control::Message &message, size_t descriptors) {
  const char *wrong = nullptr;
  const auto *hand_over = std::get_if<control::HandOver>(&message);
  if (!workers_send(message)) wrong = "it is not for workers to send";
  if (descriptors != (hand_over != nullptr ? 1 : 0)) wrong = "wrong number of descriptors";
  std::visit(
      [&](const auto &m) {
        using Kind = std::decay_t<decltype(m)>;
        if constexpr (requires { m.session; } && !std::is_same_v<Kind, control::HandOver>)
          if (!owns(slot, m.session)) wrong = "a session of another slot";
        if constexpr (requires { m.path; })
          if (m.path.size() > kMaxPathNameBytes) wrong = "the path's name is too long";
        if constexpr (std::is_same_v<Kind, control::SourceMoved>)
          if (m.url.size() > kMaxPathNameBytes) wrong = "the URL is too long";
        if constexpr (requires { m.addresses; })
          for (const std::string &address : m.addresses)
            if (address.size() > kMaxClientBytes) wrong = "an address is too long";
        if constexpr (std::is_same_v<Kind, control::StrayDatagram>)
          if (m.address.size() > kMaxClientBytes) wrong = "an address is too long";
        if constexpr (requires { m.client; })
          if (m.client.size() > kMaxClientBytes) wrong = "the client's name is too long";
      },
      message);
  if (const auto *line = std::get_if<control::LogLine>(&message))
    if (line->level > static_cast<uint8_t>(LogLevel::Error)) wrong = "no such log level";
  if (hand_over != nullptr &&
      (hand_over->slot >= slots || hand_over->slot == slot || !owns(hand_over->slot, hand_over->session)))
    wrong = "no such slot";
  if (wrong != nullptr) return Error{std::string("message ") + control::name_of(message) + ": " + wrong};
  return {};
}

} // namespace sluice::processes
