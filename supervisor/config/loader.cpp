#include "supervisor/config/loader.h"

#include "supervisor/config/assembly.h"
#include "supervisor/config/encryption.h"
#include "supervisor/config/file.h"
#include "supervisor/config/yaml.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>

namespace sluice::config {
namespace {

constexpr std::array kSearchedFiles{"sluice.yml", "rtsp-simple-server.yml", "/etc/sluice/sluice.yml"};

LoadResult failure(std::string message) {
  return tl::unexpected(LoadErrors{std::move(message)});
}

size_t max_file_bytes(const Environment &environment) {
  return environment.contains(kKeyVariable) ? kMaxEncryptedBytes : kMaxYamlBytes;
}

} // namespace

Environment process_environment() {
  Environment environment;
  for (char **variable = environ; variable != nullptr && *variable != nullptr; variable++) {
    std::string_view text = *variable;
    size_t equals = text.find('=');
    if (equals == text.npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

LoadResult load_configuration(const std::optional<std::string> &path, const Environment &environment) {
  if (path) {
    auto text = read_file(*path, max_file_bytes(environment));
    if (!text) return failure(text.error().message);
    if (!*text) return failure(*path + ": no such file");
    return parse_configuration(**text, *path, environment);
  }
  for (const char *candidate : kSearchedFiles) {
    auto text = read_file(candidate, max_file_bytes(environment));
    if (!text) return failure(text.error().message);
    if (*text) return parse_configuration(**text, candidate, environment);
  }
  Assembly assembly("configuration");
  assembly.add_note(fmt::format("no configuration file found ({}, {}, {}): using the defaults, with every path allowed",
                                kSearchedFiles[0], kSearchedFiles[1], kSearchedFiles[2]));
  assembly.add_path("all");
  assembly.apply_environment(environment);
  return assembly.finish();
}

LoadResult parse_configuration(std::string_view text, const std::string &file, const Environment &environment) {
  std::string decrypted;
  if (auto key = environment.find(kKeyVariable); key != environment.end()) {
    auto result = decrypt(text, key->second);
    if (!result) return failure(fmt::format("{}: {}; {} is set", file, result.error().message, kKeyVariable));
    decrypted = std::move(*result);
    text = decrypted;
  }
  auto document = parse_yaml(text);
  if (!document) return failure(fmt::format("{}:{}: {}", file, document.error().line, document.error().message));
  Assembly assembly(file);
  assembly.apply_document(*document);
  assembly.apply_environment(environment);
  LoadResult result = assembly.finish();
  if (result) result->file = file;
  return result;
}

} // namespace sluice::config
