// From a configuration file and the environment to a checked Configuration. All errors are found in one
// go; each names file and line (or the variable), the parameter, and what would be right.
#pragma once

#include "supervisor/config/configuration.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace sluice::config {

using Environment = std::map<std::string, std::string>;
Environment process_environment();

// If it is in the environment, even empty, the file is encrypted (encryption.h) and this is the key.
constexpr const char *kKeyVariable = "RTSP_CONFKEY";
constexpr size_t kMaxEncryptedBytes = 6 << 20; // of such a file; decrypted it is bounded as others are

struct LoadedConfiguration {
  Configuration configuration;
  std::string file;               // where it was read from; empty: no file, defaults and `paths: all:`
  std::vector<std::string> notes; // for the log, level INF
};

constexpr size_t kMaxReportedErrors = 100; // then a line says how many more there are
using LoadErrors = std::vector<std::string>;
using LoadResult = tl::expected<LoadedConfiguration, LoadErrors>;

// Without a path: sluice.yml, rtsp-simple-server.yml (both in the current directory), /etc/sluice/sluice.yml,
// whichever is there first, else the defaults. The path may name a pipe: it is read to its end, once.
LoadResult load_configuration(const std::optional<std::string> &path, const Environment &environment);

// The same from the file's content; `file` is its name in messages.
LoadResult parse_configuration(std::string_view text, const std::string &file, const Environment &environment);

} // namespace sluice::config
