// Follows a stream's ring packet by packet, for protocols that need what is in them: copies each out and checks it
// before anybody looks, goes on in the ring's next generation, and after a gap at the newest random access point. Part
// of a StreamReader, whose start() and serve() call it; the stream, and who is told, outlive it.
#pragma once

#include "workers/base/stream.h"

#include <optional>

namespace sluice::worker {

class Streams;

class EntryReader {
public:
  static constexpr uint64_t kMaxEntriesARound = 4096; // then others get their turn

  struct Listener {
    // No more is wanted; the generation may be gone with that.
    virtual bool is_finished() const = 0;
    virtual bool wants(uint8_t track) const = 0;
    // `packet`: RTP, valid during the call.
    virtual void on_packet(const ring::EntryInfo &entry, Bytes packet) = 0;
    // So many entries were overwritten before they were read; what was begun is not completed.
    virtual void on_gap(uint64_t lost_entries) = 0;
    virtual void on_next_generation(const ring::RingReader &) {}

  protected:
    ~Listener() = default;
  };

  EntryReader(Streams &streams, Listener &listener);

  void start(const Start &start);
  // All that the round has, as long as it is wanted.
  void read(Stream &stream);
  // Since start() or the last call, if it is another one: a publisher may go on with parameters that its packets lack.
  std::optional<media::StreamDescription> changed_description();

  Generation *generation() const { return generation_; } // null before start()
  uint64_t cursor() const { return cursor_; }            // of the packet that is looked at, or comes next

private:
  bool read_some(Stream &stream);
  bool go_on(Stream &stream);
  void resynchronise();

  Streams &streams_;
  Listener &listener_;
  Generation *generation_ = nullptr;
  uint64_t cursor_ = 0;
  uint64_t description_version_ = 0;
  ByteVector entry_; // scratch
};

} // namespace sluice::worker
