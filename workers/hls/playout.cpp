#include "workers/hls/playout.h"

#include "workers/hls/playlist/writer.h"

namespace sluice::hls {
namespace {

// An object in the store, for as long as it is being sent.
class StoredObject final : public http::BodyMemory {
public:
  StoredObject(std::shared_ptr<store::StoreReader> store, uint64_t position)
      : store_(std::move(store)), position_(position) {}
  bool intact() const override { return store_->intact(position_); }

private:
  std::shared_ptr<store::StoreReader> store_;
  uint64_t position_;
};

} // namespace

Result<std::unique_ptr<Playout>> Playout::open(control::MuxerId muxer, std::string path, int store_fd) {
  auto store = std::make_shared<store::StoreReader>(TRY(store::StoreReader::open(store_fd)));
  std::unique_ptr<Playout> playout(new Playout(muxer, std::move(path), std::move(store)));
  TRY(playout->refresh());
  return playout;
}

Playout::Playout(control::MuxerId muxer, std::string path, std::shared_ptr<store::StoreReader> store)
    : muxer_(muxer), path_(std::move(path)), store_(std::move(store)) {
  presentation_.id = id_text(store_->id());
}

Result<bool> Playout::refresh() {
  uint64_t version = store_->version();
  if (version == version_) return false;
  version_ = TRY(store_->read_index(scratch_));
  index_ = TRY(decode_index(scratch_));
  presentation_ = index_.presentation(store_->id());
  playlists_.clear();
  return true;
}

// --- playlists ---

template <class Write> http::Body Playout::cached(bool media, bool skip, const std::string &query, Write &&write) {
  auto key = std::make_tuple(media, skip, query);
  auto found = playlists_.find(key);
  if (found != playlists_.end()) return found->second;
  std::string text;
  write(text);
  http::Body body = http::Body::shared(std::move(text));
  if (playlists_.size() < kMaxCachedPlaylists) playlists_.emplace(std::move(key), body);
  return body;
}

http::Body Playout::multivariant(const std::string &query) {
  return cached(false, false, query, [&](std::string &out) { write_multivariant(presentation_, query, out); });
}

http::Body Playout::media(const std::string &query, bool skip) {
  return cached(true, skip, query, [&](std::string &out) { write_media(presentation_, query, skip, out); });
}

// --- files ---

std::optional<Place> Playout::place_of(const FileName &name) const {
  if (name.id != presentation_.id) return std::nullopt;
  if (name.kind == FileKind::Initialisation) {
    const StoredSection *section = index_.find_section(name.number);
    return section != nullptr ? std::optional(section->place) : std::nullopt;
  }
  if (name.kind == FileKind::Part) {
    const StoredPart *part = index_.find_part(name.number);
    bool told = index_.variant == Variant::LowLatency && part != nullptr;
    return told ? std::optional(Place{part->position, part->part.bytes}) : std::nullopt;
  }
  if (name.kind != FileKind::Segment || name.mpeg_ts != (index_.variant == Variant::MpegTs)) return std::nullopt;
  const StoredSegment *segment = index_.find_segment(name.number);
  if (segment == nullptr || !segment->segment.finished) return std::nullopt;
  return Place{segment->position, segment->segment.bytes};
}

std::optional<http::Body> Playout::file(const FileName &name) const {
  std::optional<Place> place = place_of(name);
  if (!place) return std::nullopt;
  auto bytes = store_->data(place->position, place->bytes);
  if (!bytes) return std::nullopt;
  return http::Body(std::make_shared<StoredObject>(store_, place->position), *bytes);
}

bool Playout::is_hinted(const FileName &name) const {
  if (name.kind != FileKind::Part || name.id != presentation_.id || index_.variant != Variant::LowLatency) return false;
  if (index_.ended) return false;
  uint64_t next = index_.parts.empty() ? 0 : index_.parts.back().number + 1;
  return name.number == next;
}

} // namespace sluice::hls
