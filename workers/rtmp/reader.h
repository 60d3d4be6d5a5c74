// Sends one session what it reads: a cursor on the log of the muxer that makes its messages. Its timestamps begin with
// 0 at its first key frame; what comes before that, audio too, is left out. All it sends is the log's, but for the
// header of a first message on each chunk stream. One that is too slow goes on with a newer key frame, behind whole
// messages. Owned by its Session.
#pragma once

#include "ipc/shm/session_table.h"
#include "workers/rtmp/media_log.h"

#include <sys/uio.h>

#include <array>
#include <optional>

namespace sluice::rtmp {

class Muxer;
class Session;

class Reader {
public:
  // Whoever ends it removes it from its muxer, which may go before it then.
  Reader(Session &session, Muxer &muxer, bool from_key_frame);

  Muxer &muxer() { return muxer_; }
  // Sends what there is. May close the session.
  void serve();
  void on_writable();
  // Entries before that are about to give way.
  void let_go_before(uint64_t sequence);
  // What of a message was begun and is not sent yet stands in the connection's output from here on, so that something
  // else can follow. False: it does not fit, and the session closes.
  bool complete_message();

private:
  enum class Progress : uint8_t { More, UpToDate, Blocked, Closed };
  static constexpr size_t kMaxMessages = 32; // of one send in pieces
  static constexpr size_t kChunkStreams = kVideoChunkStream + 1;

  struct Own { // the header of a message in place of the shared one
    std::array<uint8_t, kMaxChunkHeaderBytes> bytes{};
    size_t size = 0;
  };
  // Messages that are sent with one call.
  struct Pieces {
    std::array<iovec, 2 * kMaxMessages> parts;
    std::array<Own, kMaxMessages> headers;
    std::array<uint64_t, kMaxMessages> sequences;
    size_t part_count = 0, message_count = 0;
    size_t bytes = 0;
  };

  Progress serve_some();
  Progress begin();
  Progress send_run();
  Progress send_pieces();
  Progress write(std::span<const iovec> parts, size_t &sent);
  bool passes(const MediaLog::Entry &entry) const;
  void gather(Pieces &pieces, uint64_t &end) const;
  Own header_for(const MediaLog::Entry &entry, bool joined) const;
  void account(uint64_t to, size_t bytes, uint64_t messages);
  void note_sent(const MediaLog::Entry &entry);
  void skip_to(uint64_t sequence);
  void note_left_out(uint64_t messages);

  Session &session_;
  shm::SessionRecord &record_;
  Muxer &muxer_;
  uint64_t cursor_ = 0;
  bool waits_for_key_frame_ = true;
  bool begun_ = false; // base_ms_ is known, and the preface was sent
  bool blocked_ = false;
  bool in_gap_ = false; // it was too slow, and has had nothing since
  int64_t base_ms_ = 0; // what its timestamps count from
  // Of each chunk stream: the time of the last message that it got; and whether that is the one before in the log.
  std::array<std::optional<int64_t>, kChunkStreams> last_ms_{};
  std::array<bool, kChunkStreams> joined_{};
  bool all_joined_ = false;
  // The message at the cursor was sent in part: so many bytes of it, behind this header if it has its own.
  size_t sent_of_message_ = 0;
  Own own_header_;
};

} // namespace sluice::rtmp
