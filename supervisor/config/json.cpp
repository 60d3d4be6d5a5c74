#include "supervisor/config/json.h"

#include "common/base/check.h"
#include "supervisor/config/assembly.h"
#include "supervisor/config/json_document.h"
#include "supervisor/config/values.h"

#include <cjson/cJSON.h>
#include <fmt/core.h>

#include <algorithm>
#include <memory>

namespace sluice::config {
namespace {

// --- rendering ---

using Json = std::unique_ptr<cJSON, decltype(&cJSON_Delete)>;

cJSON *checked(cJSON *value) {
  CHECK(value != nullptr); // else out of memory
  return value;
}

cJSON *strings(const std::vector<std::string> &items) {
  cJSON *array = checked(cJSON_CreateArray());
  for (const std::string &item : items) cJSON_AddItemToArray(array, checked(cJSON_CreateString(item.c_str())));
  return array;
}

template <class T> cJSON *json_value(const T &value) {
  if constexpr (std::is_same_v<T, bool>) {
    return checked(cJSON_CreateBool(value));
  } else if constexpr (std::is_same_v<T, int>) {
    return checked(cJSON_CreateNumber(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return checked(cJSON_CreateString(value.c_str()));
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return strings(value);
  } else if constexpr (ListValue<T>) {
    std::vector<std::string> words = words_of(value);
    std::sort(words.begin(), words.end());
    return strings(words);
  } else if constexpr (std::is_enum_v<T>) {
    return checked(cJSON_CreateString(std::string(word_of(value)).c_str()));
  } else {
    return checked(cJSON_CreateString(render_value(value).c_str())); // durations and sizes
  }
}

template <class S> cJSON *json_object(const S &holder) {
  cJSON *object = checked(cJSON_CreateObject());
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    cJSON *value = std::visit([&](auto member) { return json_value(holder.*member); }, parameter.member);
    CHECK(cJSON_AddItemToObject(object, std::string(parameter.name).c_str(), value));
  }
  return object;
}

std::string print(const Json &value) {
  std::unique_ptr<char, decltype(&cJSON_free)> text(cJSON_PrintUnformatted(value.get()), &cJSON_free);
  CHECK(text != nullptr);
  return text.get();
}

// --- changes ---

tl::unexpected<LoadErrors> failure(std::string message) {
  return tl::unexpected(LoadErrors{std::move(message)});
}

std::string key_of(std::string_view name) {
  return std::string(name == "all" ? kAllPaths : name);
}

tl::unexpected<LoadErrors> path_failure(std::string_view name, std::string_view what) {
  return failure(fmt::format("path '{}' {}", printable(name, 100), what));
}

Result<YamlNode> parse_object(std::string_view json) {
  YamlNode document = TRY(parse_json(json));
  if (document.kind != YamlNode::Kind::Mapping) return Error{"not a JSON object"};
  return document;
}

ChangeResult finish(Assembly &assembly) {
  LoadResult result = assembly.finish();
  if (!result) return tl::unexpected(std::move(result.error()));
  return std::move(result->configuration);
}

ChangeResult apply_path_json(const Configuration &base, std::string_view name, std::string_view json) {
  auto document = parse_object(json);
  if (!document) return failure(document.error().message);
  Assembly assembly(base);
  assembly.apply_path(std::string(name), *document);
  return finish(assembly);
}

} // namespace

std::string render_json(const Configuration &configuration) {
  Json object(json_object(configuration), &cJSON_Delete);
  cJSON *paths = checked(cJSON_AddObjectToObject(object.get(), "paths"));
  for (const auto &[name, path] : configuration.paths)
    CHECK(cJSON_AddItemToObject(paths, name.c_str(), json_object(path)));
  return print(object);
}

std::string render_json(const PathConfiguration &path) {
  return print(Json(json_object(path), &cJSON_Delete));
}

ChangeResult apply_json_settings(const Configuration &base, std::string_view json, std::vector<std::string> *ignored) {
  auto document = parse_object(json);
  if (!document) return failure(document.error().message);
  for (size_t i = document->keys.size(); i-- > 0;) {
    const std::string &key = document->keys[i].text;
    if (find_parameter<Configuration>(key) != nullptr) continue;
    if (ignored != nullptr) ignored->push_back(printable(key, 100));
    document->keys.erase(document->keys.begin() + static_cast<ptrdiff_t>(i));
    document->items.erase(document->items.begin() + static_cast<ptrdiff_t>(i));
  }
  Assembly assembly(base);
  assembly.apply_document(*document);
  return finish(assembly);
}

ChangeResult add_path_json(const Configuration &base, std::string_view name, std::string_view json) {
  if (base.paths.contains(key_of(name))) return path_failure(name, "exists already; use config/paths/edit");
  return apply_path_json(base, name, json);
}

ChangeResult edit_path_json(const Configuration &base, std::string_view name, std::string_view json) {
  if (!base.paths.contains(key_of(name))) return path_failure(name, "is not configured; use config/paths/add");
  return apply_path_json(base, name, json);
}

ChangeResult remove_path(const Configuration &base, std::string_view name) {
  if (!base.paths.contains(key_of(name))) return path_failure(name, "is not configured");
  Configuration changed = base;
  changed.paths.erase(key_of(name));
  return changed;
}

} // namespace sluice::config
