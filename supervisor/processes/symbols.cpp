#include "supervisor/processes/symbols.h"

#include "common/base/fd.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <span>

namespace sluice::processes {
namespace {

// The executable's file, mapped as long as this lives.
class Image {
public:
  Image() {
    Fd fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || status.st_size <= 0) return;
    bytes_ = static_cast<size_t>(status.st_size);
    void *mapped = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (mapped != MAP_FAILED) base_ = static_cast<const char *>(mapped);
  }
  ~Image() {
    if (base_ != nullptr) ::munmap(const_cast<char *>(base_), bytes_);
  }
  Image(const Image &) = delete;
  Image &operator=(const Image &) = delete;

  // Empty if it is not all there.
  template <class T> std::span<const T> at(uint64_t offset, uint64_t bytes) const {
    if (base_ == nullptr || offset > bytes_ || bytes > bytes_ - offset || offset % alignof(T) != 0) return {};
    return {static_cast<const T *>(static_cast<const void *>(base_ + offset)), bytes / sizeof(T)};
  }

private:
  const char *base_ = nullptr;
  size_t bytes_ = 0;
};

std::string demangled(const char *name) {
  int status = 0;
  char *plain = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && plain != nullptr ? plain : name;
  std::free(plain);
  if (result.size() > kMaxNameBytes) result = result.substr(0, kMaxNameBytes - 3) + "...";
  return result;
}

} // namespace

std::vector<std::string> function_names(const std::vector<uint64_t> &offsets) {
  std::vector<std::string> names(offsets.size());
  Image image;
  auto header = image.at<ElfW(Ehdr)>(0, sizeof(ElfW(Ehdr)));
  if (header.empty()) return names;
  auto sections = image.at<ElfW(Shdr)>(header[0].e_shoff, uint64_t{header[0].e_shnum} * sizeof(ElfW(Shdr)));
  for (const ElfW(Shdr) & section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const ElfW(Shdr) &texts = sections[section.sh_link];
    auto text = image.at<char>(texts.sh_offset, texts.sh_size);
    if (text.empty() || text.back() != '\0') continue;
    for (const ElfW(Sym) & symbol : image.at<ElfW(Sym)>(section.sh_offset, section.sh_size)) {
      if ((symbol.st_info & 0xf) != STT_FUNC || symbol.st_name >= text.size()) continue;
      for (size_t i = 0; i < offsets.size(); i++) {
        bool inside = offsets[i] >= symbol.st_value && offsets[i] - symbol.st_value < symbol.st_size;
        if (inside && names[i].empty()) names[i] = demangled(&text[symbol.st_name]);
      }
    }
  }
  return names;
}

} // namespace sluice::processes
