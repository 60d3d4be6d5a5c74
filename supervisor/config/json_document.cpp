#include "supervisor/config/json_document.h"

#include "common/base/log.h"
#include "common/base/utf8.h"

#include <cjson/cJSON.h>
#include <fmt/core.h>

#include <cmath>
#include <memory>
#include <set>

namespace sluice::config {
namespace {

using Kind = YamlNode::Kind;
using Document = std::unique_ptr<cJSON, decltype(&cJSON_Delete)>;

// Whether a string has \u0000, at which cJSON would end it. Backslashes stand in strings alone.
bool has_zero_escape(std::string_view text) {
  for (size_t i = text.find('\\'); i != text.npos; i = text.find('\\', i + 2))
    if (text.substr(i + 1, 5) == "u0000") return true;
  return false;
}

class Converter {
public:
  Result<YamlNode> convert(const cJSON &value, size_t depth) {
    if (++nodes_ > kMaxJsonNodes) return Error{fmt::format("more than {} values", kMaxJsonNodes)};
    switch (value.type & 0xff) {
    case cJSON_NULL:
      return YamlNode{};
    case cJSON_False:
      return YamlNode{Kind::Bool, 0, "no", {}, {}};
    case cJSON_True:
      return YamlNode{Kind::Bool, 0, "yes", {}, {}};
    case cJSON_Number:
      return number(value.valuedouble);
    case cJSON_String:
      return string(value.valuestring);
    default:
      return container(value, depth);
    }
  }

private:
  static YamlNode number(double value) {
    bool whole = std::abs(value) <= std::ldexp(1.0, 53) && value == std::trunc(value);
    if (!whole) return {Kind::Float, 0, fmt::format("{}", value), {}, {}};
    return {Kind::Int, 0, fmt::format("{}", static_cast<int64_t>(value)), {}, {}};
  }

  static Result<YamlNode> string(std::string_view text) {
    if (text.size() > kMaxYamlScalarBytes)
      return Error{fmt::format("a value longer than {} bytes", kMaxYamlScalarBytes)};
    return YamlNode{Kind::String, 0, std::string(text), {}, {}};
  }

  Result<YamlNode> container(const cJSON &value, size_t depth) {
    if (depth >= kMaxJsonDepth) return Error{fmt::format("nested deeper than {} levels", kMaxJsonDepth)};
    bool is_object = cJSON_IsObject(&value) != 0;
    YamlNode node{is_object ? Kind::Mapping : Kind::Sequence, 0, {}, {}, {}};
    std::set<std::string_view> names;
    for (const cJSON *item = value.child; item != nullptr; item = item->next) {
      if (is_object) {
        if (!names.insert(item->string).second)
          return Error{fmt::format("'{}' is given twice", printable(item->string, 100))};
        node.keys.push_back(TRY(string(item->string)));
      }
      node.items.push_back(TRY(convert(*item, depth + 1)));
    }
    return node;
  }

  size_t nodes_ = 0;
};

} // namespace

Result<YamlNode> parse_json(std::string_view text) {
  if (text.size() > kMaxJsonBytes) return Error{fmt::format("larger than {} bytes", kMaxJsonBytes)};
  Error invalid{"not valid JSON"};
  if (text.find('\0') != text.npos || !is_utf8(text)) return invalid;
  if (has_zero_escape(text)) return Error{"a value with a zero byte"};
  std::string terminated(text);
  Document document(cJSON_ParseWithLengthOpts(terminated.c_str(), terminated.size() + 1, nullptr, 1), &cJSON_Delete);
  if (document == nullptr) return invalid;
  return Converter().convert(*document, 0);
}

} // namespace sluice::config
