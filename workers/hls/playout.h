// The serving side of one stream's HLS in this worker: the segment store as its muxer, in whatever worker, filled it.
// Playlists are written once for all who ask for the same. Owned by the Server.
#pragma once

#include "common/http/body.h"
#include "ipc/control/messages.h"
#include "ipc/store/segment_store.h"
#include "workers/hls/playlist/file_names.h"
#include "workers/hls/store_index.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

namespace sluice::hls {

class Playout {
public:
  // Error: not a store, or damaged.
  static Result<std::unique_ptr<Playout>> open(control::MuxerId muxer, std::string path, int store_fd);

  control::MuxerId muxer() const { return muxer_; }
  const std::string &path() const { return path_; }
  size_t store_index() const { return store_->store_index(); }
  const Presentation &presentation() const { return presentation_; }

  // Looks at the store again. Whether anything is new. Error: it is damaged.
  Result<bool> refresh();

  // `query`: repeated behind each URI.
  http::Body multivariant(const std::string &query);
  http::Body media(const std::string &query, bool skip);
  // The file, where the store has it; empty: not yet, no more, or never. Its bytes are sent from where they lie.
  std::optional<http::Body> file(const FileName &name) const;
  // The part that comes next in a Low-Latency playlist.
  bool is_hinted(const FileName &name) const;

private:
  static constexpr size_t kMaxCachedPlaylists = 64;

  Playout(control::MuxerId muxer, std::string path, std::shared_ptr<store::StoreReader> store);
  std::optional<Place> place_of(const FileName &name) const;
  template <class Write> http::Body cached(bool media, bool skip, const std::string &query, Write &&write);

  control::MuxerId muxer_;
  std::string path_;
  std::shared_ptr<store::StoreReader> store_; // bodies that are being sent keep it, too
  uint64_t version_ = 0;
  StoreIndex index_;
  Presentation presentation_;
  ByteVector scratch_;
  std::map<std::tuple<bool, bool, std::string>, http::Body> playlists_; // of this version
};

} // namespace sluice::hls
