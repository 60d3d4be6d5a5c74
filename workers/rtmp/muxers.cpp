#include "workers/rtmp/muxers.h"

namespace sluice::rtmp {

Result<Muxer *> Muxers::find_or_create(worker::Stream &stream, const Selection &selection, bool from_key_frame) {
  Key key{stream.id(), selection};
  auto found = muxers_.find(key);
  if (found != muxers_.end()) return found->second.get();
  auto description = stream.newest().reader().description();
  if (!description) return Error{"the stream's description can't be read"};
  auto made = TRY(Muxer::create(server_, stream, *description, selection, from_key_frame));
  return muxers_.emplace(std::move(key), std::move(made)).first->second.get();
}

void Muxers::leave(Muxer &muxer) {
  if (!muxer.idle()) return;
  auto found = muxers_.find(Key{muxer.stream().id(), muxer.selection()});
  if (found == muxers_.end() || found->second.get() != &muxer) return;
  muxer.detach();
  retired_.push_back(std::move(found->second)); // it may be in the middle of a round
  muxers_.erase(found);
}

} // namespace sluice::rtmp
