// The tags of a multivariant playlist (RFC 8216 section 4.3.4), one after the other. For parser.h, which says what the
// limits are; lines outlive the call only as copies.
#pragma once

#include "common/base/result.h"
#include "workers/hls/playlist/source_playlist.h"

#include <optional>
#include <string_view>

namespace sluice::hls {

class MultivariantParser {
public:
  Result<void> on_tag(std::string_view name, std::string_view value);
  Result<void> on_uri(std::string_view uri);
  Result<SourceMultivariant> finish();

private:
  Result<void> on_stream(std::string_view value);
  Result<void> on_media(std::string_view value);

  SourceMultivariant playlist_;
  std::optional<SourceVariant> announced_; // its URI follows
};

} // namespace sluice::hls
