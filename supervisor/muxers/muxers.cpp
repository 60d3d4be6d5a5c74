#include "supervisor/muxers/muxers.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/text.h"
#include "ipc/shm/memfd.h"
#include "ipc/store/segment_store.h"

#include <sys/stat.h>

#include <algorithm>

namespace sluice {
namespace {

// What a playlist tells, as much and two more for who is late, one in the making, and room for initialisation sections.
uint64_t capacity_for(const control::HlsSettings &settings) {
  uint64_t segments = 2 * uint64_t{settings.segment_count} + 4;
  uint64_t most = store::kMaxDataCapacity / segments;
  return segments * std::min(settings.segment_max_bytes, most);
}

uint64_t memory_of(const Fd &store) {
  struct stat facts {};
  if (::fstat(store.get(), &facts) != 0) return 0;
  return static_cast<uint64_t>(facts.st_blocks) * 512;
}

constexpr const char *kNoMemory = "no memory is left for HLS (maxMemory)";

} // namespace

Muxers::Muxers(Listener &listener) : listener_(listener) {
  for (size_t i = 0; i < shm::kMaxStores; i++) free_stores_.push_back(static_cast<uint16_t>(i));
}

// --- the configuration ---

void Muxers::configure(const Settings &settings, Nanoseconds now) {
  control::HlsSettings before = settings_.hls, after = settings.hls;
  // What answers to clients says, not what is made.
  before.allow_origin = after.allow_origin;
  before.trusted_proxies = after.trusted_proxies;
  bool others = before != after;
  settings_ = settings;
  if (others)
    while (!muxers_.empty()) end(muxers_.begin(), control::Refusal::Unavailable, "its settings have changed");
  if (!settings_.always) retries_.clear();
  if (settings_.always)
    for (const std::string &path : ready_paths_) start_automatic(path, now);
}

void Muxers::set_slots(control::SlotSet slots, Nanoseconds now) {
  slots_ = slots;
  if (slots_.empty())
    while (!muxers_.empty()) end(muxers_.begin(), control::Refusal::Unavailable, "terminated");
  for (auto muxer = muxers_.begin(); muxer != muxers_.end(); ++muxer) {
    std::optional<uint16_t> slot = muxer->second.slot;
    if (slot && slots_.contains(*slot)) continue;
    if (muxer->second.sent) listener_.send_to_worker(*slot, control::StopMuxer{muxer->first}, {});
    muxer->second.sent = false;
    place(muxer->second, choose_slot());
    send(muxer);
  }
  if (settings_.always)
    for (const std::string &path : ready_paths_) start_automatic(path, now);
}

// --- paths ---

void Muxers::on_path_ready(const std::string &path, Nanoseconds now) {
  ready_paths_.insert(path);
  if (settings_.always) start_automatic(path, now);
}

void Muxers::on_path_not_ready(const std::string &path) {
  ready_paths_.erase(path);
  retries_.erase(path);
}

void Muxers::start_automatic(const std::string &path, Nanoseconds now) {
  if (slots_.empty() || by_path_.contains(path)) return;
  auto created = create(path, true, now);
  if (created) return send(*created);
  log(LogLevel::Error, "[HLS] [muxer {}] can't be created: {}", path, created.error().message);
  retry_later(path, now);
}

void Muxers::retry_later(const std::string &path, Nanoseconds now) {
  if (!settings_.always || !ready_paths_.contains(path)) return;
  auto [retry, fresh] = retries_.try_emplace(path);
  if (!fresh) retry->second.pause = std::min(2 * retry->second.pause, kLastRetry);
  retry->second.due = now + retry->second.pause;
}

// --- requests ---

void Muxers::on_message(uint16_t slot, const control::Message &message, Nanoseconds now) {
  if (const auto *mux = std::get_if<control::Mux>(&message)) on(slot, *mux, now);
  if (const auto *ready = std::get_if<control::MuxerReady>(&message)) on(slot, *ready);
  if (const auto *ended = std::get_if<control::MuxerEnded>(&message)) on(slot, *ended, now);
  if (const auto *used = std::get_if<control::MuxerUsed>(&message)) on(slot, *used, now);
}

void Muxers::on(uint16_t slot, const control::Mux &mux, Nanoseconds now) {
  Waiting asks{slot, mux.request};
  auto known = by_path_.find(mux.path);
  Found muxer;
  if (known != by_path_.end()) {
    muxer = muxers_.find(known->second);
  } else {
    auto created = create(mux.path, false, now);
    if (!created) return refuse(asks, control::Refusal::Unavailable, created.error().message);
    muxer = *created;
    log(LogLevel::Info, "[HLS] [muxer {}] created (requested by {})", mux.path, printable(mux.client, 100));
  }
  muxer->second.last_request = now;
  muxer->second.last_request_wall = wall_now();
  if (muxer->second.ready) return grant(muxer, asks);
  if (muxer->second.waiting.size() >= kMaxWaiting)
    return refuse(asks, control::Refusal::Unavailable, "too many requests wait for the stream");
  muxer->second.waiting.push_back(asks);
  if (!muxer->second.sent) send(muxer);
}

void Muxers::grant(Found muxer, const Waiting &waiting) {
  Muxer &m = muxer->second;
  if (!m.granted.contains(waiting.slot)) {
    store::subscribe(m.mapping.writable(), waiting.slot);
    m.granted.insert(waiting.slot);
  }
  int descriptor = m.read_only.get();
  listener_.send_to_worker(waiting.slot, control::MuxerGranted{waiting.request, muxer->first}, {&descriptor, 1});
}

void Muxers::refuse(const Waiting &waiting, control::Refusal refusal, const std::string &reason) {
  listener_.send_to_worker(waiting.slot, control::Refused{waiting.request, refusal, reason, {}}, {});
}

// --- muxers ---

Result<Muxers::Found> Muxers::create(const std::string &path, bool automatic, Nanoseconds now) {
  if (free_stores_.empty()) return Error{"too many streams are made into HLS"};
  if (used_bytes() >= settings_.budget_bytes) return Error{kNoMemory};
  Muxer muxer;
  muxer.path = path;
  muxer.store_index = free_stores_.front();
  uint64_t id = secure_random() & ((uint64_t{1} << 48) - 1);
  muxer.writable = TRY(store::make({id, muxer.store_index, capacity_for(settings_.hls)}));
  muxer.read_only = TRY(shm::reopen_read_only(muxer.writable.get()));
  muxer.mapping = TRY(shm::Mapping::map(muxer.writable.get(), shm::Access::ReadWrite));
  muxer.last_request = now;
  muxer.last_request_wall = wall_now();
  free_stores_.pop_front();
  control::MuxerId number = next_muxer_++;
  by_path_.emplace(path, number);
  Found made = muxers_.emplace(number, std::move(muxer)).first;
  place(made->second, choose_slot());
  if (automatic) log(LogLevel::Info, "[HLS] [muxer {}] created automatically", path);
  return made;
}

std::optional<uint16_t> Muxers::choose_slot() const {
  std::optional<uint16_t> least;
  slots_.for_each([&](uint16_t slot) {
    bool serves = listener_.worker_serves(slot);
    if (!least || (serves && (!listener_.worker_serves(*least) || loads_[slot] < loads_[*least]))) least = slot;
  });
  return least;
}

void Muxers::place(Muxer &muxer, std::optional<uint16_t> slot) {
  if (muxer.slot) loads_[*muxer.slot]--;
  muxer.slot = slot;
  if (slot) loads_[*slot]++;
}

void Muxers::send(Found muxer) {
  Muxer &m = muxer->second;
  if (!m.slot || !listener_.worker_serves(*m.slot)) return; // when it is ready
  int descriptor = m.writable.get();
  control::StartMuxer message{muxer->first, m.path, m.begun};
  if (m.begun) resumed_++;
  m.sent = m.begun = true;
  listener_.send_to_worker(*m.slot, message, {&descriptor, 1});
}

Muxers::Found Muxers::find_started(uint16_t slot, control::MuxerId id) {
  auto muxer = muxers_.find(id);
  return muxer != muxers_.end() && muxer->second.sent && muxer->second.slot == slot ? muxer : muxers_.end();
}

void Muxers::on(uint16_t slot, const control::MuxerReady &ready) {
  Found muxer = find_started(slot, ready.muxer);
  if (muxer == muxers_.end()) return;
  retries_.erase(muxer->second.path);
  if (!std::exchange(muxer->second.ready, true))
    log(LogLevel::Info, "[HLS] [muxer {}] is converting into HLS", muxer->second.path);
  for (const Waiting &waiting : std::exchange(muxer->second.waiting, {})) grant(muxer, waiting);
}

void Muxers::on(uint16_t slot, const control::MuxerEnded &ended, Nanoseconds now) {
  Found muxer = find_started(slot, ended.muxer);
  if (muxer == muxers_.end()) return;
  std::string path = muxer->second.path;
  muxer->second.sent = false; // it knows
  end(muxer, ended.refusal, printable(ended.reason, kMaxReasonBytes));
  bool stream_ended = ended.refusal == control::Refusal::NoPublisher; // and the next one may be there already
  if (stream_ended && settings_.always && ready_paths_.contains(path)) return start_automatic(path, now);
  retry_later(path, now);
}

void Muxers::on(uint16_t slot, const control::MuxerUsed &used, Nanoseconds now) {
  auto muxer = muxers_.find(used.muxer);
  if (muxer == muxers_.end() || !muxer->second.granted.contains(slot)) return;
  muxer->second.last_request = now;
  muxer->second.last_request_wall = wall_now();
}

void Muxers::end(Found muxer, control::Refusal refusal, const std::string &reason) {
  control::MuxerId id = muxer->first;
  Muxer m = std::move(muxer->second);
  muxers_.erase(muxer);
  by_path_.erase(m.path);
  free_stores_.push_back(m.store_index);
  if (m.sent) listener_.send_to_worker(*m.slot, control::StopMuxer{id}, {});
  place(m, std::nullopt);
  m.granted.for_each([&](uint16_t slot) { listener_.send_to_worker(slot, control::MuxerWithdrawn{id}, {}); });
  for (const Waiting &waiting : m.waiting) refuse(waiting, refusal, reason);
  log(LogLevel::Info, "[HLS] [muxer {}] destroyed ({})", m.path, reason);
}

// --- workers ---

void Muxers::on_worker_ready(uint16_t slot) {
  for (auto muxer = muxers_.begin(); muxer != muxers_.end(); ++muxer) {
    if (!muxer->second.slot) place(muxer->second, choose_slot());
    if (muxer->second.slot == slot && !muxer->second.sent) send(muxer);
  }
}

// What it was shown, its successor asks for again. Its muxers go on elsewhere at once, if there is such a place.
void Muxers::on_worker_gone(uint16_t slot, Nanoseconds) {
  for (auto muxer = muxers_.begin(); muxer != muxers_.end(); ++muxer) {
    Muxer &m = muxer->second;
    if (m.granted.contains(slot)) {
      store::unsubscribe(m.mapping.writable(), slot);
      m.granted.bits &= ~(uint64_t{1} << slot);
    }
    std::erase_if(m.waiting, [slot](const Waiting &waiting) { return waiting.slot == slot; });
    if (m.slot != slot || !m.sent) continue;
    m.sent = false;
    place(m, choose_slot());
    send(muxer);
  }
}

// --- time ---

void Muxers::on_time(Nanoseconds now) {
  for (auto muxer = muxers_.begin(); muxer != muxers_.end();) {
    auto current = muxer++;
    const Muxer &m = current->second;
    bool kept = settings_.always && ready_paths_.contains(m.path);
    if (!kept && m.waiting.empty() && now - m.last_request >= kUnused)
      end(current, control::Refusal::Unavailable, "not used anymore");
  }
  std::vector<std::string> due;
  for (const auto &[path, retry] : retries_)
    if (retry.due <= now) due.push_back(path);
  for (const std::string &path : due) start_automatic(path, now);
  keep_to_budget();
}

uint64_t Muxers::used_bytes() const {
  uint64_t used = 0;
  for (const auto &[id, muxer] : muxers_) used += memory_of(muxer.writable);
  return used;
}

// The one that takes most goes.
void Muxers::keep_to_budget() {
  if (used_bytes() <= settings_.budget_bytes || muxers_.empty()) return;
  auto largest = std::max_element(muxers_.begin(), muxers_.end(), [](const auto &a, const auto &b) {
    return memory_of(a.second.writable) < memory_of(b.second.writable);
  });
  end(largest, control::Refusal::Unavailable, kNoMemory);
}

std::vector<Muxers::Info> Muxers::list() const {
  std::vector<Info> infos;
  for (const auto &[path, id] : by_path_) {
    const Muxer &muxer = muxers_.at(id);
    infos.push_back({path, muxer.last_request_wall, memory_of(muxer.writable)});
  }
  return infos;
}

std::string Muxers::path_of(control::MuxerId muxer) const {
  auto found = muxers_.find(muxer);
  return found == muxers_.end() ? "" : found->second.path;
}

} // namespace sluice
