// Runs a fuzz target over every file of the folders and files named on the command line.
// Fails when there is none: a corpus that went missing is not a passed test.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

void replay(const std::filesystem::path &file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> content{std::istreambuf_iterator<char>(stream), {}};
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(content.data()), content.size());
}

} // namespace

int main(int argc, char **argv) {
  size_t count = 0;
  for (int i = 1; i < argc; i++) {
    if (std::filesystem::is_regular_file(argv[i])) {
      replay(argv[i]);
      count++;
      continue;
    }
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator(argv[i], error)) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      count++;
    }
  }
  std::printf("%zu inputs replayed\n", count);
  return count == 0 ? 1 : 0;
}
