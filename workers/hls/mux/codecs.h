// Names of codecs as CODECS in playlists has them (RFC 6381 section 3; ISO/IEC 14496-15 annex E; "VP Codec ISO Media
// File Format Binding"; "AV1 Codec ISO Media File Format Binding" section 5). Pure.
#pragma once

#include "common/media/aac.h"
#include "common/media/av1.h"
#include "common/media/h265.h"
#include "common/media/vp9.h"

#include <string>

namespace sluice::hls {

constexpr const char *kOpusCodec = "opus"; // lower-case as in WebM: the spelling that all of them know
constexpr const char *kMp3Codec = "mp4a.40.34";
constexpr const char *kAc3Codec = "ac-3";
constexpr const char *kFlacCodec = "fLaC";

std::string avc_codec(Bytes sps);                          // "avc1.64001f"; of at least 4 bytes
std::string hevc_codec(const media::H265Sps &sps);         // "hvc1.1.6.L93.90"
std::string av1_codec(const media::Av1Sequence &sequence); // "av01.0.04M.08"
std::string vp9_codec(const media::Vp9Configuration &vp9); // "vp09.00.31.08"
std::string aac_codec(const media::AacConfig &config);     // "mp4a.40.2"

} // namespace sluice::hls
