// Values of parameters as text: read as an environment variable or the default file gives them, and written
// as a configuration file has them. One overload per type of a parameter.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/configuration.h"
#include "supervisor/config/yaml.h"

#include <string_view>
#include <type_traits>

namespace sluice::config {

Result<void> parse_value(std::string_view text, bool &value);
Result<void> parse_value(std::string_view text, int &value);
Result<void> parse_value(std::string_view text, Nanoseconds &value); // Go's syntax, not negative: 300ms, 1m30s
Result<void> parse_value(std::string_view text, uint64_t &value);    // a size: 50M, 1.5G; base 1024; or 0
Result<void> parse_value(std::string_view text, std::string &value);
Result<void> parse_value(std::string_view text, LogLevel &value);
Result<void> parse_value(std::string_view text, Encryption &value);
Result<void> parse_value(std::string_view text, HlsVariant &value);
Result<void> parse_value(std::string_view text, SourceProtocol &value);
Result<void> parse_value(std::string_view text, ReaderStart &value);
Result<void> parse_value(std::string_view text, LogFormat &value);

// Lists take one item at a time.
Result<void> add_item(std::string_view text, std::vector<std::string> &value);
Result<void> add_item(std::string_view text, Protocols &value);
Result<void> add_item(std::string_view text, LogDestinations &value);
Result<void> add_item(std::string_view text, AuthMethods &value);

std::string render_value(bool value);
std::string render_value(int value);
std::string render_value(Nanoseconds value);
std::string render_value(uint64_t value); // one decimal at most
std::string render_value(const std::string &value);
std::string render_value(const std::vector<std::string> &value);

// The word of an enumeration and the words of a set as they are, without quotes.
std::string_view word_of(LogLevel value);
std::string_view word_of(Encryption value);
std::string_view word_of(HlsVariant value);
std::string_view word_of(SourceProtocol value);
std::string_view word_of(ReaderStart value);
std::string_view word_of(LogFormat value);
std::vector<std::string> words_of(const Protocols &value);
std::vector<std::string> words_of(const LogDestinations &value);
std::vector<std::string> words_of(const AuthMethods &value);

template <class T>
concept ListValue = requires(T &value) {
  add_item(std::string_view(), value);
};

template <class Word>
requires std::is_enum_v<Word> std::string render_value(Word value) {
  return yaml_string(word_of(value));
}
template <class Set>
requires requires(const Set &set) {
  words_of(set);
}
std::string render_value(const Set &value) {
  return render_value(words_of(value));
}

} // namespace sluice::config
