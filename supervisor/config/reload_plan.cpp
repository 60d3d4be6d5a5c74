#include "supervisor/config/reload_plan.h"

#include "common/base/log.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/path_matcher.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::config {
namespace {

template <class S> bool differs(const Parameter<S> &parameter, const S &before, const S &after) {
  return std::visit([&](auto member) { return !(before.*member == after.*member); }, parameter.member);
}

template <class S>
void compare(const S &before, const S &after, Changes &changes, std::vector<std::string_view> &parameters) {
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    if (!differs(parameter, before, after)) continue;
    changes |= parameter.changes;
    parameters.push_back(parameter.name);
  }
}

// The regular expressions that `other` has as well, as they are tried.
std::vector<std::string_view> common_expressions(const Configuration &configuration, const Configuration &other) {
  std::vector<const PathConfiguration *> entries;
  for (const auto &[name, path] : configuration.paths)
    if (path.is_regex() && name != kAllPaths && other.paths.contains(name)) entries.push_back(&path);
  std::sort(entries.begin(), entries.end(), tried_before);
  std::vector<std::string_view> names;
  for (const PathConfiguration *entry : entries) names.push_back(entry->name);
  return names;
}

} // namespace

bool ReloadPlan::concerns_workers() const {
  using enum Change;
  for (Change change :
       {WorkerSetting, ConnectHook, RtspSlots, RtmpSlots, RtspListener, RtspsListener, RtspsCertificate, UdpListener,
        MulticastListener, RtmpListener, RtmpsListener, RtmpsCertificate, HlsSlots, HlsListener, HlsCertificate})
    if (changes.contains(change)) return true;
  return false;
}

std::string ReloadPlan::text() const {
  if (empty()) return "nothing has changed";
  std::string text;
  auto list = [&](std::string_view what, const auto &names) {
    constexpr size_t kMost = 10;
    if (names.empty()) return;
    text += fmt::format("{}{}", text.empty() ? "" : "; ", what);
    for (size_t i = 0; i < std::min(names.size(), kMost); i++)
      text += fmt::format("{} {}", i == 0 ? "" : ",", printable(names[i], 100));
    if (names.size() > kMost) text += fmt::format(" and {} more", names.size() - kMost);
  };
  std::vector<std::string> entries;
  for (const PathChange &change : changed) entries.push_back(change.name);
  list("changed:", parameters);
  list("changed paths:", entries);
  list("added paths:", added);
  list("removed paths:", removed);
  if (text.empty()) text = "regular expressions are tried in another order";
  return text;
}

ReloadPlan plan_reload(const Configuration &before, const Configuration &after) {
  ReloadPlan plan;
  compare(before, after, plan.changes, plan.parameters);
  for (const auto &[name, path] : before.paths)
    if (!after.paths.contains(name)) plan.removed.push_back(name);
  for (const auto &[name, path] : after.paths) {
    auto old = before.paths.find(name);
    if (old == before.paths.end()) {
      plan.added.push_back(name);
      continue;
    }
    PathChange change{name, {}, {}};
    compare(old->second, path, change.changes, change.parameters);
    if (!change.parameters.empty()) plan.changed.push_back(std::move(change));
  }
  plan.reordered = common_expressions(before, after) != common_expressions(after, before);
  return plan;
}

} // namespace sluice::config
