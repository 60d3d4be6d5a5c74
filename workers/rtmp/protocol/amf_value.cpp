#include "workers/rtmp/protocol/amf_value.h"

#include <fmt/format.h>

namespace sluice::rtmp {

AmfValue::AmfValue() = default;
AmfValue::AmfValue(AmfType of_type) : type(of_type) {}
AmfValue::AmfValue(double value) : type(AmfType::Number), number(value) {}
AmfValue::AmfValue(std::string_view value) : type(AmfType::String), text(value) {}
AmfValue::AmfValue(const AmfValue &) = default;
AmfValue::AmfValue(AmfValue &&) noexcept = default;
AmfValue &AmfValue::operator=(const AmfValue &) = default;
AmfValue &AmfValue::operator=(AmfValue &&) noexcept = default;
AmfValue::~AmfValue() = default;

AmfValue AmfValue::null() {
  return AmfType::Null;
}

AmfValue AmfValue::boolean(bool value) {
  AmfValue result(AmfType::Boolean);
  result.truth = value;
  return result;
}

AmfValue AmfValue::object(std::initializer_list<AmfProperty> properties) {
  AmfValue result(AmfType::Object);
  result.properties.assign(properties.begin(), properties.end());
  return result;
}

const AmfValue *AmfValue::find(std::string_view name) const {
  for (const AmfProperty &property : properties)
    if (property.name == name) return &property.value;
  return nullptr;
}

std::optional<double> AmfValue::number_of(std::string_view name) const {
  const AmfValue *value = find(name);
  return value != nullptr && value->type == AmfType::Number ? std::optional(value->number) : std::nullopt;
}

std::optional<std::string_view> AmfValue::string_of(std::string_view name) const {
  const AmfValue *value = find(name);
  return value != nullptr && value->type == AmfType::String ? std::optional<std::string_view>(value->text)
                                                            : std::nullopt;
}

bool AmfValue::operator==(const AmfValue &other) const {
  return type == other.type && truth == other.truth && number == other.number && text == other.text &&
         properties == other.properties && items == other.items;
}

uint32_t amf_to_u32(double number) {
  return number >= 0 && number <= UINT32_MAX ? static_cast<uint32_t>(number) : 0; // not a number: 0
}

Result<void> AmfBudget::take_value() {
  if (values_ == 0) return Error{fmt::format("more than {} AMF values in one message", kMaxAmfValues)};
  values_--;
  return {};
}

Result<void> AmfBudget::take_text(size_t bytes) {
  if (bytes > text_) return Error{fmt::format("more than {} bytes of AMF strings in one message", kMaxAmfTextBytes)};
  text_ -= bytes;
  return {};
}

} // namespace sluice::rtmp
