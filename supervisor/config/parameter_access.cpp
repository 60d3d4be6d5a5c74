// Reading and writing members through the table of parameters.cpp.
#include "common/base/check.h"
#include "common/base/text.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/values.h"

#include <algorithm>
#include <array>

namespace sluice::config {
namespace {

template <class T> Result<void> parse_any(std::string_view text, T &value) {
  if constexpr (ListValue<T>) {
    T items{};
    while (!text.empty()) {
      size_t comma = std::min(text.find(','), text.size());
      TRY(add_item(text.substr(0, comma), items));
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
    value = items;
    return {};
  } else {
    return parse_value(text, value);
  }
}

template <class S> void set_all_defaults(S &holder) {
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    std::string_view text = parameter.default_text;
    if (text == kInherited) text = find_parameter<Configuration>(parameter.name)->default_text;
    CHECK(set_from_text(parameter, text, holder).has_value());
  }
}

// Edits between two names: insertions, removals and replacements of a character, whatever the case.
size_t edit_distance(std::string_view a, std::string_view b) {
  auto same = [](char x, char y) { return lower(x) == lower(y); };
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      size_t replaced = diagonal + (same(a[i - 1], b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

} // namespace

Configuration::Configuration() {
  set_all_defaults(*this);
}
PathConfiguration::PathConfiguration() {
  set_all_defaults(*this);
}

template <> std::span<const Parameter<Configuration>> parameters_of<Configuration>() {
  return global_parameters();
}
template <> std::span<const Parameter<PathConfiguration>> parameters_of<PathConfiguration>() {
  return path_parameters();
}

template <class S> const S &defaults_of() {
  static const S defaults;
  return defaults;
}

template <class S> const Parameter<S> *find_parameter(std::string_view name) {
  auto all = parameters_of<S>();
  auto found = std::find_if(all.begin(), all.end(), [&](const Parameter<S> &row) { return row.name == name; });
  return found == all.end() ? nullptr : &*found;
}

template <class S> Result<void> set_from_text(const Parameter<S> &parameter, std::string_view text, S &holder) {
  return std::visit([&](auto member) { return parse_any(text, holder.*member); }, parameter.member);
}

template <class S> std::string render(const Parameter<S> &parameter, const S &holder) {
  return std::visit([&](auto member) { return render_value(holder.*member); }, parameter.member);
}

template <class S> bool is_default(const Parameter<S> &parameter, const S &holder) {
  return std::visit([&](auto member) { return holder.*member == defaults_of<S>().*member; }, parameter.member);
}

template <class S> bool is_built(const Parameter<S> &parameter, const Configuration &configuration, const S &holder) {
  if (is_default(parameter, holder)) return true;
  return parameter.built != nullptr && parameter.built(configuration, holder);
}

template <class S> void fill_default(const Parameter<S> &parameter, S &holder) {
  if (parameter.zero == Zero::IsValue) return;
  auto fill = [&](auto member) {
    auto &value = holder.*member;
    using T = std::decay_t<decltype(value)>;
    if constexpr (!std::is_enum_v<T>)
      if (value == T{}) value = defaults_of<S>().*member;
  };
  std::visit(fill, parameter.member);
}

void inherit(const Parameter<PathConfiguration> &parameter, const Configuration &configuration,
             PathConfiguration &path) {
  auto copy = [&](auto from, auto to) {
    using From = std::decay_t<decltype(configuration.*from)>;
    using To = std::decay_t<decltype(path.*to)>;
    if constexpr (std::is_same_v<From, To>)
      path.*to = configuration.*from;
    else
      CHECK(!"a path inherits from a parameter of another type");
  };
  std::visit(copy, find_parameter<Configuration>(parameter.name)->member, parameter.member);
}

template <class S> std::string_view nearest_name(std::string_view name) {
  constexpr size_t kLongestName = 64;
  if (name.size() > kLongestName) return {};
  std::string_view nearest;
  size_t least = std::min<size_t>(name.size() / 3, 3) + 1; // further away is another word
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    size_t distance = edit_distance(name, parameter.name);
    if (distance >= least) continue;
    least = distance;
    nearest = parameter.name;
  }
  return nearest;
}

template const Configuration &defaults_of<Configuration>();
template const Parameter<Configuration> *find_parameter<Configuration>(std::string_view);
template Result<void> set_from_text<Configuration>(const Parameter<Configuration> &, std::string_view, Configuration &);
template std::string render<Configuration>(const Parameter<Configuration> &, const Configuration &);
template bool is_default<Configuration>(const Parameter<Configuration> &, const Configuration &);
template bool is_built<Configuration>(const Parameter<Configuration> &, const Configuration &, const Configuration &);
template void fill_default<Configuration>(const Parameter<Configuration> &, Configuration &);
template std::string_view nearest_name<Configuration>(std::string_view);

template const PathConfiguration &defaults_of<PathConfiguration>();
template const Parameter<PathConfiguration> *find_parameter<PathConfiguration>(std::string_view);
template Result<void> set_from_text<PathConfiguration>(const Parameter<PathConfiguration> &, std::string_view,
                                                       PathConfiguration &);
template std::string render<PathConfiguration>(const Parameter<PathConfiguration> &, const PathConfiguration &);
template bool is_default<PathConfiguration>(const Parameter<PathConfiguration> &, const PathConfiguration &);
template bool is_built<PathConfiguration>(const Parameter<PathConfiguration> &, const Configuration &,
                                          const PathConfiguration &);
template void fill_default<PathConfiguration>(const Parameter<PathConfiguration> &, PathConfiguration &);
template std::string_view nearest_name<PathConfiguration>(std::string_view);

} // namespace sluice::config
