#include "workers/hls/pull/segment_reader.h"

#include <algorithm>
#include <array>

namespace sluice::hls {

SegmentReader::Format SegmentReader::format_of(Bytes begin) {
  constexpr std::array<std::string_view, 12> kBoxes = {"ftyp", "styp", "moov", "moof", "sidx", "emsg",
                                                       "prft", "free", "skip", "mdat", "uuid", "ssix"};
  if (begin.empty()) return Format::Unknown;
  if (begin[0] == kTsSync) return Format::MpegTs;
  std::string_view text = as_text(begin);
  if (text.starts_with("ID3")) return Format::PackedAudio;
  if (text.size() >= kTellingBytes && std::find(kBoxes.begin(), kBoxes.end(), text.substr(4, 4)) != kBoxes.end())
    return Format::Mp4;
  bool mpeg_audio = begin.size() >= 2 && begin[0] == 0xff && (begin[1] & 0xe0) == 0xe0; // or ADTS
  bool ac3 = begin.size() >= 2 && begin[0] == 0x0b && begin[1] == 0x77;
  return mpeg_audio || ac3 ? Format::PackedAudio : Format::Unknown;
}

Result<void> SegmentReader::begin(const Fetch &fetch, DemuxSink &sink) {
  is_map_ = fetch.kind == Fetch::Kind::Map;
  ends_segment_ = is_map_ || fetch.ends_segment;
  if (is_map_ || fetch.begins_segment) {
    end_segment(sink);
    format_ = is_map_ ? Format::Mp4 : Format::Unknown;
    begin_.clear();
  }
  if (discontinuity_ && *discontinuity_ != fetch.discontinuity) {
    if (mpegts_) mpegts_->begin_discontinuity(sink);
    if (mp4_) mp4_->begin_discontinuity();
    if (packed_audio_) packed_audio_->begin_discontinuity();
  }
  discontinuity_ = fetch.discontinuity;
  segment_open_ = true;
  end_file(sink, fetch.range ? fetch.range->offset : 0);
  decryptor_.reset();
  if (fetch.cipher) decryptor_.emplace(TRY(Aes128Decryptor::create(fetch.cipher->key, fetch.cipher->vector)));
  return {};
}

// Tells the demuxer where in its resource the next bytes stand.
void SegmentReader::end_file(DemuxSink &sink, uint64_t next_offset) {
  if (mp4_) mp4_->end_file(sink, next_offset);
}

void SegmentReader::end_segment(DemuxSink &sink) {
  if (!std::exchange(segment_open_, false)) return;
  if (format_ == Format::MpegTs && mpegts_) mpegts_->end_segment(sink);
  if (format_ == Format::PackedAudio && packed_audio_) packed_audio_->end_segment();
}

Result<void> SegmentReader::push(Bytes bytes, DemuxSink &sink) {
  if (!decryptor_) return take(bytes, sink);
  plain_.clear();
  TRY(decryptor_->push(bytes, plain_));
  return take(plain_, sink);
}

Result<void> SegmentReader::take(Bytes bytes, DemuxSink &sink) {
  if (format_ != Format::Unknown) return demux(bytes, sink);
  begin_.insert(begin_.end(), bytes.begin(), bytes.end());
  if (begin_.size() < kTellingBytes) return {};
  format_ = format_of(begin_);
  if (format_ == Format::Unknown) return Error{"a segment is neither MPEG-TS nor MP4 nor packed audio"};
  ByteVector begin = std::move(begin_);
  begin_.clear();
  return demux(begin, sink);
}

Result<void> SegmentReader::demux(Bytes bytes, DemuxSink &sink) {
  switch (format_) {
  case Format::Unknown:
    break;
  case Format::MpegTs:
    if (!mpegts_) mpegts_.emplace();
    mpegts_->push(bytes, sink);
    break;
  case Format::Mp4:
    if (!mp4_) mp4_.emplace();
    return mp4_->push(bytes, sink);
  case Format::PackedAudio:
    if (!packed_audio_) packed_audio_.emplace();
    packed_audio_->push(bytes, sink);
    break;
  }
  return {};
}

Result<void> SegmentReader::finish(DemuxSink &sink) {
  if (decryptor_) {
    plain_.clear();
    TRY(decryptor_->finish(plain_));
    TRY(take(plain_, sink));
    decryptor_.reset();
  }
  if (ends_segment_ && format_ == Format::Unknown && !begin_.empty())
    return Error{"a segment is neither MPEG-TS nor MP4 nor packed audio"};
  end_file(sink, 0);
  if (ends_segment_) end_segment(sink);
  return {};
}

} // namespace sluice::hls
