// The room with workers, rings and wires around it: carries its effects out, remembers who sends what and where, and
// complains about whatever must not be.
#pragma once

#include "supervisor/multicast/multicast.h"

#include <gmock/gmock.h>

namespace sluice::multicast {

struct Room {
  struct Sender {
    Slot slot = 0;
    std::vector<std::string> groups;
    std::vector<uint32_t> interfaces;
    uint16_t rtp_port = 0;
  };
  static constexpr uint32_t kBase = 224u << 24 | 1u << 16;

  Multicast multicast;
  std::set<Slot> ready;
  std::map<control::StreamId, Sender> senders;
  std::map<control::StreamId, std::multiset<Slot>> subscribed;
  std::map<control::SessionId, Slot> slots;
  std::optional<control::Message> answer; // the last
  size_t starts = 0;

  explicit Room(size_t slot_count = 4, int prefix_bits = 16) {
    set_range(prefix_bits);
    set_slots(slot_count);
    for (Slot slot = 0; slot < slot_count; slot++) worker_comes(slot);
  }

  void set_range(int prefix_bits, uint16_t port = 8002, bool enabled = true) {
    multicast.configure({enabled, {kBase, prefix_bits}, port, static_cast<uint16_t>(port + 1)});
  }

  void worker_comes(Slot slot) {
    ready.insert(slot);
    carry_out(multicast.on_worker_ready(slot));
  }
  void worker_dies(Slot slot) {
    ready.erase(slot);
    std::erase_if(senders, [&](const auto &entry) { return entry.second.slot == slot; });
    carry_out(multicast.on_worker_gone(slot));
  }

  // The groups, or why not.
  Result<control::MulticastGranted> join(Slot slot, control::SessionId session, control::StreamId stream,
                                         uint32_t interface = 2, size_t tracks = 2) {
    answer.reset();
    slots.emplace(session, slot);
    carry_out(multicast.on_join(slot, {session, session, interface}, stream, tracks));
    if (auto *granted = answer ? std::get_if<control::MulticastGranted>(&*answer) : nullptr) return *granted;
    return Error{answer ? std::get<control::Refused>(*answer).reason : "no answer"};
  }
  void must_join(Slot slot, control::SessionId session, control::StreamId stream, uint32_t interface = 2) {
    EXPECT_TRUE(join(slot, session, stream, interface).has_value());
  }
  void play(control::SessionId session) { carry_out(multicast.on_playing(slots.at(session), session, true)); }
  void pause(control::SessionId session) { carry_out(multicast.on_playing(slots.at(session), session, false)); }
  void release(control::SessionId session) { carry_out(multicast.on_release(slots.at(session), session)); }
  void close(control::StreamId stream) { carry_out(multicast.on_stream_closed(stream)); }
  void set_slots(size_t count) { set_slots(control::SlotSet::first(count)); }
  void set_slots(control::SlotSet those) { carry_out(multicast.set_slots(those)); }

  void carry_out(const Effects &effects) {
    for (const Effect &effect : effects) {
      if (const auto *send = std::get_if<Send>(&effect)) {
        EXPECT_TRUE(ready.contains(send->slot)) << "nobody is there to be told";
        if (const auto *stop = std::get_if<control::StopMulticast>(&send->message)) {
          EXPECT_EQ(senders.at(stop->stream).slot, send->slot);
          senders.erase(stop->stream);
        } else {
          answer = send->message;
        }
      } else if (const auto *start = std::get_if<StartSending>(&effect)) {
        begin_sending(*start);
      } else if (const auto *join = std::get_if<Subscribe>(&effect)) {
        subscribed[join->stream].insert(join->slot);
      } else if (const auto *part = std::get_if<Unsubscribe>(&effect)) {
        auto &woken = subscribed.at(part->stream);
        woken.extract(part->slot);
        if (woken.empty()) subscribed.erase(part->stream);
      }
    }
  }

  void begin_sending(const StartSending &start) {
    starts++;
    const control::SendMulticast &message = start.message;
    EXPECT_TRUE(ready.contains(start.slot));
    EXPECT_TRUE(subscribed[message.stream].contains(start.slot)) << "it would not be woken";
    EXPECT_EQ(message.ttl, 16);
    auto known = senders.find(message.stream);
    if (known != senders.end()) {
      EXPECT_EQ(known->second.slot, start.slot) << "two senders of a stream";
      EXPECT_EQ(known->second.groups, message.groups) << "other groups in the midst of a stream";
    }
    senders[message.stream] = {start.slot, message.groups, message.interfaces, message.rtp_port};
  }
};

} // namespace sluice::multicast
