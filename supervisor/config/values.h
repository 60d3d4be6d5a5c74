// Values of parameters as text: read as an environment variable or the default file gives them, and written
// as a configuration file has them. One overload per type of a parameter.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/configuration.h"

#include <string_view>

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
std::string render_value(LogLevel value);
std::string render_value(Encryption value);
std::string render_value(HlsVariant value);
std::string render_value(SourceProtocol value);
std::string render_value(ReaderStart value);
std::string render_value(LogFormat value);
std::string render_value(const std::vector<std::string> &value);
std::string render_value(const Protocols &value);
std::string render_value(const LogDestinations &value);
std::string render_value(const AuthMethods &value);

template <class T>
concept ListValue = requires(T &value) {
  add_item(std::string_view(), value);
};

} // namespace sluice::config
