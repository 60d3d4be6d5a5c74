#include "supervisor/hooks/command_line.h"

#include "common/base/log.h"

#include <algorithm>
#include <optional>

namespace sluice::hooks {
namespace {

constexpr std::string_view kValueCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-/.~";
constexpr std::string_view kSeparators = " \t\n";
constexpr size_t kMaxNameBytes = 100; // in a log line

Error too_long() {
  return Error{fmt::format("longer than {} bytes", kMaxCommandBytes)};
}

const Variable *longest_name_at(std::string_view text, const Variables &variables) {
  const Variable *longest = nullptr;
  for (const Variable &variable : variables) {
    bool longer = longest == nullptr || variable.name.size() > longest->name.size();
    if (longer && !variable.name.empty() && text.starts_with(variable.name)) longest = &variable;
  }
  return longest;
}

class Splitter {
public:
  explicit Splitter(std::string_view text) : rest_(text) {}

  Result<std::vector<std::string>> run() {
    while (!rest_.empty()) {
      char c = take();
      if (kSeparators.find(c) != kSeparators.npos)
        TRY(end_word());
      else if (c == '\'')
        TRY(single_quoted());
      else if (c == '"')
        TRY(double_quoted());
      else if (c == '\\')
        TRY(escaped());
      else
        word().push_back(c);
    }
    TRY(end_word());
    if (words_.empty()) return Error{"there is no command"};
    return std::move(words_);
  }

private:
  char take() {
    char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  // Quotes begin a word even when nothing is in them.
  std::string &word() { return word_ ? *word_ : word_.emplace(); }

  Result<void> end_word() {
    if (!word_) return {};
    if (words_.size() == kMaxCommandWords) return Error{fmt::format("more than {} words", kMaxCommandWords)};
    words_.push_back(std::move(*word_));
    word_.reset();
    return {};
  }

  Result<void> single_quoted() {
    size_t end = rest_.find('\'');
    if (end == rest_.npos) return Error{"a single quote is not closed"};
    word() += rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return {};
  }

  Result<void> double_quoted() {
    std::string &into = word();
    while (!rest_.empty()) {
      char c = take();
      if (c == '"') return {};
      if (c == '\\' && !rest_.empty() && std::string_view("$`\"\\\n").find(rest_.front()) != std::string_view::npos) {
        c = take();
        if (c == '\n') continue;
      }
      into.push_back(c);
    }
    return Error{"a double quote is not closed"};
  }

  Result<void> escaped() {
    if (rest_.empty()) return Error{"a backslash at the end"};
    char c = take();
    if (c != '\n') word().push_back(c);
    return {};
  }

  std::string_view rest_;
  std::optional<std::string> word_;
  std::vector<std::string> words_;
};

} // namespace

Result<std::string> substitute(std::string_view text, const Variables &variables) {
  std::string result;
  while (result.size() + text.size() <= kMaxCommandBytes) {
    size_t dollar = text.find('$');
    result += text.substr(0, dollar);
    if (dollar == text.npos) return result;
    text.remove_prefix(dollar + 1);
    const Variable *variable = longest_name_at(text, variables);
    if (variable == nullptr) {
      result += '$';
      continue;
    }
    if (variable->value.find_first_not_of(kValueCharacters) != std::string::npos)
      return Error{fmt::format("the value of ${} has characters that a command can't take", variable->name)};
    result += variable->value;
    text.remove_prefix(variable->name.size());
  }
  return too_long();
}

Result<std::vector<std::string>> split_command(std::string_view text) {
  if (text.size() > kMaxCommandBytes) return too_long();
  if (text.find('\0') != text.npos) return Error{"a NUL byte"};
  return Splitter(text).run();
}

Result<std::vector<std::string>> parse_command(std::string_view text, const Variables &variables) {
  std::string substituted = TRY(substitute(text, variables));
  return split_command(substituted);
}

std::string first_word(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return printable(text.substr(0, text.find_first_of(kBlanks)), kMaxNameBytes);
}

} // namespace sluice::hooks
