// A JSON document (RFC 8259) as the tree of nodes that YAML becomes too, so that both are decoded alike. Pure, and
// bounded by the limits below whatever the text is.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/yaml.h"

namespace sluice::config {

constexpr size_t kMaxJsonBytes = 1 << 20;
constexpr size_t kMaxJsonDepth = 16;
constexpr size_t kMaxJsonNodes = 20'000;

// Lines are 0. Numbers without a fraction, up to 2^53, are Kind::Int. A key given twice is an error.
Result<YamlNode> parse_json(std::string_view text);

} // namespace sluice::config
