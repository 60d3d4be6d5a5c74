// A command up to the first zero byte, then values of $A, $A1 and $RTSP_PATH, each ended by one. Words are within
// bounds, and the same again when they are quoted and split; values of strangers never change how many there are.

#include "common/base/check.h"
#include "supervisor/hooks/command_line.h"

#include <algorithm>

namespace {

using namespace sluice::hooks;

std::string quoted(const std::string &word) {
  std::string result = "'";
  for (char c : word) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

void check_words(const std::vector<std::string> &words) {
  CHECK(!words.empty() && words.size() <= kMaxCommandWords);
  std::string text;
  for (const std::string &word : words) text += quoted(word) + " ";
  auto again = split_command(text);
  CHECK(again ? *again == words : text.size() > kMaxCommandBytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view rest(reinterpret_cast<const char *>(data), size);
  if (auto words = split_command(rest)) check_words(*words);
  auto take = [&rest] {
    std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    return std::string(part);
  };
  std::string text = take();
  Variables variables{{"A", take()}, {"A1", take()}, {"RTSP_PATH", take()}};
  CHECK(first_word(text).size() <= 100);

  auto words = parse_command(text, variables);
  if (!words) {
    CHECK(!words.error().message.empty());
    return 0;
  }
  check_words(*words);
  // With a letter for each value there are as many words, if none is empty.
  if (std::any_of(variables.begin(), variables.end(), [](const Variable &each) { return each.value.empty(); }))
    return 0;
  for (Variable &variable : variables) variable.value.assign(1, 'x');
  auto same = parse_command(text, variables);
  CHECK(same && same->size() == words->size());
  return 0;
}
