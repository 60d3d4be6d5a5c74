// What assets.cpp, which the build makes, has taken into the executable: to page.cpp alone.
#pragma once

#include "workers/hls/page/page.h"

namespace sluice::hls {

// In constant memory. The page itself is the last, and the only one whose name tells nothing of its content.
std::span<const PageAsset> built_in_assets();

} // namespace sluice::hls
