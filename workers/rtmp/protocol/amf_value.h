// A value of the Action Message Format as both encodings carry it (amf0.h, amf3.h): a tree of bounded size. What
// decodes a tree shares one AmfBudget among all values of a message, so that references can't multiply it.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::rtmp {

constexpr size_t kMaxAmfDepth = 16;
constexpr size_t kMaxAmfValues = 4096;          // in one message, names of properties not counted
constexpr size_t kMaxAmfTextBytes = 128 * 1024; // of all strings in one message, names included

enum class AmfType : uint8_t {
  Undefined, // also what AMF0 calls unsupported
  Null,
  Boolean,
  Number, // AMF3 integers too
  String,
  Object,
  EcmaArray,   // of AMF3: an array that has named elements; those without a name are called "0", "1", …
  StrictArray, // AMF3 vectors too
  Date,
  Xml,
  ByteArray, // AMF3 only; written to AMF0 as a string
};

struct AmfProperty;

struct AmfValue {
  AmfValue();
  AmfValue(AmfType of_type);
  AmfValue(double value);
  AmfValue(std::string_view value);
  AmfValue(const std::string &value) : AmfValue(std::string_view(value)) {}
  AmfValue(const char *value) : AmfValue(std::string_view(value)) {}
  AmfValue(const AmfValue &);
  AmfValue(AmfValue &&) noexcept;
  AmfValue &operator=(const AmfValue &);
  AmfValue &operator=(AmfValue &&) noexcept;
  ~AmfValue();
  static AmfValue boolean(bool value);
  static AmfValue null();
  static AmfValue object(std::initializer_list<AmfProperty> properties);

  // The first property of this name; null if there is none, or if this is neither an object nor an ECMA array.
  const AmfValue *find(std::string_view name) const;
  // That property's value if it has this type.
  std::optional<double> number_of(std::string_view name) const;
  std::optional<std::string_view> string_of(std::string_view name) const;

  bool operator==(const AmfValue &other) const;

  AmfType type = AmfType::Undefined;
  bool truth = false;                  // Boolean
  double number = 0;                   // Number; of a Date milliseconds since 1970
  std::string text;                    // String, Xml, ByteArray; of an Object the name of its class, "" = none
  std::vector<AmfProperty> properties; // Object, EcmaArray
  std::vector<AmfValue> items;         // StrictArray
};

struct AmfProperty {
  std::string name;
  AmfValue value;

  bool operator==(const AmfProperty &other) const { return name == other.name && value == other.value; }
};

using AmfValues = std::vector<AmfValue>;

// As an integer, 0 for what is not one of 0..2^32-1 (fractions are cut off).
uint32_t amf_to_u32(double number);

class AmfBudget {
public:
  Result<void> take_value();
  Result<void> take_text(size_t bytes);

private:
  size_t values_ = kMaxAmfValues, text_ = kMaxAmfTextBytes;
};

} // namespace sluice::rtmp
