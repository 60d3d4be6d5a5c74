#include "workers/rtmp/muxer.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "workers/rtmp/protocol/metadata.h"
#include "workers/rtmp/protocol/tracks.h"
#include "workers/rtmp/reader.h"
#include "workers/rtmp/server.h"

#include <algorithm>

namespace sluice::rtmp {
namespace {

int64_t to_ms(Nanoseconds time) {
  return (time + (time >= 0 ? kMillisecond / 2 : -kMillisecond / 2)) / kMillisecond;
}

uint8_t chunk_stream_of(bool video) {
  return static_cast<uint8_t>(video ? kVideoChunkStream : kAudioChunkStream);
}

// "avc1"; as metadata calls the codecs that FLV numbers, too.
std::string metadata_name_of(media::Codec codec) {
  if (codec == media::Codec::Pcma) return "alaw";
  if (codec == media::Codec::Pcmu) return "ulaw";
  std::array<uint8_t, 4> name{};
  store_be32(name.data(), fourcc_of(codec).value_or(0));
  return std::string(as_text(name));
}

} // namespace

Result<std::unique_ptr<Muxer>> Muxer::create(Server &server, worker::Stream &stream,
                                             const media::StreamDescription &description, const Selection &selection,
                                             bool from_key_frame) {
  std::unique_ptr<Muxer> muxer(new Muxer(server, stream, selection));
  auto add = [&](uint8_t index, uint8_t track_id) -> Result<void> {
    if (index >= description.tracks.size()) return Error{"the stream has other tracks now"};
    Track &track = muxer->tracks_.emplace_back();
    track.index = index;
    track.track_id = track_id;
    TRY(muxer->set_up(track, description.tracks[index]));
    return {};
  };
  if (selection.video) TRY(add(*selection.video, 0));
  for (size_t i = 0; i < selection.audio.size(); i++) TRY(add(selection.audio[i], static_cast<uint8_t>(i)));
  for (Track &track : muxer->tracks_) muxer->by_index_[track.index] = &track;
  stream.add(*muxer, stream.start(from_key_frame));
  return muxer;
}

Muxer::Muxer(Server &server, worker::Stream &stream, const Selection &selection)
    : server_(server), stream_(stream), selection_(selection), log_(stream.newest().reader().data_capacity()),
      ring_(server.streams(), *this) {}

Muxer::~Muxer() {
  CHECK(readers_.empty());
}

Result<void> Muxer::set_up(Track &track, const media::Track &description) {
  track.track = description;
  track.video = description.kind == media::MediaKind::Video;
  track.depacketizer = std::make_unique<rtp::Depacketizer>(TRY(rtp::Depacketizer::create(description)));
  track.ready = !needs_configuration(description.codec);
  auto configuration = make_configuration(description, track.depacketizer->sets());
  if (configuration) set_configuration(track, std::move(*configuration));
  return {};
}

// --- the ring ---

void Muxer::serve() {
  look_at_description();
  ring_.read(stream_);
  serve_readers();
}

void Muxer::catch_up() {
  ring_.generation()->forget_round();
  ring_.read(stream_);
}

void Muxer::on_packet(const ring::EntryInfo &entry, Bytes packet) {
  current_ = by_index_[entry.track];
  current_->depacketizer->push(packet,
                               {.pts_ns = entry.pts_ns,
                                .dts_ns = entry.dts_ns,
                                .first_of_access_unit = (entry.flags & ring::kFirstOfAccessUnit) != 0,
                                .random_access = (entry.flags & ring::kRandomAccess) != 0},
                               *this);
}

void Muxer::on_gap(uint64_t lost_entries) {
  lost_ += lost_entries;
  for (Track &track : tracks_) track.depacketizer->reset();
}

// A publisher may go on with other parameters that its packets do not carry: those of audio.
void Muxer::look_at_description() {
  auto description = ring_.changed_description();
  if (!description) return;
  for (Track &track : tracks_) {
    if (track.index >= description->tracks.size()) continue;
    const media::Track &now = description->tracks[track.index];
    if (track.video || now == track.track || now.codec != track.track.codec) continue;
    if (auto set = set_up(track, now); !set)
      log(LogLevel::Warn, "[RTMP] changed parameters of a track can't be used: {}", set.error().message);
  }
}

// --- messages ---

void Muxer::on_configuration(const media::ParameterSets &sets) {
  auto configuration = make_configuration(current_->track, sets);
  if (configuration) set_configuration(*current_, std::move(*configuration));
}

// Whoever is there already gets it in its place; nobody may begin before it any more.
void Muxer::set_configuration(Track &track, ByteVector configuration) {
  track.ready = true;
  if (configuration == track.configuration) return;
  track.configuration = std::move(configuration);
  if (log_.head() == 0) return;
  if (track.video) log_.forget_key_frames();
  int64_t time = log_.time_for(chunk_stream_of(track.video), log_.entry(log_.head() - 1).time_ms);
  append(track, TagKind::Configuration, time, false, 0, track.configuration);
}

void Muxer::on_access_unit(const rtp::AccessUnit &unit) {
  Track &track = *current_;
  if (!track.ready) return; // nothing could be made of it
  body_.clear();
  append_units(track.track.codec, unit.units, track.depacketizer->sets(), body_);
  if (body_.empty()) return; // nothing but parameter sets
  int64_t dts = log_.time_for(chunk_stream_of(track.video), to_ms(unit.dts_ns));
  auto composition = static_cast<int32_t>(std::clamp<int64_t>(to_ms(unit.pts_ns) - dts, -(1 << 23), (1 << 23) - 1));
  // A ring's audio is not marked where there is video, which this variant may lack.
  bool begins = track.video ? unit.random_access : !has_video();
  append(track, TagKind::Frame, dts, begins, composition, body_);
}

void Muxer::append(const Track &track, TagKind kind, int64_t time_ms, bool key_frame, int32_t composition_time_ms,
                   Bytes body) {
  TagHead head =
      track.video
          ? make_video_head(track.track.codec, kind, key_frame || kind == TagKind::Configuration, composition_time_ms)
          : make_audio_head(track.track.codec, kind, audio_format(track.track, body), track.track_id);
  if (head.size + body.size() > kMaxMessageBytes) return log(LogLevel::Warn, "[RTMP] a picture is too large for RTMP");
  uint64_t going = log_.going_for(static_cast<uint32_t>(head.size + body.size()));
  if (going > log_.oldest()) let_go_before(going);
  std::array<Bytes, 2> pieces{head.bytes(), body};
  log_.append(chunk_stream_of(track.video), track.video ? MessageType::Video : MessageType::Audio, time_ms, key_frame,
              pieces);
}

void Muxer::append_preface(uint32_t stream, ByteVector &out) const {
  Metadata metadata; // clients wait for whatever it names, even as absent
  for (const Track &track : tracks_) {
    std::optional<std::string> &first = track.video ? metadata.video : metadata.audio;
    if (!first) first = metadata_name_of(track.track.codec);
  }
  ByteVector data = write_metadata(metadata);
  append_message(out, kStatusChunkStream,
                 {.type = MessageType::DataAmf0, .stream = stream, .timestamp = 0, .payload = data});
  for (const Track &track : tracks_) {
    if (track.configuration.empty()) continue;
    TagHead head = track.video ? make_video_head(track.track.codec, TagKind::Configuration, true)
                               : make_audio_head(track.track.codec, TagKind::Configuration,
                                                 audio_format(track.track, {}), track.track_id);
    ByteVector body(head.bytes().begin(), head.bytes().end());
    body.insert(body.end(), track.configuration.begin(), track.configuration.end());
    append_message(out, chunk_stream_of(track.video),
                   {.type = track.video ? MessageType::Video : MessageType::Audio,
                    .stream = stream,
                    .timestamp = 0,
                    .payload = body});
  }
}

// --- readers ---

void Muxer::add(Reader &reader) {
  readers_.push_back(&reader);
}

void Muxer::remove(Reader &reader) {
  auto position = std::find(readers_.begin(), readers_.end(), &reader);
  if (position == readers_.end()) return;
  *position = readers_.back();
  readers_.pop_back();
}

// A reader that ends in the call makes place for another.
template <class Call> void Muxer::for_each_reader(Call call) {
  for (size_t i = 0; i < readers_.size();) {
    Reader *reader = readers_[i];
    call(*reader);
    if (i < readers_.size() && readers_[i] == reader) i++;
  }
}

void Muxer::let_go_before(uint64_t sequence) {
  for_each_reader([sequence](Reader &reader) { reader.let_go_before(sequence); });
}

void Muxer::serve_readers() {
  for_each_reader([](Reader &reader) { reader.serve(); });
}

} // namespace sluice::rtmp
