#include "supervisor/config/assembly.h"

#include "common/base/text.h"
#include "common/base/utf8.h"
#include "supervisor/config/decode.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <limits>

namespace sluice::config {
namespace {

using Kind = YamlNode::Kind;
constexpr std::string_view kVariablePrefix = "RTSP_";
constexpr std::string_view kPathVariablePrefix = "RTSP_PATHS_";
constexpr size_t kMaxNameBytes = 100; // of a name that a message repeats

std::string upper(std::string_view text) {
  std::string result(text);
  for (char &c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

std::string path_prefix(std::string_view name) {
  return fmt::format("parameter paths, key {}: ", printable(name == kAllPaths ? "all" : name, kMaxNameBytes));
}

template <class S> const Parameter<S> *find_by_variable(std::string_view part) {
  for (const Parameter<S> &parameter : parameters_of<S>())
    if (upper(parameter.name) == part) return &parameter;
  return nullptr;
}

void note_own(const Parameter<Configuration> &, Configuration &) {}
void note_own(const Parameter<PathConfiguration> &parameter, PathConfiguration &path) {
  if (parameter.default_text == kInherited) path.own.insert(parameter.name);
}
bool inherits(const Parameter<Configuration> &, const Configuration &) {
  return false;
}
bool inherits(const Parameter<PathConfiguration> &parameter, const PathConfiguration &path) {
  return parameter.default_text == kInherited && !path.own.contains(parameter.name);
}

} // namespace

Assembly::Assembly(Configuration base) : is_change_(true) {
  for (const auto &[name, entry] : base.paths) next_order_ = std::max(next_order_, entry.order + 1);
  loaded_.configuration = std::move(base);
}

// Errors are sorted by line later; those of variables come last.
void Assembly::report(const Origin &origin, const std::string &prefix, std::string_view parameter,
                      std::string_view message) {
  if (errors_.size() == kMaxReportedErrors) {
    unreported_errors_++;
    return;
  }
  std::string subject = parameter.empty() ? "" : fmt::format("{}: ", parameter);
  if (!origin.variable.empty())
    errors_.push_back(
        {std::numeric_limits<int>::max(), fmt::format("{}: {}", printable(origin.variable, kMaxNameBytes), message)});
  else if (is_change_)
    errors_.push_back({0, fmt::format("{}{}{}", prefix, subject, message)});
  else if (origin.line > 0)
    errors_.push_back({origin.line, fmt::format("{}:{}: {}{}{}", file_, origin.line, prefix, subject, message)});
  else
    errors_.push_back({0, fmt::format("{}: {}{}{}", file_, prefix, subject, message)});
}

// --- the document ---

void Assembly::apply_document(const YamlNode &root) {
  if (root.kind == Kind::Null) return;
  if (root.kind != Kind::Mapping) return report({root.line, {}}, "", {}, "not a map");
  apply_mapping(root, "", loaded_.configuration, origins_);
}

template <class S>
void Assembly::apply_mapping(const YamlNode &mapping, const std::string &prefix, S &holder, Origins &origins) {
  for (size_t i = 0; i < mapping.keys.size(); i++) {
    const YamlNode &key = mapping.keys[i], &value = mapping.items[i];
    Origin origin{key.line, {}};
    std::string shown = printable(key.text, kMaxNameBytes);
    if (key.kind != Kind::String) {
      report(origin, prefix, {}, fmt::format("integer keys are not supported ({})", shown));
      continue;
    }
    if constexpr (std::is_same_v<S, Configuration>) {
      if (key.text == "paths") {
        apply_paths(value);
        continue;
      }
    }
    const Parameter<S> *parameter = find_parameter<S>(key.text);
    if (parameter == nullptr) {
      std::string_view nearest = errors_.size() < kMaxReportedErrors ? nearest_name<S>(key.text) : std::string_view();
      report(origin, prefix, {},
             fmt::format("non-existent parameter: '{}'{}", shown,
                         nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
      continue;
    }
    if (auto set = set_from_node(*parameter, value, holder); !set) {
      report(origin, prefix, parameter->name, set.error().message);
      continue;
    }
    origins[parameter->name] = origin;
    note_own(*parameter, holder);
  }
}

void Assembly::apply_paths(const YamlNode &node) {
  if (node.kind == Kind::Null) return;
  if (node.kind != Kind::Mapping) return report({node.line, {}}, "", {}, "parameter paths is not a map");
  bool has_all = std::any_of(node.keys.begin(), node.keys.end(), [](const YamlNode &key) { return key.text == "all"; });
  for (size_t i = 0; i < node.keys.size(); i++) {
    const YamlNode &key = node.keys[i], &value = node.items[i];
    if (key.kind != Kind::String) {
      report({key.line, {}}, "parameter paths: ", {},
             fmt::format("integer keys are not supported ({}); put the name in quotes",
                         printable(key.text, kMaxNameBytes)));
      continue;
    }
    if (has_all && key.text == kAllPaths) {
      add_note(fmt::format("path '{}' is left out, since it is the same as path 'all'", kAllPaths));
      continue;
    }
    apply_path(key.text, {key.line, {}}, value);
  }
}

void Assembly::apply_path(const std::string &name, const YamlNode &parameters) {
  apply_path(name, {}, parameters);
}

void Assembly::apply_path(const std::string &name, const Origin &origin, const YamlNode &parameters) {
  PathConfiguration &entry = path(name, origin);
  PathOrigins &origins = path_origins_[entry.name];
  size_t errors_before = error_count();
  if (parameters.kind == Kind::Mapping)
    apply_mapping(parameters, path_prefix(name), entry, origins.parameters);
  else if (parameters.kind != Kind::Null)
    report(origins.path, path_prefix(name), {}, "not a map");
  origins.broken |= error_count() > errors_before;
}

PathConfiguration &Assembly::path(const std::string &name, Origin origin) {
  std::string key = name == "all" ? std::string(kAllPaths) : name;
  auto [entry, fresh] = loaded_.configuration.paths.try_emplace(key, defaults_of<PathConfiguration>());
  if (fresh) {
    entry->second.name = key;
    entry->second.order = next_order_++;
    path_origins_[key].path = std::move(origin);
  }
  return entry->second;
}

void Assembly::add_path(const std::string &name) {
  path(name, {});
}

// --- the environment ---

void Assembly::apply_environment(const Environment &environment) {
  for (const Parameter<Configuration> &parameter : global_parameters()) {
    auto variable = environment.find(std::string(kVariablePrefix) + upper(parameter.name));
    if (variable != environment.end())
      apply_variable(parameter, variable->first, variable->second, loaded_.configuration, origins_);
  }
  for (auto it = environment.lower_bound(std::string(kPathVariablePrefix)); it != environment.end(); ++it) {
    if (!it->first.starts_with(kPathVariablePrefix)) break;
    apply_path_variable(it->first, it->second);
  }
  note_misspelled_variables(environment);
}

template <class S>
void Assembly::apply_variable(const Parameter<S> &parameter, const std::string &variable, const std::string &value,
                              S &holder, Origins &origins) {
  Origin origin{0, variable};
  if (!is_utf8(value)) return report(origin, "", {}, "not UTF-8");
  if (auto set = set_from_text(parameter, value, holder); !set) return report(origin, "", {}, set.error().message);
  origins[parameter.name] = origin;
  note_own(parameter, holder);
}

// RTSP_PATHS_<KEY>[_<PARAMETER>]: the name of the path is KEY in lower case.
void Assembly::apply_path_variable(const std::string &variable, const std::string &value) {
  std::string_view rest = std::string_view(variable).substr(kPathVariablePrefix.size());
  size_t end = std::min(rest.find('_'), rest.size());
  std::string_view key = rest.substr(0, end);
  if (key.empty() || upper(key) != key) return;
  if (end == rest.size()) {
    path(lower(key), {0, variable});
    return;
  }
  std::string_view part = rest.substr(end + 1);
  if (const auto *parameter = find_by_variable<PathConfiguration>(part)) {
    PathConfiguration &entry = path(lower(key), {0, variable});
    PathOrigins &origins = path_origins_[entry.name];
    size_t errors_before = error_count();
    apply_variable(*parameter, variable, value, entry, origins.parameters);
    origins.broken |= error_count() > errors_before;
    return;
  }
  if (loaded_.notes.size() >= kMaxReportedErrors) return;
  std::string_view nearest = nearest_name<PathConfiguration>(part);
  std::string hint = nearest.empty() ? ""
                                     : fmt::format("; did you mean {}{}_{}?", kPathVariablePrefix,
                                                   printable(key, kMaxNameBytes), upper(nearest));
  add_note(fmt::format("the environment variable {} is ignored, since paths have no such parameter{}",
                       printable(variable, kMaxNameBytes), hint));
}

// Unknown variables are none of our business (an orchestrator sets RTSP_PORT for a service called rtsp); those
// that are nearly known probably are.
void Assembly::note_misspelled_variables(const Environment &environment) {
  for (auto it = environment.lower_bound(std::string(kVariablePrefix)); it != environment.end(); ++it) {
    if (!it->first.starts_with(kVariablePrefix) || loaded_.notes.size() >= kMaxReportedErrors) break;
    if (it->first.starts_with(kPathVariablePrefix)) continue;
    std::string_view part = std::string_view(it->first).substr(kVariablePrefix.size());
    if (find_by_variable<Configuration>(part) != nullptr) continue;
    std::string_view nearest = nearest_name<Configuration>(part);
    if (nearest.empty()) continue;
    add_note(fmt::format("the environment variable {} is ignored; did you mean {}{}?",
                         printable(it->first, kMaxNameBytes), kVariablePrefix, upper(nearest)));
  }
}

// --- the whole ---

LoadResult Assembly::finish() {
  Configuration &configuration = loaded_.configuration;
  for (const Parameter<Configuration> &parameter : global_parameters()) fill_default(parameter, configuration);
  complete_paths();
  check_values("", configuration, origins_, {}, find_problems(configuration));
  for (const auto &[name, entry] : configuration.paths) check_path(entry, path_origins_[name]);

  if (errors_.empty()) return std::move(loaded_);
  std::stable_sort(errors_.begin(), errors_.end(),
                   [](const ReportedError &a, const ReportedError &b) { return a.line < b.line; });
  LoadErrors texts;
  for (ReportedError &error : errors_) texts.push_back(std::move(error.text));
  if (unreported_errors_ > 0) texts.push_back(fmt::format("{} more errors are not shown", unreported_errors_));
  return tl::unexpected(std::move(texts));
}

void Assembly::complete_paths() {
  for (auto &[name, entry] : loaded_.configuration.paths) {
    for (const Parameter<PathConfiguration> &parameter : path_parameters()) {
      if (inherits(parameter, entry))
        inherit(parameter, loaded_.configuration, entry);
      else
        fill_default(parameter, entry);
    }
  }
}

// Each value, then the problems of several together; a value that has one is not also called unsupported, and
// one that a path inherits is not looked at again.
template <class S>
void Assembly::check_values(const std::string &prefix, const S &holder, const Origins &origins, const Origin &otherwise,
                            const std::vector<Problem> &problems) {
  auto origin_of = [&](std::string_view name) {
    auto origin = origins.find(name);
    return origin == origins.end() ? otherwise : origin->second;
  };
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    if (inherits(parameter, holder)) continue;
    bool has_problem = std::any_of(problems.begin(), problems.end(),
                                   [&](const Problem &problem) { return problem.parameter == parameter.name; });
    std::string wrong = parameter.check == nullptr ? "" : parameter.check(holder);
    if (!wrong.empty())
      report(origin_of(parameter.name), prefix, parameter.name, wrong);
    else if (!has_problem && !is_built(parameter, loaded_.configuration, holder))
      report(origin_of(parameter.name), prefix, parameter.name,
             fmt::format("not supported yet; expected the default, {}", render(parameter, defaults_of<S>())));
  }
  for (const Problem &problem : problems)
    report(origin_of(problem.parameter), prefix, problem.parameter, problem.message);
}

void Assembly::check_path(const PathConfiguration &path, const PathOrigins &origins) {
  std::string prefix = path_prefix(path.name);
  std::vector<Problem> problems;
  if (!origins.broken) // else what is missing would be complained about
    if (auto problem = find_problem(loaded_.configuration, path)) problems.push_back(std::move(*problem));
  check_values(prefix, path, origins.parameters, origins.path, problems);
}

} // namespace sluice::config
