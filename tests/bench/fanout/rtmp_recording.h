// What one RTMP reader got, arranged for the plain loop: the same chunks again and again.
#pragma once

#include "tests/bench/fanout/recording.h"
#include "tests/bench/fanout/rtmp_client.h"

namespace sluice::fanout {

// Plays; what arrives before `start` is left out. One span per video message, with the audio since the one before
// folded in. At most 256 MB.
Result<Replay> record_rtmp(RtmpClient &client, const std::string &path, Nanoseconds start, Nanoseconds end);
// A parser that can begin anywhere in such a replay.
RtmpParser parser_of_replay();

} // namespace sluice::fanout
