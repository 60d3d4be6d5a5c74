// Puts what a Segmenter makes into the segment store, and keeps the index that tells it: which segments playlists list,
// how long those that left stay for who is late, where a successor goes on.
// Owned by the muxer.
#pragma once

#include "common/base/result.h"
#include "ipc/store/segment_store.h"
#include "workers/hls/mux/segmenter.h"
#include "workers/hls/store_index.h"

#include <optional>

namespace sluice::hls {

struct SegmentLogSettings {
  Variant variant = Variant::MpegTs;
  size_t segments = 7;                    // in playlists
  Nanoseconds segment_duration = kSecond; // no target duration is shorter
};

class SegmentLog final : public Segmenter::Sink {
public:
  struct Listener {
    virtual void on_published() = 0;            // readers have news
    virtual Segmenter::Facts facts() const = 0; // what playlists say beside segments

  protected:
    ~Listener() = default;
  };

  // Goes on where the store's index ends, if it has one and that was made with the same variant.
  SegmentLog(store::StoreWriter store, const SegmentLogSettings &settings, Listener &listener);

  const store::StoreWriter &store() const { return store_; }
  // Of a predecessor, with what `resume` holds; empty: there is none, or it finished nothing.
  std::optional<SegmenterState> predecessor() const;
  // What stands in the store can't be gone on with exactly: numbers go on from there. Empty: there is nothing.
  std::optional<SegmenterState> state_after_break() const;

  // As a predecessor had it, or as it is to be kept for a successor; 0: not known.
  Nanoseconds wall_offset() const { return index_.wall_offset; }
  void set_wall_offset(Nanoseconds offset) { index_.wall_offset = offset; }

  // Of what could not be stored; the muxer ends then.
  const std::optional<Error> &error() const { return error_; }
  void end(); // nothing follows

private:
  // One that left playlists stays for its duration and that of the longest playlist with it (RFC 8216 section 6.2.2),
  // which has the listed ones and, in Low-Latency HLS, most of one in the making.
  static constexpr size_t kMoreKept = 2;
  static constexpr size_t kMaxParts = 4096; // that are kept; older ones of a long segment go first

  void on_initialisation(uint64_t number, Bytes section) override;
  void on_segment_begin(const Segment &segment) override;
  void on_part(const FinishedPart &part, const SegmenterState &state) override;
  void on_segment_end(const Segment &segment, const SegmenterState &state) override;

  void take_facts();
  std::optional<uint64_t> append(Bytes data);
  void let_old_ones_go();
  void carry_sections_on(uint64_t position);
  void publish();

  store::StoreWriter store_;
  SegmentLogSettings settings_;
  Listener &listener_;
  StoreIndex index_;
  std::optional<Error> error_;
};

} // namespace sluice::hls
