#include "workers/hls/demux/packed_audio_reader.h"

#include <algorithm>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr size_t kHeader = 10; // of a tag, of a frame, of a footer
constexpr std::string_view kTag = "ID3";
constexpr std::string_view kOwner{"com.apple.streaming.transportStreamTimestamp\0", 45};

size_t groups_of_seven(const uint8_t *p) {
  return static_cast<size_t>(p[0] & 0x7f) << 21 | static_cast<size_t>(p[1] & 0x7f) << 14 |
         static_cast<size_t>(p[2] & 0x7f) << 7 | (p[3] & 0x7fU);
}

size_t tag_size(Bytes header) {
  bool footer = (header[5] & 0x10) != 0;
  return kHeader + groups_of_seven(&header[6]) + (footer ? kHeader : 0);
}

Codec codec_of(Bytes begin) {
  uint16_t word = load_be16(begin.data());
  if (word == 0x0b77) return Codec::Ac3;
  if ((word & 0xfff6) == 0xfff0) return Codec::Aac;
  return (word & 0xffe0) == 0xffe0 ? Codec::MpegAudio : Codec::Other;
}

} // namespace

std::optional<uint64_t> parse_id3_timestamp(Bytes tag) {
  if (tag.size() < kHeader || !as_text(tag).starts_with(kTag)) return std::nullopt;
  bool plain_sizes = tag[3] < 4; // version 2.3 has sizes of 32 bits
  tag = tag.subspan(kHeader);
  while (tag.size() >= kHeader) {
    size_t size = plain_sizes ? load_be32(&tag[4]) : groups_of_seven(&tag[4]);
    bool is_private = as_text(tag).starts_with("PRIV");
    tag = tag.subspan(kHeader);
    if (size > tag.size()) return std::nullopt;
    Bytes body = tag.first(size);
    tag = tag.subspan(size);
    if (is_private && as_text(body).starts_with(kOwner) && body.size() == kOwner.size() + 8)
      return load_be64(&body[kOwner.size()]) & ((uint64_t{1} << 33) - 1);
  }
  return std::nullopt;
}

void PackedAudioReader::push(Bytes bytes, DemuxSink &sink) {
  while (!bytes.empty() && !in_frames_) {
    auto skipped = static_cast<size_t>(std::min<uint64_t>(to_skip_, bytes.size()));
    to_skip_ -= skipped;
    bytes = bytes.subspan(skipped);
    // Never more than a tag may have, so that the rest of a larger one can be skipped.
    size_t taken = std::min(bytes.size(), kMaxId3Tag + kHeader - std::min(begin_.size(), kMaxId3Tag));
    begin_.insert(begin_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(taken));
    bytes = bytes.subspan(taken);
    if (!take_tags()) continue;
    in_frames_ = true;
    ByteVector begin = std::move(begin_);
    begin_.clear();
    push_frames(begin, sink);
  }
  if (!bytes.empty()) push_frames(bytes, sink);
}

// From begin_; true when frames begin there.
bool PackedAudioReader::take_tags() {
  while (begin_.size() >= kHeader) {
    if (!as_text(begin_).starts_with(kTag)) return true;
    size_t size = tag_size(begin_);
    if (size > kMaxId3Tag) {
      to_skip_ = size - std::min(size, begin_.size());
    } else if (begin_.size() < size) {
      return false;
    } else if (auto timestamp = parse_id3_timestamp(Bytes(begin_).first(size))) {
      time_ = timeline_.unroll(*timestamp);
    }
    begin_.erase(begin_.begin(), begin_.begin() + static_cast<ptrdiff_t>(std::min(size, begin_.size())));
  }
  return false;
}

void PackedAudioReader::push_frames(Bytes bytes, DemuxSink &sink) {
  if (!stream_ || time_) {
    Codec codec = bytes.size() < 2 ? Codec::Other : codec_of(bytes);
    if (codec == Codec::Other && !stream_) {
      dropped_units_++;
      return;
    }
    if (codec != Codec::Other && codec != codec_) {
      dropped_units_ += stream_ ? stream_->dropped_units() : 0;
      codec_ = codec;
      stream_.emplace(codec, 0, 0);
      sink.on_tracks(1);
    }
  }
  stream_->push(bytes, {time_, time_.value_or(0), true}, sink);
  time_.reset();
}

void PackedAudioReader::end_segment() {
  begin_.clear();
  in_frames_ = false;
  to_skip_ = 0;
  time_.reset();
  if (stream_) stream_->reset();
}

void PackedAudioReader::begin_discontinuity() {
  end_segment();
  timeline_.reset();
}

} // namespace sluice::hls
