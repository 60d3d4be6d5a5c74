// Makes HLS of one stream, for the viewers of all workers: reads the stream's ring as any reader, puts access units
// together, and has a Segmenter make segments of them, which go into the segment store. Its session is that of a reader
// in the table and towards the supervisor. A successor in another worker goes on where the store says, as long as the
// ring still has it. Owned by Muxers.
#pragma once

#include "common/rtp/depacketizer.h"
#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "workers/base/entry_reader.h"
#include "workers/base/stream_reader.h"
#include "workers/hls/segment_log.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::hls {

class Server;

class Muxer final : public worker::StreamReader,
                    rtp::Depacketizer::Sink,
                    worker::EntryReader::Listener,
                    SegmentLog::Listener {
public:
  Muxer(Server &server, shm::SessionRecord &record, const control::StartMuxer &message, store::StoreWriter store);
  ~Muxer();

  control::MuxerId id() const { return id_; }
  control::SessionId session() const { return record_.id; }
  // Asks for the stream. The answer is on_answer()'s.
  void ask();
  void on_answer(control::Received &received);
  void on_kick(); // the stream has ended
  // Leaves the stream; the supervisor is told that the session is over, and with MuxerEnded why, unless it said so
  // itself. Its memory goes later: it may be in the middle of a round.
  void close(std::optional<control::MuxerEnded> ended);
  bool closed() const { return closed_; }

private:
  struct Track {
    uint8_t index = 0; // in the stream
    media::Track track;
    std::unique_ptr<rtp::Depacketizer> depacketizer;
    std::optional<uint64_t> begin; // of the access unit that is being put together
  };

  Result<void> set_up(const control::ReadGranted &granted, int ring_fd);
  Result<void> set_up_tracks(const media::StreamDescription &description);

  void start(const worker::Start &start) override { ring_.start(start); }
  void serve() override;
  bool blocked() const override { return false; }
  void watch() override {}
  const worker::Generation *generation() const override { return ring_.generation(); }

  void on_access_unit(const rtp::AccessUnit &unit) override;
  void on_configuration(const media::ParameterSets &sets) override;
  void on_published() override;
  Segmenter::Facts facts() const override;

  bool is_finished() const override { return closed_; }
  bool wants(uint8_t track) const override { return track < by_index_.size() && by_index_[track] != nullptr; }
  void on_packet(const ring::EntryInfo &entry, Bytes packet) override;
  void on_gap(uint64_t lost_entries) override;

  Nanoseconds wall_offset(const ring::EntryInfo &entry);
  uint64_t source() const;
  void look_at_description();
  void fail(control::Refusal refusal, std::string reason);

  Server &server_;
  shm::SessionRecord &record_;
  const control::MuxerId id_;
  const std::string path_;
  SegmentLog log_;
  std::optional<Segmenter> segmenter_;
  worker::Stream *stream_ = nullptr;
  std::vector<Track> tracks_;
  std::array<Track *, media::kMaxTracks> by_index_{}; // null: not in it
  size_t current_ = 0;                                // track, during a push
  worker::EntryReader ring_;
  bool reading_ = false, ready_ = false, closed_ = false;
};

} // namespace sluice::hls
