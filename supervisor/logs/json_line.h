// A log line as a JSON object (RFC 8259) on a line of its own:
//   {"time":"2022-06-24T10:11:12.345+02:00","level":"info","component":"RTSP","conn":"1.2.3.4:5","message":"opened"}
// What stands in brackets before the text becomes members: component, worker, source, conn, session, path, muxer.
#pragma once

#include "common/base/log.h"

namespace sluice::logs {

// With its newline, at most kMaxLogLineBytes. A LogFormatter.
std::string format_json_line(LogLevel level, Nanoseconds wall_time, std::string_view message);

} // namespace sluice::logs
