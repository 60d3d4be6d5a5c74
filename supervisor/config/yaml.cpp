#include "supervisor/config/yaml.h"

#include "common/base/log.h"

#include <fmt/core.h>
#include <yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <set>

namespace sluice::config {
namespace {

using Kind = YamlNode::Kind;
using ParseResult = tl::expected<YamlNode, YamlError>;

tl::unexpected<YamlError> failure(int line, std::string message) {
  return tl::unexpected(YamlError{line, std::move(message)});
}

class Event {
public:
  Event() = default;
  ~Event() { clear(); }
  Event(const Event &) = delete;
  Event &operator=(const Event &) = delete;

  bool next(yaml_parser_t &parser) {
    clear();
    return yaml_parser_parse(&parser, &event_) == 1;
  }
  const yaml_event_t *operator->() const { return &event_; }
  int line() const { return static_cast<int>(event_.start_mark.line) + 1; }

private:
  void clear() {
    yaml_event_delete(&event_);
    event_ = {};
  }
  yaml_event_t event_{};
};

std::string_view text_of(const yaml_char_t *text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char *>(text);
}

class Builder {
public:
  explicit Builder(std::string_view text) {
    if (text.empty()) text = ""; // libyaml takes no null pointer
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char *>(text.data()), text.size());
  }
  ~Builder() { yaml_parser_delete(&parser_); }
  Builder(const Builder &) = delete;
  Builder &operator=(const Builder &) = delete;

  ParseResult build();

private:
  ParseResult node(size_t depth); // of the event that event_ holds
  ParseResult scalar();
  ParseResult alias();
  ParseResult sequence(size_t depth);
  ParseResult mapping(size_t depth);
  ParseResult container(size_t depth);
  std::optional<YamlError> add_entry(YamlNode &mapping, YamlNode key, YamlNode value);
  std::optional<YamlError> merge(YamlNode &mapping, const std::vector<YamlNode> &sources);
  std::optional<YamlError> keep_anchor(const std::string &anchor, const YamlNode &node);
  std::optional<YamlError> spend(const YamlNode &node); // counts a copy of the tree against the limits
  tl::unexpected<YamlError> syntax_error() const;
  bool advance() { return event_.next(parser_); }

  yaml_parser_t parser_{};
  Event event_;
  std::map<std::string, YamlNode, std::less<>> anchors_;
  size_t nodes_ = 0, text_bytes_ = 0;
};

tl::unexpected<YamlError> Builder::syntax_error() const {
  bool reader = parser_.error == YAML_READER_ERROR; // has an offset instead of a line
  size_t line = reader ? parser_.mark.line : parser_.problem_mark.line;
  const char *problem = parser_.problem == nullptr ? "out of memory" : parser_.problem;
  const char *context = reader ? nullptr : parser_.context;
  return failure(static_cast<int>(line) + 1, context == nullptr
                                                 ? fmt::format("not valid YAML: {}", problem)
                                                 : fmt::format("not valid YAML: {} {}", context, problem));
}

ParseResult Builder::build() {
  YamlNode root;
  bool seen_document = false;
  while (true) {
    if (!advance()) return syntax_error();
    if (event_->type == YAML_STREAM_END_EVENT) return root;
    if (event_->type == YAML_STREAM_START_EVENT || event_->type == YAML_DOCUMENT_END_EVENT) continue;
    if (event_->type == YAML_DOCUMENT_START_EVENT) {
      if (seen_document) return failure(event_.line(), "more than one YAML document; only one is expected");
      seen_document = true;
      continue;
    }
    ParseResult parsed = node(0);
    if (!parsed) return parsed;
    root = std::move(*parsed);
  }
}

ParseResult Builder::node(size_t depth) {
  if (++nodes_ > kMaxYamlNodes) return failure(event_.line(), fmt::format("more than {} values", kMaxYamlNodes));
  if (event_->type == YAML_SCALAR_EVENT) return scalar();
  if (event_->type == YAML_ALIAS_EVENT) return alias();
  return container(depth);
}

ParseResult Builder::container(size_t depth) {
  if (depth >= kMaxYamlDepth) return failure(event_.line(), fmt::format("nested deeper than {} levels", kMaxYamlDepth));
  bool is_sequence = event_->type == YAML_SEQUENCE_START_EVENT;
  std::string anchor(text_of(is_sequence ? event_->data.sequence_start.anchor : event_->data.mapping_start.anchor));
  std::string_view tag = text_of(is_sequence ? event_->data.sequence_start.tag : event_->data.mapping_start.tag);
  if (!tag.empty() && tag != (is_sequence ? YAML_SEQ_TAG : YAML_MAP_TAG))
    return failure(event_.line(), fmt::format("the tag {} is not known", printable(tag, 100)));
  ParseResult parsed = is_sequence ? sequence(depth) : mapping(depth);
  if (!parsed || anchor.empty()) return parsed;
  if (auto error = keep_anchor(anchor, *parsed)) return tl::unexpected(*error);
  return parsed;
}

ParseResult Builder::scalar() {
  const auto &data = event_->data.scalar;
  std::string_view text(reinterpret_cast<const char *>(data.value), data.length);
  std::string_view tag = text_of(data.tag);
  int line = event_.line();
  text_bytes_ += text.size();
  if (text.size() > kMaxYamlScalarBytes)
    return failure(line, fmt::format("a value longer than {} bytes", kMaxYamlScalarBytes));
  if (text_bytes_ > kMaxYamlTextBytes) return failure(line, "the values are too long in total");
  if (text.find('\0') != text.npos) return failure(line, "a value with a zero byte");

  YamlNode parsed{Kind::String, line, std::string(text), {}, {}};
  bool plain = data.style == YAML_PLAIN_SCALAR_STYLE && tag.empty() && data.plain_implicit != 0;
  if (plain || (!tag.empty() && tag != "!" && tag != YAML_STR_TAG)) {
    YamlNode resolved = resolve_plain_scalar(text);
    static const std::map<std::string_view, Kind> kTags{{YAML_NULL_TAG, Kind::Null},
                                                        {YAML_BOOL_TAG, Kind::Bool},
                                                        {YAML_INT_TAG, Kind::Int},
                                                        {YAML_FLOAT_TAG, Kind::Float}};
    if (!plain) {
      auto wanted = kTags.find(tag);
      if (wanted == kTags.end()) return failure(line, fmt::format("the tag {} is not known", printable(tag, 100)));
      if (wanted->second != resolved.kind) return failure(line, "a value that does not fit its tag");
    }
    parsed.kind = resolved.kind;
    parsed.text = std::move(resolved.text);
  }
  std::string anchor(text_of(data.anchor));
  if (!anchor.empty())
    if (auto error = keep_anchor(anchor, parsed)) return tl::unexpected(*error);
  return parsed;
}

ParseResult Builder::alias() {
  std::string_view name = text_of(event_->data.alias.anchor);
  auto anchor = anchors_.find(name);
  if (anchor == anchors_.end())
    return failure(event_.line(), fmt::format("the anchor '{}' is not defined before", printable(name, 100)));
  if (auto error = spend(anchor->second)) return tl::unexpected(*error);
  return anchor->second;
}

ParseResult Builder::sequence(size_t depth) {
  YamlNode parsed{Kind::Sequence, event_.line(), {}, {}, {}};
  while (true) {
    if (!advance()) return syntax_error();
    if (event_->type == YAML_SEQUENCE_END_EVENT) return parsed;
    ParseResult item = node(depth + 1);
    if (!item) return item;
    parsed.items.push_back(std::move(*item));
  }
}

ParseResult Builder::mapping(size_t depth) {
  YamlNode parsed{Kind::Mapping, event_.line(), {}, {}, {}};
  std::map<std::pair<Kind, std::string>, int> first_lines;
  std::vector<YamlNode> merged;
  while (true) {
    if (!advance()) return syntax_error();
    if (event_->type == YAML_MAPPING_END_EVENT) break;
    bool plain = event_->type == YAML_SCALAR_EVENT && event_->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    ParseResult key = node(depth + 1);
    if (!key) return key;
    if (key->kind == Kind::Sequence || key->kind == Kind::Mapping)
      return failure(key->line, "a list or map as the key of a map is not supported");
    if (!advance()) return syntax_error();
    ParseResult value = node(depth + 1);
    if (!value) return value;
    if (plain && key->kind == Kind::String && key->text == "<<") {
      if (value->kind == Kind::Sequence)
        std::move(value->items.begin(), value->items.end(), std::back_inserter(merged));
      else
        merged.push_back(std::move(*value));
      continue;
    }
    auto [first, fresh] = first_lines.emplace(std::pair(key->kind, key->text), key->line);
    if (!fresh)
      return failure(key->line,
                     fmt::format("'{}' is given twice, first in line {}", printable(key->text, 100), first->second));
    parsed.keys.push_back(std::move(*key));
    parsed.items.push_back(std::move(*value));
  }
  if (auto error = merge(parsed, merged)) return tl::unexpected(*error);
  return parsed;
}

// Keys of the mapping itself come before those of its sources, earlier sources before later ones.
std::optional<YamlError> Builder::merge(YamlNode &mapping, const std::vector<YamlNode> &sources) {
  std::set<std::pair<Kind, std::string>> present;
  if (!sources.empty())
    for (const YamlNode &key : mapping.keys) present.emplace(key.kind, key.text);
  for (const YamlNode &source : sources) {
    if (source.kind != Kind::Mapping) return YamlError{source.line, "only maps can be merged with '<<'"};
    for (size_t i = 0; i < source.keys.size(); i++) {
      if (!present.emplace(source.keys[i].kind, source.keys[i].text).second) continue;
      if (auto error = spend(source.items[i])) return error;
      mapping.keys.push_back(source.keys[i]);
      mapping.items.push_back(source.items[i]);
    }
  }
  return std::nullopt;
}

std::optional<YamlError> Builder::keep_anchor(const std::string &anchor, const YamlNode &node) {
  if (auto error = spend(node)) return error;
  anchors_.insert_or_assign(anchor, node);
  return std::nullopt;
}

std::optional<YamlError> Builder::spend(const YamlNode &node) {
  text_bytes_ += node.text.size();
  if (++nodes_ > kMaxYamlNodes || text_bytes_ > kMaxYamlTextBytes)
    return YamlError{node.line, "aliases and merges expand to too much"};
  for (const auto *children : {&node.keys, &node.items})
    for (const YamlNode &child : *children)
      if (auto error = spend(child)) return error;
  return std::nullopt;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// As in Go: signs, underscores between digits, 0x, 0b, 0o and 0 for octal.
std::optional<std::string> as_integer(std::string_view text) {
  size_t first = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  if (first == text.size() || !std::isdigit(static_cast<unsigned char>(text[first]))) return std::nullopt;
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != '_'; });
  std::string_view rest = digits;
  bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  int base = 10;
  if (rest.size() > 1 && rest[0] == '0') {
    char prefix = static_cast<char>(rest[1] | 0x20);
    base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
    rest.remove_prefix(prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1);
  }
  uint64_t value = 0;
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (rest.empty() || error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  return fmt::format("{}{}", negative ? "-" : "", value);
}

// [-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?
bool is_float(std::string_view text) {
  if (is_one_of(text,
                {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"}))
    return true;
  auto skip_digits = [&text] {
    size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
  };
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  size_t digits = skip_digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    digits = skip_digits();
  }
  if (digits == 0) return false;
  if (text.empty()) return true;
  if (text.size() < 3 || (text[0] | 0x20) != 'e' || (text[1] != '-' && text[1] != '+')) return false;
  text.remove_prefix(2);
  return skip_digits() > 0 && text.empty();
}

} // namespace

ParseResult parse_yaml(std::string_view text) {
  if (text.size() > kMaxYamlBytes) return failure(1, fmt::format("larger than {} bytes", kMaxYamlBytes));
  return Builder(text).build();
}

YamlNode resolve_plain_scalar(std::string_view text) {
  auto scalar = [](Kind kind, std::string value) { return YamlNode{kind, 0, std::move(value), {}, {}}; };
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return scalar(Kind::Null, "");
  if (is_one_of(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}))
    return scalar(Kind::Bool, "yes");
  if (is_one_of(text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}))
    return scalar(Kind::Bool, "no");
  if (auto integer = as_integer(text)) return scalar(Kind::Int, std::move(*integer));
  if (is_float(text)) return scalar(Kind::Float, std::string(text));
  return scalar(Kind::String, std::string(text));
}

std::string yaml_string(std::string_view text) {
  constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-";
  bool plain = resolve_plain_scalar(text).kind == Kind::String && text.find_first_not_of(kSafe) == text.npos &&
               text[0] != '-' && !text.ends_with(':');
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    uint8_t byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\')
      quoted.append({'\\', c});
    else if (byte < 0x20 || byte == 0x7f)
      quoted += fmt::format("\\x{:02x}", byte);
    else
      quoted += c;
  }
  return quoted + '"';
}

} // namespace sluice::config
