// A YAML document as a tree of nodes with line numbers, built from libyaml's events. Scalars are resolved as
// YAML 1.1 has them (yes, on, 0x10 …), so JSON is valid too. Pure, and bounded by the limits below whatever
// the text is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace sluice::config {

constexpr size_t kMaxYamlBytes = 4 << 20;
constexpr size_t kMaxYamlScalarBytes = 64 << 10;
constexpr size_t kMaxYamlDepth = 32;
constexpr size_t kMaxYamlNodes = 200'000;      // what aliases repeat counts again
constexpr size_t kMaxYamlTextBytes = 16 << 20; // of all scalars, likewise

struct YamlNode {
  enum class Kind : uint8_t { Null, Bool, Int, Float, String, Sequence, Mapping };
  Kind kind = Kind::Null;
  int line = 0;                // from 1
  std::string text;            // of a scalar. Bool: "yes" or "no"; Int: decimal; others as written
  std::vector<YamlNode> keys;  // of a mapping; scalars, all different
  std::vector<YamlNode> items; // of a sequence or mapping (one per key)
};

struct YamlError {
  int line = 0;
  std::string message;
};

// The one document of the text; Null if there is none. Merge keys (`<<`) are resolved.
tl::expected<YamlNode, YamlError> parse_yaml(std::string_view text);

// What an unquoted scalar is.
YamlNode resolve_plain_scalar(std::string_view text);

// The text as a scalar that reads back as this string, quoted if it has to be.
std::string yaml_string(std::string_view text);

} // namespace sluice::config
