#include "supervisor/config/loader.h"

#include "supervisor/config/assembly.h"
#include "supervisor/config/yaml.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice::config {
namespace {

constexpr std::array kSearchedFiles{"sluice.yml", "rtsp-simple-server.yml", "/etc/sluice/sluice.yml"};

class File {
public:
  explicit File(const char *path) : fd_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  int fd() const { return fd_; }

private:
  int fd_;
};

// Empty if there is no such file. It may be a pipe.
Result<std::optional<std::string>> read_file(const std::string &path) {
  File file(path.c_str());
  if (file.fd() < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (file.fd() < 0) return os_error(path);
  std::string text;
  while (text.size() <= kMaxYamlBytes) {
    std::array<char, 65536> buffer;
    ssize_t count = read(file.fd(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_error(path);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  return Error{fmt::format("{}: larger than {} bytes", path, kMaxYamlBytes)};
}

LoadResult failure(std::string message) {
  return tl::unexpected(LoadErrors{std::move(message)});
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
    auto text = read_file(*path);
    if (!text) return failure(text.error().message);
    if (!*text) return failure(*path + ": no such file");
    return parse_configuration(**text, *path, environment);
  }
  for (const char *candidate : kSearchedFiles) {
    auto text = read_file(candidate);
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
  if (environment.contains("RTSP_CONFKEY"))
    return failure("RTSP_CONFKEY: not supported yet; the configuration can't be read encrypted");
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
