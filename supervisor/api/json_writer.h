// JSON text (RFC 8259) written from front to end, for answers of many thousand items. Who calls keeps to its grammar:
// within an object a key goes before each value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::api {

class JsonWriter {
public:
  JsonWriter &begin_object() { return open('{'); }
  JsonWriter &end_object() { return close('}'); }
  JsonWriter &begin_array() { return open('['); }
  JsonWriter &end_array() { return close(']'); }
  JsonWriter &key(std::string_view name);

  // Bytes that are not UTF-8 and control characters are shown as in the log.
  JsonWriter &value(std::string_view text);
  JsonWriter &value(const char *text) { return value(std::string_view(text)); }
  JsonWriter &value(uint64_t number);
  JsonWriter &value(double number); // with three decimals at most
  JsonWriter &value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter &null() { return raw("null"); }
  // JSON that is there already.
  JsonWriter &raw(std::string_view json);

  template <class T> JsonWriter &member(std::string_view name, const T &member_value) {
    return key(name).value(member_value);
  }

  const std::string &text() const { return text_; }
  std::string take() { return std::move(text_); }

private:
  JsonWriter &open(char bracket);
  JsonWriter &close(char bracket);
  void separate();
  void quote(std::string_view text);

  std::string text_;
  bool first_ = true; // of its object or array, or behind a key
};

} // namespace sluice::api
