// The muxers of a worker: one for each stream and selection of tracks that somebody reads. Owned by the Server.
#pragma once

#include "workers/rtmp/muxer.h"

#include <map>
#include <memory>
#include <utility>

namespace sluice::rtmp {

class Muxers {
public:
  explicit Muxers(Server &server) : server_(server) {}

  // The one there is, or a new one, which begins with the newest key frame of the ring if that is wanted.
  Result<Muxer *> find_or_create(worker::Stream &stream, const Selection &selection, bool from_key_frame);
  // It may be without readers by now; it goes with sweep() then.
  void leave(Muxer &muxer);
  void sweep() { retired_.clear(); }

private:
  using Key = std::pair<control::StreamId, Selection>;

  Server &server_;
  std::map<Key, std::unique_ptr<Muxer>> muxers_;
  std::vector<std::unique_ptr<Muxer>> retired_;
};

} // namespace sluice::rtmp
