// Makes messages of RTMP of a stream, once for all its readers in this worker that take the same tracks: follows the
// stream's ring, copies packets out of it, puts access units together, and appends their messages to a MediaLog that
// the readers are served from. Owned by Muxers, for as long as it has readers.
#pragma once

#include "common/rtp/depacketizer.h"
#include "workers/base/entry_reader.h"
#include "workers/base/stream_reader.h"
#include "workers/rtmp/media_log.h"
#include "workers/rtmp/protocol/flv_tags.h"
#include "workers/rtmp/protocol/track_selection.h"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace sluice::rtmp {

class Reader;
class Server;

class Muxer final : public worker::StreamReader, rtp::Depacketizer::Sink, worker::EntryReader::Listener {
public:
  // Error: the tracks can't be made messages of.
  static Result<std::unique_ptr<Muxer>> create(Server &server, worker::Stream &stream,
                                               const media::StreamDescription &description, const Selection &selection,
                                               bool from_key_frame);
  ~Muxer();

  worker::Stream &stream() { return stream_; }
  const Selection &selection() const { return selection_; }
  const MediaLog &media_log() const { return log_; }
  bool has_video() const { return selection_.video.has_value(); }

  void add(Reader &reader);
  void remove(Reader &reader);
  bool idle() const { return readers_.empty(); }
  void detach() { stream_.remove(*this); } // from its stream, which may go before it
  // Takes what the ring has by now, without waiting for the next round.
  void catch_up();
  // What a reader is to be sent before its first media: metadata and what the decoders have to know. On message
  // stream `stream`.
  void append_preface(uint32_t stream, ByteVector &out) const;
  // Entries of the ring that were overwritten before they were read.
  uint64_t lost() const { return lost_; }

private:
  struct Track {
    uint8_t index = 0;    // in the stream
    uint8_t track_id = 0; // in the message
    media::Track track;
    std::unique_ptr<rtp::Depacketizer> depacketizer;
    ByteVector configuration; // the body of its configuration message; empty: none is needed, or it is not known yet
    bool ready = false;       // nothing is missing for a decoder
    bool video = false;
  };

  Muxer(Server &server, worker::Stream &stream, const Selection &selection);

  void start(const worker::Start &start) override { ring_.start(start); }
  void serve() override;
  bool blocked() const override { return false; }
  void watch() override {}
  const worker::Generation *generation() const override { return ring_.generation(); }

  void on_access_unit(const rtp::AccessUnit &unit) override;
  void on_configuration(const media::ParameterSets &sets) override;

  bool is_finished() const override { return idle(); }
  bool wants(uint8_t track) const override { return track < by_index_.size() && by_index_[track] != nullptr; }
  void on_packet(const ring::EntryInfo &entry, Bytes packet) override;
  void on_gap(uint64_t lost_entries) override;
  void on_next_generation(const ring::RingReader &ring) override { log_.grow(ring.data_capacity()); }

  void look_at_description();
  Result<void> set_up(Track &track, const media::Track &description);
  void set_configuration(Track &track, ByteVector configuration);
  void append(const Track &track, TagKind kind, int64_t time_ms, bool key_frame, int32_t composition_time_ms,
              Bytes body);
  template <class Call> void for_each_reader(Call call);
  void let_go_before(uint64_t sequence);
  void serve_readers();

  Server &server_;
  worker::Stream &stream_;
  Selection selection_;
  MediaLog log_;
  std::vector<Track> tracks_;
  std::array<Track *, media::kMaxTracks> by_index_{}; // null: not selected
  Track *current_ = nullptr;                          // during a push
  worker::EntryReader ring_;
  uint64_t lost_ = 0;
  ByteVector body_; // scratch
  std::vector<Reader *> readers_;
};

} // namespace sluice::rtmp
