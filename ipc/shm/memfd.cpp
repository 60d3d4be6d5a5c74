#include "ipc/shm/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <string>

namespace sluice::shm {
namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

} // namespace

Result<Fd> create_memfd(const char *name, size_t bytes) {
  Fd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return os_error("memfd_create");
  if (fchmod(fd.get(), 0600) != 0) return os_error("fchmod of a memfd");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return os_error("ftruncate of a memfd");
  if (fcntl(fd.get(), F_ADD_SEALS, kSizeSeals) != 0) return os_error("sealing of a memfd");
  return fd;
}

Result<Fd> reopen_read_only(int fd) {
  std::string path = "/proc/self/fd/" + std::to_string(fd);
  Fd reopened(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reopened) return os_error("reopening a memfd");
  return reopened;
}

Result<size_t> sealed_size(int fd) {
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return os_error("seals of shared memory");
  if ((seals & kSizeSeals) != kSizeSeals) return Error{"size of shared memory is not sealed"};
  struct stat status {};
  if (fstat(fd, &status) != 0) return os_error("size of shared memory");
  return static_cast<size_t>(status.st_size);
}

} // namespace sluice::shm
