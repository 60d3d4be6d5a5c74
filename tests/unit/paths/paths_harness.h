// A configuration to change, events as short calls, and effects as texts, so that tests read like a protocol of what
// happened.
#pragma once

#include "supervisor/paths/paths.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace sluice::paths {

constexpr uint64_t session(uint64_t number, SlotIndex slot) {
  return number << 6 | slot;
}
constexpr SessionId kPublisher = session(1, 0), kRival = session(2, 1), kReader = session(3, 0), kOther = session(4, 1);

// What the configuration says, for tests to change.
struct Rules : RuleSource {
  Result<PathRules> rules_for(const std::string &path) const override {
    if (path == "unknown" || removed.contains(path)) return Error{"path '" + path + "' is not configured"};
    auto special = entries.find(path);
    PathRules rules = special == entries.end() ? PathRules{} : special->second;
    rules.entry = special == entries.end() ? "all" : path;
    return rules;
  }
  std::vector<std::string> permanent_paths() const override {
    std::vector<std::string> names;
    for (const auto &[name, rules] : entries)
      if (rules.permanent) names.push_back(name);
    return names;
  }
  std::map<std::string, PathRules> entries{{"fixed", {.publisher_override = false}}};
  std::set<std::string> removed;
};

inline media::StreamDescription description(size_t tracks = 1) {
  media::Track track;
  track.clock_rate = 90000;
  return {std::vector<media::Track>(tracks, track)};
}

inline std::string text_of(const Effect &effect) {
  auto number = [](auto value) { return std::to_string(value); };
  if (const auto *open = std::get_if<OpenStream>(&effect))
    return (open->continues ? "continue " : "open ") + number(open->stream) + " for " + open->path +
           (open->absolute_time ? " absolute" : "");
  if (const auto *grant = std::get_if<GrantRead>(&effect))
    return "grant " + number(grant->stream) + (grant->from_key_frame ? " from key frame" : "");
  if (const auto *join = std::get_if<Subscribe>(&effect)) return "subscribe " + number(join->slot);
  if (const auto *part = std::get_if<Unsubscribe>(&effect)) return "unsubscribe " + number(part->slot);
  if (const auto *close = std::get_if<CloseStream>(&effect)) return "close " + number(close->stream);
  if (const auto *line = std::get_if<Log>(&effect)) return "log [path " + line->path + "] " + line->text;
  if (const auto *pull = std::get_if<PullSource>(&effect))
    return "pull " + number(pull->source) + " " + pull->rule.url + (pull->slot ? " in " + number(*pull->slot) : "");
  if (const auto *end = std::get_if<EndSource>(&effect)) return "end source " + number(end->source);
  static constexpr const char *kHooks[] = {"init", "demand", "ready", "read"};
  if (const auto *command = std::get_if<RunCommand>(&effect))
    return "run " + number(command->number) + " on " + kHooks[static_cast<int>(command->hook)] + ": " +
           command->rule.command;
  if (const auto *command = std::get_if<EndCommand>(&effect)) return "end " + number(command->number);
  const Send &send = std::get<Send>(effect);
  std::string to = number(send.slot) + ": ";
  if (const auto *kick = std::get_if<control::Kick>(&send.message))
    return to + "kick " + number(kick->session >> 6) + " " + kick->reason;
  if (const auto *refused = std::get_if<control::Refused>(&send.message))
    return to + "refused " + number(static_cast<int>(refused->refusal)) + " " + refused->reason;
  if (const auto *described = std::get_if<control::Described>(&send.message))
    return to + "described " + number(described->description.tracks.size());
  if (std::holds_alternative<control::Recorded>(send.message)) return to + "recorded";
  if (std::holds_alternative<control::Admitted>(send.message)) return to + "admitted";
  if (const auto *redirected = std::get_if<control::Redirected>(&send.message))
    return to + "redirected " + redirected->location;
  if (const auto *settings = std::get_if<control::StreamSettings>(&send.message))
    return to + "settings " + number(settings->coalesce_ns) + " " + number(settings->merge_ns) +
           (settings->absolute_time ? " absolute" : "");
  if (const auto *ended = std::get_if<control::StreamEnded>(&send.message))
    return to + "ended " + number(ended->stream);
  return to + "?";
}

struct PathsTest : testing::Test {
  std::vector<std::string> on(const Event &event) { return texts(paths.on_event(event, now)); }
  std::vector<std::string> from(SlotIndex slot, control::Message message) {
    return on(FromWorker{slot, std::move(message)});
  }
  // Without the lines that say that paths come and go; whether they are ready stands in `ready`.
  std::vector<std::string> texts(const Effects &effects) {
    std::vector<std::string> list;
    for (const Effect &effect : effects) {
      if (const auto *begun = std::get_if<PathReady>(&effect)) {
        ready.insert(begun->path);
        continue;
      }
      if (const auto *over = std::get_if<PathNotReady>(&effect)) {
        EXPECT_EQ(ready.erase(over->path), 1U);
        continue;
      }
      const auto *line = std::get_if<Log>(&effect);
      if (line == nullptr || line->level != LogLevel::Debug) list.push_back(text_of(effect));
    }
    return list;
  }
  auto describe(const std::string &path = "a", SlotIndex slot = 0) {
    return from(slot, control::Describe{.request = 1, .path = path});
  }
  auto publish(SessionId id, const std::string &path = "a", size_t tracks = 1) {
    return from(
        id & 63,
        control::Publish{
            .request = 1, .session = id, .log_id = log_id(id), .path = path, .description = description(tracks)});
  }
  auto admit(SessionId id, const std::string &path = "a") {
    return from(id & 63, control::Admit{.request = 1, .session = id, .log_id = log_id(id), .path = path});
  }
  auto record(SessionId id) { return from(id & 63, control::Record{1, id}); }
  auto pause(SessionId id) { return from(id & 63, control::PublisherPaused{id}); }
  auto read(SessionId id, const std::string &path = "a") {
    return from(id & 63, control::Read{.request = 1, .session = id, .log_id = log_id(id), .path = path});
  }
  auto play(SessionId id) { return from(id & 63, control::Playing{id}); }
  auto release(SessionId id) { return from(id & 63, control::Release{id}); }
  auto worker_gone(SlotIndex slot) { return on(WorkerGone{slot}); }
  auto source_up(SourceId id, size_t tracks = 1, SlotIndex slot = 0) {
    return on(SourceUp{slot, id, 1, description(tracks)});
  }
  auto source_down(SourceId id, bool at_once = false) { return on(SourceDown{id, "reason", at_once}); }
  auto source_moved(SourceId id) { return on(SourceMoved{id}); }
  auto reload() { return on(RulesChanged{}); }
  auto pass(Nanoseconds time) {
    now += time;
    return on(TimePassed{});
  }
  static uint32_t log_id(SessionId id) { return static_cast<uint32_t>(100 + (id >> 6)); }

  Rules rules;
  Paths paths{rules, 10};
  Nanoseconds now = kSecond;
  std::set<std::string> ready; // paths
};

} // namespace sluice::paths
