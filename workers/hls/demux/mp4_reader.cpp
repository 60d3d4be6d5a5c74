#include "workers/hls/demux/mp4_reader.h"

#include "common/media/av1.h"
#include "workers/hls/demux/tracks.h"

#include <algorithm>
#include <iterator>

namespace sluice::hls {

using media::Codec;

namespace {

bool has_nal_units(Codec codec) {
  return codec == Codec::H264 || codec == Codec::H265;
}

Nanoseconds to_nanoseconds(int64_t time, uint32_t timescale) {
  auto scale = static_cast<int64_t>(timescale);
  return time / scale * kSecond + time % scale * kSecond / scale;
}

} // namespace

Result<void> Mp4Reader::push(Bytes bytes, DemuxSink &sink) {
  if (skips_rest_) return {};
  auto skipped = static_cast<size_t>(std::min<uint64_t>(to_skip_, bytes.size()));
  to_skip_ -= skipped;
  buffer_offset_ += skipped;
  bytes = bytes.subspan(skipped);
  if (bytes.empty()) return {};
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  while (TRY(take_box(sink))) {
  }
  discard();
  if (buffer_.size() > kMaxFragment) return Error{"MP4 fragment too large"};
  return {};
}

void Mp4Reader::end_file(DemuxSink &sink, uint64_t next_offset) {
  emit_until(buffer_offset_ + buffer_.size(), sink);
  for (const MovieSample &sample : pending_) {
    states_[sample.track].loss = true;
    dropped_units_++;
  }
  pending_.clear();
  buffer_.clear();
  buffer_offset_ = next_offset;
  scanned_ = 0;
  to_skip_ = 0;
  skips_rest_ = false;
}

void Mp4Reader::begin_discontinuity() {
  times_.assign(tracks_.size(), std::nullopt);
}

Result<bool> Mp4Reader::take_box(DemuxSink &sink) {
  auto header = TRY(parse_box_header(Bytes(buffer_).subspan(scanned_)));
  if (!header) return false;
  switch (header->type) {
  case four_characters("moov"):
    return take_movie(*header, sink);
  case four_characters("moof"):
    return take_fragment(*header);
  case four_characters("mdat"):
    return take_data(*header, sink);
  default:
    return skip(*header);
  }
}

// Without having it in the buffer, unless samples may be there.
Result<bool> Mp4Reader::skip(const BoxHeader &header) {
  if (pending_.empty()) {
    uint64_t end = header.size ? scanned_ + *header.size : buffer_.size();
    skips_rest_ = !header.size;
    scanned_ = static_cast<size_t>(std::min<uint64_t>(end, buffer_.size()));
    to_skip_ = end - scanned_;
    return true;
  }
  if (!header.size || buffer_.size() - scanned_ < *header.size) return false; // until end_file() at the latest
  scanned_ += *header.size;
  return true;
}

Result<bool> Mp4Reader::take_movie(const BoxHeader &header, DemuxSink &sink) {
  if (!header.size || *header.size > kMaxMovie) return Error{"invalid MP4: size of moov"};
  if (buffer_.size() - scanned_ < *header.size) return false;
  Bytes box = Bytes(buffer_).subspan(scanned_, *header.size);
  scanned_ += *header.size;
  if (std::equal(box.begin(), box.end(), movie_bytes_.begin(), movie_bytes_.end())) return true;
  tracks_ = TRY(parse_movie(box.subspan(header.header_size)));
  movie_bytes_.assign(box.begin(), box.end());
  pending_.clear();
  times_.assign(tracks_.size(), std::nullopt);
  states_.assign(tracks_.size(), {});
  sink.on_tracks(tracks_.size());
  for (size_t i = 0; i < tracks_.size(); i++) {
    const std::vector<SampleEntry> &entries = tracks_[i].entries;
    auto carried =
        std::find_if(entries.begin(), entries.end(), [](const SampleEntry &e) { return e.codec != Codec::Other; });
    use_entry({.track = i, .entry = static_cast<uint32_t>(carried - entries.begin())}, sink);
  }
  return true;
}

Result<bool> Mp4Reader::take_fragment(const BoxHeader &header) {
  if (!header.size || *header.size > kMaxMovie) return Error{"invalid MP4: size of moof"};
  if (tracks_.empty()) return Error{"MP4 fragment without initialisation section"};
  if (buffer_.size() - scanned_ < *header.size) return false;
  Bytes body = Bytes(buffer_).subspan(scanned_ + header.header_size, *header.size - header.header_size);
  auto samples = TRY(parse_fragment(body, buffer_offset_ + scanned_, tracks_, times_));
  if (pending_.size() + samples.size() > kMaxSamples) return Error{"invalid MP4: too many samples in a fragment"};
  pending_.insert(pending_.end(), samples.begin(), samples.end());
  scanned_ += *header.size;
  return true;
}

Result<bool> Mp4Reader::take_data(const BoxHeader &header, DemuxSink &sink) {
  if (header.size && *header.size > kMaxFragment && !pending_.empty()) return Error{"MP4 fragment too large"};
  if (!TRY(skip(header))) return false;
  emit_until(buffer_offset_ + scanned_, sink);
  return true;
}

// What no sample needs any more. Samples whose place was discarded before they were known are dropped by emit().
void Mp4Reader::discard() {
  uint64_t needed = buffer_offset_ + scanned_;
  for (const MovieSample &sample : pending_) needed = std::min(needed, std::max(sample.offset, buffer_offset_));
  size_t count = needed - buffer_offset_;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(count));
  buffer_offset_ = needed;
  scanned_ -= count;
}

// Of the data until `end`.
void Mp4Reader::emit_until(uint64_t end, DemuxSink &sink) {
  auto waits = [&](const MovieSample &sample) { return sample.offset + sample.size > end; };
  std::vector<MovieSample> ready;
  std::remove_copy_if(pending_.begin(), pending_.end(), std::back_inserter(ready), waits);
  std::erase_if(pending_, [&](const MovieSample &sample) { return !waits(sample); });
  auto time = [&](const MovieSample &sample) {
    const MovieTrack &track = tracks_[sample.track];
    return to_nanoseconds(sample.decode_time + track.shift, track.timescale);
  };
  std::stable_sort(ready.begin(), ready.end(),
                   [&](const MovieSample &a, const MovieSample &b) { return time(a) < time(b); });
  for (const MovieSample &sample : ready) emit(sample, sink);
}

void Mp4Reader::tell(size_t track, FoundTrack found, DemuxSink &sink) {
  if (states_[track].told == found) return;
  states_[track].told = std::move(found);
  sink.on_track(track, *states_[track].told);
}

void Mp4Reader::use_entry(const MovieSample &sample, DemuxSink &sink) {
  TrackState &state = states_[sample.track];
  if (state.entry == sample.entry) return;
  state.entry = sample.entry;
  const SampleEntry &entry = tracks_[sample.track].entries[sample.entry];
  if (entry.codec == Codec::Other) return;
  state.nal_units.reset();
  if (has_nal_units(entry.codec)) {
    state.nal_units.emplace(entry.codec);
    state.nal_units->set(entry.sets);
    if (entry.track.configuration.empty()) return;
  }
  tell(sample.track, entry.track, sink);
}

void Mp4Reader::emit(const MovieSample &sample, DemuxSink &sink) {
  const MovieTrack &track = tracks_[sample.track];
  const SampleEntry &entry = track.entries[sample.entry];
  if (entry.codec == Codec::Other) return;
  TrackState &state = states_[sample.track];
  use_entry(sample, sink);
  bool random_access = entry.track.track.kind == media::MediaKind::Audio || sample.is_sync();
  bool good = sample.offset >= buffer_offset_ && sample.size <= rtp::kMaxAccessUnit;
  if (good) {
    Bytes data = Bytes(buffer_).subspan(sample.offset - buffer_offset_, sample.size);
    good = split(sample, entry, data, random_access, sink);
  }
  if (!good || !state.told) {
    state.loss = true;
    dropped_units_++;
    return;
  }
  if (units_.empty()) return;
  int64_t time = sample.decode_time + track.shift;
  sink.on_access_unit(sample.track, {.units = units_,
                                     .pts_ns = to_nanoseconds(time + sample.composition_offset, track.timescale),
                                     .dts_ns = to_nanoseconds(time, track.timescale),
                                     .random_access = random_access,
                                     .after_loss = state.loss});
  state.loss = false;
}

// Into units_; false: malformed.
bool Mp4Reader::split(const MovieSample &sample, const SampleEntry &entry, Bytes data, bool &random_access,
                      DemuxSink &sink) {
  units_.clear();
  if (has_nal_units(entry.codec)) {
    NalCollector &collector = *states_[sample.track].nal_units;
    if (!split_nal_units(entry, collector, data)) return false;
    if (auto changed = collector.take_change()) tell(sample.track, std::move(*changed), sink);
    units_.assign(collector.units().begin(), collector.units().end());
    // Not all who write flags know what they say.
    random_access = collector.is_random_access() || sample.is_independent();
    return true;
  }
  if (entry.codec == Codec::Av1) return split_obus(sample.track, data, random_access, sink);
  units_.push_back(data);
  return true;
}

bool Mp4Reader::split_nal_units(const SampleEntry &entry, NalCollector &collector, Bytes data) {
  collector.begin();
  while (!data.empty()) {
    if (data.size() < entry.length_size) return false;
    size_t size = 0;
    for (size_t i = 0; i < entry.length_size; i++) size = size << 8 | data[i];
    data = data.subspan(entry.length_size);
    if (size > data.size() || !collector.add(data.first(size))) return false;
    data = data.subspan(size);
  }
  return true;
}

bool Mp4Reader::split_obus(size_t track, Bytes data, bool &random_access, DemuxSink &sink) {
  while (!data.empty()) {
    auto obu = media::parse_obu(data);
    if (!obu || units_.size() == rtp::kMaxUnitsOfAccessUnit) return false;
    Bytes unit = data.first(obu->size);
    data = data.subspan(obu->size);
    if (obu->type == media::ObuType::TemporalDelimiter || obu->type == media::ObuType::Padding) continue;
    if (obu->type == media::ObuType::SequenceHeader) {
      ByteVector header;
      media::append_obu(header, *obu, false);
      tell(track, av1_track(header), sink);
      random_access = true;
    }
    units_.push_back(unit);
  }
  return true;
}

} // namespace sluice::hls
