#include "supervisor/config/decode.h"

#include "supervisor/config/values.h"

#include <fmt/core.h>

#include <type_traits>

namespace sluice::config {
namespace {

using Kind = YamlNode::Kind;

// Values are not repeated in these messages: a password may be among them.
Error wrong_type(std::string_view expected, const YamlNode &node) {
  const char *found = "";
  switch (node.kind) {
  case Kind::Null:
    found = "nothing";
    break;
  case Kind::Bool:
    found = "a boolean";
    break;
  case Kind::Int:
  case Kind::Float:
    found = "a number";
    break;
  case Kind::String:
    found = "text";
    break;
  case Kind::Sequence:
    found = "a list";
    break;
  case Kind::Mapping:
    found = "a map";
    break;
  }
  return Error{fmt::format("wrong type: expected {}, found {}", expected, found)};
}

template <class T> constexpr std::string_view expected_type() {
  if constexpr (std::is_same_v<T, bool>)
    return "yes or no";
  else if constexpr (std::is_same_v<T, int>)
    return "a whole number";
  else if constexpr (std::is_same_v<T, Nanoseconds>)
    return "a duration with its unit, such as 10s";
  else if constexpr (std::is_same_v<T, uint64_t>)
    return "a size with its unit, such as 50M";
  else if constexpr (ListValue<T>)
    return "a list of texts, such as [a, b]";
  else
    return "text (yes, no and numbers need quotes)";
}

template <class T> constexpr bool takes_null() {
  return std::is_same_v<T, bool> || std::is_same_v<T, int> || std::is_same_v<T, std::string> || ListValue<T>;
}

template <class T> Result<void> decode(const YamlNode &node, Zero zero, T &value) {
  if constexpr (ListValue<T>) {
    if (node.kind != Kind::Sequence) return wrong_type(expected_type<T>(), node);
    T items{};
    for (const YamlNode &item : node.items) {
      if (item.kind != Kind::String) return wrong_type(expected_type<T>(), item);
      TRY(add_item(item.text, items));
    }
    value = items;
    return {};
  } else {
    Kind wanted = std::is_same_v<T, bool> ? Kind::Bool : std::is_same_v<T, int> ? Kind::Int : Kind::String;
    // `maxMemory: 0` needs no unit.
    bool zero_number = zero == Zero::IsValue && node.kind == Kind::Int && node.text == "0" &&
                       (std::is_same_v<T, Nanoseconds> || std::is_same_v<T, uint64_t>);
    if (node.kind != wanted && !zero_number) return wrong_type(expected_type<T>(), node);
    return parse_value(node.text, value);
  }
}

} // namespace

template <class S> Result<void> set_from_node(const Parameter<S> &parameter, const YamlNode &node, S &holder) {
  auto set = [&](auto member) -> Result<void> {
    using T = std::decay_t<decltype(holder.*member)>;
    if (node.kind == Kind::Null && takes_null<T>()) return {}; // holds the default
    return decode(node, parameter.zero, holder.*member);
  };
  return std::visit(set, parameter.member);
}

template Result<void> set_from_node(const Parameter<Configuration> &, const YamlNode &, Configuration &);
template Result<void> set_from_node(const Parameter<PathConfiguration> &, const YamlNode &, PathConfiguration &);

} // namespace sluice::config
