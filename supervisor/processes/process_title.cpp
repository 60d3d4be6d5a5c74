#include "supervisor/processes/process_title.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace sluice::processes {
namespace {

char *arguments = nullptr;
size_t arguments_size = 0; // of all of them, with their zeros

} // namespace

void remember_arguments(int argc, char **argv) {
  if (argc < 1) return;
  arguments = argv[0];
  const char *end = argv[0];
  for (int i = 0; i < argc && argv[i] == end; i++) end += std::strlen(argv[i]) + 1; // as long as they adjoin
  arguments_size = static_cast<size_t>(end - arguments);
}

bool was_started_as(std::string_view title, const char *argv0) {
  return argv0 != nullptr && title == argv0;
}

void execute_again_as(std::string_view title, char **argv) {
  std::string name(title);
  std::vector<char *> again;
  for (char **argument = argv; *argument != nullptr; argument++) again.push_back(*argument);
  if (again.empty()) again.push_back(nullptr);
  again[0] = name.data();
  again.push_back(nullptr);
  ::execv("/proc/self/exe", again.data());
}

void set_title(std::string_view title) {
  char name[16] = {};
  std::memcpy(name, title.data(), std::min(title.size(), sizeof name - 1));
  ::prctl(PR_SET_NAME, name);
  if (arguments_size < 2) return;
  // The kernel shows one string, up to the first zero, once the last byte of the area is not zero any more.
  size_t length = std::min(title.size(), arguments_size - 2);
  std::memcpy(arguments, title.data(), length);
  std::memset(arguments + length, 0, arguments_size - length);
  arguments[arguments_size - 1] = ' ';
}

} // namespace sluice::processes
