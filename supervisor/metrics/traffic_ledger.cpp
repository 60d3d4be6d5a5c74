#include "supervisor/metrics/traffic_ledger.h"

namespace sluice::metrics {
namespace {

void keep_greatest(uint64_t &shown, uint64_t value) {
  shown = std::max(shown, value);
}

// What is shown of an entry when `now` flows besides.
Traffic show(TrafficLedger::Entry &entry, const Traffic &now) {
  Traffic sum = entry.ended;
  sum.add(now);
  Traffic &shown = entry.shown;
  keep_greatest(shown.bytes_in, sum.bytes_in);
  keep_greatest(shown.bytes_out, sum.bytes_out);
  keep_greatest(shown.packets_in, sum.packets_in);
  keep_greatest(shown.packets_out, sum.packets_out);
  keep_greatest(shown.lost, sum.lost);
  keep_greatest(shown.dropped, sum.dropped);
  keep_greatest(shown.laps, sum.laps);
  shown.jitter_us = now.jitter_us;
  return shown;
}

} // namespace

void TrafficLedger::on_session_ended(config::Protocol protocol, const std::string &path, const Traffic &traffic) {
  totals_[protocol].ended.add(traffic);
  if (path.empty()) return;
  auto &entries = entries_[protocol];
  entries[path].ended.add(traffic);
  if (entries.size() < limits_[protocol]) return;
  forget_gone(entries);
  limits_[protocol] = std::max(kManyEntries, 2 * entries.size());
}

void TrafficLedger::forget_gone(std::map<std::string, Entry> &entries) const {
  std::erase_if(entries, [this](const auto &entry) { return !paths_.exists(entry.first); });
}

TrafficLedger::ByPath TrafficLedger::by_path(config::Protocol protocol, const ByPath &now) {
  auto &entries = entries_[protocol];
  forget_gone(entries);
  for (const auto &[path, traffic] : now)
    if (paths_.exists(path)) entries.try_emplace(path);
  ByPath shown;
  for (auto &[path, entry] : entries) {
    auto flowing = now.find(path);
    shown.emplace(path, show(entry, flowing != now.end() ? flowing->second : Traffic{}));
  }
  return shown;
}

Traffic TrafficLedger::total(config::Protocol protocol, const ByPath &now) {
  Traffic flowing;
  for (const auto &[path, traffic] : now) flowing.add(traffic);
  return show(totals_[protocol], flowing);
}

} // namespace sluice::metrics
