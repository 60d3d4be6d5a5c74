// The whole loader: YAML up to the first zero byte, then environment variables NAME=VALUE, each ended by one.

#include "common/base/check.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/path_matcher.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice::config;
  std::string_view rest(reinterpret_cast<const char *>(data), size);
  auto take = [&rest] {
    std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    return part;
  };
  std::string_view text = take();
  Environment environment;
  while (!rest.empty()) {
    std::string_view variable = take();
    size_t equals = variable.find('=');
    if (equals != variable.npos) environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }

  LoadResult result = parse_configuration(text, "f.yml", environment);
  if (!result) {
    CHECK(!result.error().empty() && result.error().size() <= kMaxReportedErrors + 1);
    for (const std::string &error : result.error()) CHECK(error.find('\n') == error.npos && error.size() < 2000);
    return 0;
  }
  // What was accepted is in effect: nothing else than the defaults where the effect is not built.
  const Configuration &configuration = result->configuration;
  CHECK(configuration.rtsp_workers >= 0 && configuration.rtsp_workers <= kMaxWorkerSlots);
  CHECK(configuration.read_timeout > 0 && configuration.max_sessions > 0);
  for (const auto &parameter : global_parameters()) CHECK(is_built(parameter, configuration, configuration));
  for (const auto &[name, path] : configuration.paths) {
    CHECK(name == path.name &&
          (path.source == "publisher" || path.source == "redirect" || path.source.starts_with("rtsp")));
    if (path.is_regex()) CHECK(compile_expression(name.substr(1)).has_value());
    for (const auto &parameter : path_parameters()) CHECK(is_built(parameter, configuration, path));
  }
  PathMatcher matcher(configuration);
  for (const auto &[name, path] : configuration.paths) {
    auto match = matcher.find(path.is_regex() ? "cam/1" : name);
    if (!path.is_regex()) CHECK(match && match->path == &path);
  }
  return 0;
}
