#include "supervisor/hooks/environment.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::hooks {
namespace {

constexpr std::string_view kPrefix = "RTSP_";
constexpr std::string_view kSecrets[] = {"RTSP_CONFKEY", "RTSP_APIUSER", "RTSP_APIPASS"};
constexpr std::string_view kSecretsOfPaths[] = {"PUBLISHUSER", "PUBLISHPASS", "READUSER", "READPASS"};

// Also where a password with a slash hides the @ from a strict reader: better one variable too few.
bool has_userinfo(std::string_view value) {
  size_t authority = value.find("://");
  return authority != value.npos && value.find('@', authority) != value.npos;
}

bool holds_credentials(std::string_view name, std::string_view value) {
  if (!name.starts_with(kPrefix)) return false;
  return std::find(std::begin(kSecrets), std::end(kSecrets), name) != std::end(kSecrets) ||
         std::any_of(std::begin(kSecretsOfPaths), std::end(kSecretsOfPaths),
                     [&](std::string_view end) { return name.ends_with(end); }) ||
         has_userinfo(value);
}

} // namespace

config::Environment without_credentials(const config::Environment &server) {
  config::Environment result = server;
  std::erase_if(result, [](const auto &variable) { return holds_credentials(variable.first, variable.second); });
  return result;
}

std::vector<std::string> command_environment(const config::Environment &inherited, const Variables &variables) {
  config::Environment merged = inherited;
  for (const Variable &variable : variables) merged[variable.name] = variable.value;
  std::vector<std::string> lines;
  lines.reserve(merged.size());
  for (const auto &[name, value] : merged) lines.push_back(fmt::format("{}={}", name, value));
  return lines;
}

Variables hook_variables(std::string_view path, std::string_view rtsp_port, const std::vector<std::string> &groups) {
  Variables variables{{"RTSP_PATH", std::string(path)}, {"RTSP_PORT", std::string(rtsp_port)}};
  for (size_t i = 0; i < groups.size(); i++) variables.push_back({fmt::format("G{}", i + 1), groups[i]});
  return variables;
}

} // namespace sluice::hooks
