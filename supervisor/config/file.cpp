#include "supervisor/config/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice::config {
namespace {

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

} // namespace

Result<std::optional<std::string>> read_file(const std::string &path, size_t max_bytes) {
  File file(path.c_str());
  if (file.fd() < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (file.fd() < 0) return os_error(path);
  std::string text;
  while (text.size() <= max_bytes) {
    std::array<char, 65536> buffer;
    ssize_t count = read(file.fd(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_error(path);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  return Error{fmt::format("{}: larger than {} bytes", path, max_bytes)};
}

} // namespace sluice::config
