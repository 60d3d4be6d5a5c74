// The header fields of a message (RFC 9110 section 5), in their order. Pure; owns copies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

struct Header {
  std::string name, value;
};

class Headers {
public:
  Headers() = default;
  Headers(std::initializer_list<Header> headers) : all_(headers) {}

  void add(std::string name, std::string value) { all_.push_back({std::move(name), std::move(value)}); }
  // The first of that name, in any case; null when there is none. Valid until the next add.
  const std::string *find(std::string_view name) const;
  size_t count(std::string_view name) const;
  void wipe(std::string_view name); // the values' memory, too
  const std::vector<Header> &all() const { return all_; }

private:
  std::vector<Header> all_;
};

// A method or the name of a header: not empty, no separators (RFC 9110 section 5.6.2).
bool is_token(std::string_view text);
// Without line ends and other control characters, tabs apart: it can't become a second header.
bool is_header_value(std::string_view text);

} // namespace sluice::http
