#include "workers/hls/mux/mp4_writer.h"

#include "common/base/check.h"
#include "workers/hls/mux/boxes.h"

#include <array>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr uint32_t kMovieTimescale = 1000;
constexpr uint16_t kUndetermined = 0x55c4;      // the language "und", section 8.4.2.3
constexpr uint32_t kResolution = 0x480000;      // 72 dpi
constexpr uint32_t kSyncSample = 0x02000000;    // depends on no others, section 8.8.3.1
constexpr uint32_t kNonSyncSample = 0x01010000; // depends on others, is no sync sample
constexpr uint32_t kDefaultBaseIsMoof = 0x020000;

// Flags of trun, section 8.8.8.1.
constexpr uint32_t kDataOffset = 0x001;
constexpr uint32_t kDurations = 0x100;
constexpr uint32_t kSizes = 0x200;
constexpr uint32_t kFlags = 0x400;
constexpr uint32_t kCompositions = 0x800;

void append_matrix(BoxWriter &box) {
  for (uint32_t value : {0x10000u, 0u, 0u, 0u, 0x10000u, 0u, 0u, 0u, 0x40000000u}) box.u32(value);
}

void append_movie_header(BoxWriter &box, size_t tracks) {
  size_t start = box.begin_full("mvhd", 0, 0);
  box.zeros(8); // times
  box.u32(kMovieTimescale);
  box.u32(0);       // duration
  box.u32(0x10000); // rate 1
  box.u16(0x100);   // volume 1
  box.zeros(10);
  append_matrix(box);
  box.zeros(24);
  box.u32(static_cast<uint32_t>(tracks + 1)); // next track
  box.end(start);
}

void append_track_header(BoxWriter &box, uint32_t id, const TrackFormat &format) {
  size_t start = box.begin_full("tkhd", 0, 3); // enabled, in the movie
  box.zeros(8);                                // times
  box.u32(id);
  box.zeros(4 + 4 + 8);          // reserved, duration, reserved
  box.u16(0);                    // layer
  box.u16(format.video ? 0 : 1); // tracks of a kind are alternatives to each other
  box.u16(format.video ? 0 : 0x100);
  box.u16(0);
  append_matrix(box);
  box.u32(format.width << 16);
  box.u32(format.height << 16);
  box.end(start);
}

std::string_view entry_type(Codec codec) {
  switch (codec) {
  case Codec::H264:
    return "avc1";
  case Codec::H265:
    return "hvc1";
  case Codec::Av1:
    return "av01";
  case Codec::Vp9:
    return "vp09";
  case Codec::Opus:
    return "Opus";
  case Codec::Ac3:
    return "ac-3";
  case Codec::Flac:
    return "fLaC";
  default:
    return "mp4a";
  }
}

std::string_view configuration_type(Codec codec) {
  switch (codec) {
  case Codec::H264:
    return "avcC";
  case Codec::H265:
    return "hvcC";
  case Codec::Av1:
    return "av1C";
  case Codec::Vp9:
    return "vpcC";
  case Codec::Opus:
    return "dOps";
  case Codec::Ac3:
    return "dac3";
  default:
    return "dfLa";
  }
}

// ES_Descriptor (ISO/IEC 14496-1 section 7.2.6.5): tag, size, content; sizes fit in one byte.
void append_elementary_stream(BoxWriter &box, const TrackFormat &format) {
  constexpr uint8_t kAac = 0x40;
  constexpr uint8_t kMp3 = 0x6b;
  constexpr size_t kMaxSize = 100;
  CHECK(format.configuration.size() < kMaxSize);
  auto specific = static_cast<uint8_t>(format.configuration.size());
  auto decoder = static_cast<uint8_t>(13 + (specific > 0 ? 2 + specific : 0));
  size_t start = box.begin_full("esds", 0, 0);
  box.u8(3); // ES_DescrTag
  box.u8(static_cast<uint8_t>(3 + 2 + decoder + 3));
  box.u16(0); // ES_ID
  box.u8(0);
  box.u8(4); // DecoderConfigDescrTag
  box.u8(decoder);
  box.u8(format.codec == Codec::Aac ? kAac : kMp3);
  box.u8(0x15);  // streamType 5 = audio, upStream 0, reserved 1
  box.zeros(11); // buffer size, maximum and average bit rate: not known
  if (specific > 0) {
    box.u8(5); // DecSpecificInfoTag
    box.u8(specific);
    box.bytes(format.configuration);
  }
  box.u8(6); // SLConfigDescrTag
  box.u8(1);
  box.u8(2); // as MP4 has it
  box.end(start);
}

void append_sample_entry(BoxWriter &box, const TrackFormat &format) {
  size_t start = box.begin(entry_type(format.codec));
  box.zeros(6);
  box.u16(1); // data reference
  if (format.video) {
    box.zeros(16);
    box.u16(static_cast<uint16_t>(format.width));
    box.u16(static_cast<uint16_t>(format.height));
    box.u32(kResolution);
    box.u32(kResolution);
    box.u32(0);
    box.u16(1);    // frames in a sample
    box.zeros(32); // compressor name
    box.u16(24);   // depth
    box.u16(0xffff);
  } else {
    box.zeros(8);
    box.u16(format.channels);
    box.u16(16); // bits of a sample
    box.zeros(4);
    box.u32(format.sample_rate <= 0xffff ? format.sample_rate << 16 : 0);
  }
  if (entry_type(format.codec) == "mp4a") {
    append_elementary_stream(box, format);
  } else {
    size_t configuration = box.begin(configuration_type(format.codec));
    box.bytes(format.configuration);
    box.end(configuration);
  }
  box.end(start);
}

void append_sample_table(BoxWriter &box, const TrackFormat &format) {
  size_t start = box.begin("stbl");
  size_t description = box.begin_full("stsd", 0, 0);
  box.u32(1);
  append_sample_entry(box, format);
  box.end(description);
  for (const char *type : {"stts", "stsc", "stsz", "stco"}) {
    size_t table = box.begin_full(type, 0, 0);
    if (std::string_view(type) == "stsz") box.u32(0);
    box.u32(0);
    box.end(table);
  }
  box.end(start);
}

void append_media_information(BoxWriter &box, const TrackFormat &format) {
  size_t start = box.begin("minf");
  size_t header = format.video ? box.begin_full("vmhd", 0, 1) : box.begin_full("smhd", 0, 0);
  box.zeros(format.video ? 8 : 4);
  box.end(header);
  size_t information = box.begin("dinf");
  size_t references = box.begin_full("dref", 0, 0);
  box.u32(1);
  box.end(box.begin_full("url ", 0, 1)); // in this file
  box.end(references);
  box.end(information);
  append_sample_table(box, format);
  box.end(start);
}

void append_track(BoxWriter &box, uint32_t id, const TrackFormat &format) {
  size_t start = box.begin("trak");
  append_track_header(box, id, format);
  size_t media = box.begin("mdia");
  size_t header = box.begin_full("mdhd", 0, 0);
  box.zeros(8); // times
  box.u32(format.timescale);
  box.u32(0); // duration
  box.u16(kUndetermined);
  box.u16(0);
  box.end(header);
  size_t handler = box.begin_full("hdlr", 0, 0);
  box.u32(0);
  box.text(format.video ? "vide" : "soun");
  box.zeros(12);
  box.text(format.video ? std::string_view("VideoHandler\0", 13) : std::string_view("SoundHandler\0", 13));
  box.end(handler);
  append_media_information(box, format);
  box.end(media);
  box.end(start);
}

// Returns where its data offset stands.
size_t append_track_fragment(BoxWriter &box, const TrackRun &run) {
  size_t start = box.begin("traf");
  size_t header = box.begin_full("tfhd", 0, kDefaultBaseIsMoof);
  box.u32(run.track_id);
  box.end(header);
  size_t time = box.begin_full("tfdt", 1, 0);
  box.u64(static_cast<uint64_t>(run.samples[0].dts));
  box.end(time);
  uint32_t flags = kDataOffset | kDurations | kSizes | (run.video ? kFlags | kCompositions : 0);
  size_t samples = box.begin_full("trun", 1, flags);
  box.u32(static_cast<uint32_t>(run.samples.size()));
  size_t offset = box.position();
  box.u32(0);
  for (const Sample &sample : run.samples) {
    box.u32(sample.duration);
    box.u32(sample.size);
    if (!run.video) continue;
    box.u32(sample.random_access ? kSyncSample : kNonSyncSample);
    box.u32(static_cast<uint32_t>(sample.composition));
  }
  box.end(samples);
  box.end(start);
  return offset;
}

} // namespace

void append_initialisation(std::span<const TrackFormat *const> formats, ByteVector &out) {
  BoxWriter box(out);
  size_t type = box.begin("ftyp");
  box.text("mp42");
  box.u32(1);
  for (const char *brand : {"mp41", "mp42", "isom", "iso6", "hlsf"}) box.text(brand);
  box.end(type);
  size_t movie = box.begin("moov");
  append_movie_header(box, formats.size());
  for (size_t i = 0; i < formats.size(); i++) append_track(box, static_cast<uint32_t>(i + 1), *formats[i]);
  size_t extends = box.begin("mvex");
  for (size_t i = 0; i < formats.size(); i++) {
    size_t track = box.begin_full("trex", 0, 0);
    box.u32(static_cast<uint32_t>(i + 1));
    box.u32(1);   // sample description
    box.zeros(8); // duration and size
    box.u32(formats[i]->video ? kNonSyncSample : kSyncSample);
    box.end(track);
  }
  box.end(extends);
  box.end(movie);
}

void append_part_head(uint32_t sequence, std::span<const TrackRun> runs, ByteVector &out) {
  constexpr size_t kBoxHeader = 8;
  CHECK(runs.size() <= media::kMaxTracks);
  BoxWriter box(out);
  size_t start = box.begin("moof");
  size_t header = box.begin_full("mfhd", 0, 0);
  box.u32(sequence);
  box.end(header);
  std::array<size_t, media::kMaxTracks> offsets{};
  for (size_t i = 0; i < runs.size(); i++) offsets[i] = append_track_fragment(box, runs[i]);
  box.end(start);
  size_t data = box.position() - start + kBoxHeader;
  uint64_t bytes = 0;
  for (size_t i = 0; i < runs.size(); i++) {
    box.patch_u32(offsets[i], static_cast<uint32_t>(data + bytes));
    bytes += runs[i].bytes;
  }
  CHECK(bytes + kBoxHeader <= UINT32_MAX);
  box.u32(static_cast<uint32_t>(bytes + kBoxHeader));
  box.text("mdat");
}

} // namespace sluice::hls
