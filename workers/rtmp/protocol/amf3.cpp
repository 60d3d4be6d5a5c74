#include "workers/rtmp/protocol/amf3.h"

#include <fmt/format.h>

#include <bit>

namespace sluice::rtmp {
namespace {

enum Marker : uint8_t {
  kUndefined = 0,
  kNull = 1,
  kFalse = 2,
  kTrue = 3,
  kInteger = 4,
  kDouble = 5,
  kString = 6,
  kXmlDocument = 7,
  kDate = 8,
  kArray = 9,
  kObject = 10,
  kXml = 11,
  kByteArray = 12,
  kVectorInt = 13,
  kVectorUint = 14,
  kVectorDouble = 15,
  kVectorObject = 16,
  kDictionary = 17,
};

constexpr std::string_view kArrayCollection = "flex.messaging.io.ArrayCollection";

Error incomplete() {
  return Error{"AMF3 value is incomplete"};
}

} // namespace

Result<uint32_t> Amf3Decoder::u29() {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) {
    auto byte = reader_.u8();
    if (!byte) return incomplete();
    if (i == 3) return value << 8 | *byte;
    value = value << 7 | (*byte & 0x7f);
    if ((*byte & 0x80) == 0) break;
  }
  return value;
}

Result<double> Amf3Decoder::number() {
  auto bits = reader_.u64();
  if (!bits) return incomplete();
  return std::bit_cast<double>(*bits);
}

Result<uint32_t> Amf3Decoder::count_of(uint32_t header, size_t smallest_element) {
  uint32_t count = header >> 1;
  if (count > reader_.rest().size() / smallest_element) return incomplete();
  return count;
}

Result<std::string> Amf3Decoder::bytes(uint32_t header) {
  uint32_t length = TRY(count_of(header, 1));
  TRY(budget_.take_text(length));
  return std::string(as_text(*reader_.bytes(length)));
}

Result<std::string> Amf3Decoder::text() {
  uint32_t header = TRY(u29());
  if ((header & 1) == 0) {
    if (header >> 1 >= strings_.size()) return Error{"AMF3 reference to no string"};
    const std::string &known = strings_[header >> 1];
    TRY(budget_.take_text(known.size()));
    return known;
  }
  std::string result = TRY(bytes(header));
  if (!result.empty() && !repeats_) {
    TRY(budget_.take_text(result.size())); // of the table
    strings_.push_back(result);
  }
  return result;
}

Result<void> Amf3Decoder::value(AmfValue &into, size_t depth) {
  if (depth >= kMaxAmfDepth) return Error{"AMF3 values are nested too deeply"};
  TRY(budget_.take_value());
  auto marker = reader_.u8();
  if (!marker) return incomplete();
  switch (*marker) {
  case kUndefined:
    into = AmfValue();
    return {};
  case kNull:
    into = AmfValue(AmfType::Null);
    return {};
  case kFalse:
  case kTrue:
    into = AmfValue::boolean(*marker == kTrue);
    return {};
  case kInteger: {
    uint32_t bits = TRY(u29());
    into = AmfValue(static_cast<double>(static_cast<int32_t>(bits << 3) >> 3)); // 29 bits with a sign
    return {};
  }
  case kDouble:
    into = AmfValue(TRY(number()));
    return {};
  case kString:
    into = AmfValue(AmfType::String);
    into.text = TRY(text());
    return {};
  default:
    return complex(into, *marker, depth);
  }
}

// All that can be referred to: a header whose low bit tells a reference from the thing itself.
Result<void> Amf3Decoder::complex(AmfValue &into, uint8_t marker, size_t depth) {
  if (marker > kDictionary) return Error{fmt::format("invalid AMF3 marker {}", marker)};
  size_t begin = whole_.size() - reader_.rest().size() - 1;
  uint32_t header = TRY(u29());
  if ((header & 1) == 0) return reference(into, header >> 1, depth);
  if (!repeats_) complex_.push_back(begin);
  switch (marker) {
  case kXmlDocument:
  case kXml:
  case kByteArray:
    into = AmfValue(marker == kByteArray ? AmfType::ByteArray : AmfType::Xml);
    into.text = TRY(bytes(header));
    return {};
  case kDate:
    into = AmfValue(AmfType::Date);
    into.number = TRY(number());
    return {};
  case kArray:
    return array(into, header, depth);
  case kObject:
    return object(into, header, depth);
  case kVectorObject:
    return objects(into, header, depth);
  case kDictionary:
    return dictionary(into, header, depth);
  default:
    return numbers(into, marker, header);
  }
}

// One to what it stands in ends at the bound of depth.
Result<void> Amf3Decoder::reference(AmfValue &into, uint32_t index, size_t depth) {
  if (index >= complex_.size()) return Error{"AMF3 reference to nothing"};
  ByteReader after = reader_;
  bool repeated = std::exchange(repeats_, true);
  reader_ = ByteReader(whole_.subspan(complex_[index]));
  TRY(value(into, depth + 1));
  reader_ = after;
  repeats_ = repeated;
  return {};
}

Result<void> Amf3Decoder::array(AmfValue &into, uint32_t header, size_t depth) {
  uint32_t count = TRY(count_of(header, 1));
  into = AmfValue(AmfType::StrictArray);
  for (std::string name = TRY(text()); !name.empty(); name = TRY(text())) {
    into.type = AmfType::EcmaArray;
    AmfProperty &property = into.properties.emplace_back();
    property.name = std::move(name);
    TRY(value(property.value, depth + 1));
  }
  for (uint32_t i = 0; i < count; i++) {
    if (into.type == AmfType::StrictArray) {
      TRY(value(into.items.emplace_back(), depth + 1));
      continue;
    }
    AmfProperty &property = into.properties.emplace_back();
    property.name = std::to_string(i);
    TRY(value(property.value, depth + 1));
  }
  return {};
}

// header: 01 = traits by reference, 111 = externalizable, else 011, dynamic(1) and the number of sealed members.
Result<Amf3Decoder::Traits> Amf3Decoder::traits(uint32_t header) {
  if ((header & 2) == 0) {
    if (header >> 2 >= traits_.size()) return Error{"AMF3 reference to no traits"};
    const Traits &known = traits_[header >> 2];
    size_t bytes = known.class_name.size();
    for (const std::string &member : known.members) bytes += member.size();
    TRY(budget_.take_text(bytes));
    return known;
  }
  Traits result{.class_name = TRY(text()), .members = {}};
  result.externalizable = (header & 4) != 0;
  result.dynamic = !result.externalizable && (header & 8) != 0;
  uint32_t count = result.externalizable ? 0 : header >> 4;
  if (count > reader_.rest().size()) return incomplete();
  for (uint32_t i = 0; i < count; i++) {
    TRY(budget_.take_value()); // a name may take one byte of input and none of text
    result.members.push_back(TRY(text()));
  }
  if (!repeats_) traits_.push_back(result);
  return result;
}

Result<void> Amf3Decoder::object(AmfValue &into, uint32_t header, size_t depth) {
  Traits shape = TRY(traits(header));
  if (shape.externalizable) {
    if (shape.class_name != kArrayCollection) return Error{"AMF3 object of a class that writes itself"};
    return value(into, depth + 1); // an array follows
  }
  into = AmfValue(AmfType::Object);
  into.text = std::move(shape.class_name);
  for (std::string &name : shape.members) {
    AmfProperty &property = into.properties.emplace_back();
    property.name = std::move(name);
    TRY(value(property.value, depth + 1));
  }
  if (!shape.dynamic) return {};
  for (std::string name = TRY(text()); !name.empty(); name = TRY(text())) {
    AmfProperty &property = into.properties.emplace_back();
    property.name = std::move(name);
    TRY(value(property.value, depth + 1));
  }
  return {};
}

Result<void> Amf3Decoder::numbers(AmfValue &into, uint8_t marker, uint32_t header) {
  if (!reader_.u8()) return incomplete(); // whether its length is fixed
  uint32_t count = TRY(count_of(header, marker == kVectorDouble ? 8 : 4));
  into = AmfValue(AmfType::StrictArray);
  for (uint32_t i = 0; i < count; i++) {
    TRY(budget_.take_value());
    if (marker == kVectorDouble) {
      into.items.emplace_back(TRY(number()));
      continue;
    }
    uint32_t bits = *reader_.u32(); // count_of() saw that it is there
    into.items.emplace_back(marker == kVectorInt ? static_cast<double>(static_cast<int32_t>(bits))
                                                 : static_cast<double>(bits));
  }
  return {};
}

Result<void> Amf3Decoder::objects(AmfValue &into, uint32_t header, size_t depth) {
  if (!reader_.u8()) return incomplete();
  uint32_t count = TRY(count_of(header, 1));
  TRY(text()); // the name of their class
  into = AmfValue(AmfType::StrictArray);
  for (uint32_t i = 0; i < count; i++) TRY(value(into.items.emplace_back(), depth + 1));
  return {};
}

Result<void> Amf3Decoder::dictionary(AmfValue &into, uint32_t header, size_t depth) {
  if (!reader_.u8()) return incomplete(); // whether its keys are held weakly
  uint32_t count = TRY(count_of(header, 2));
  into = AmfValue(AmfType::Object);
  for (uint32_t i = 0; i < count; i++) {
    AmfValue key;
    TRY(value(key, depth + 1));
    if (key.type != AmfType::String && key.type != AmfType::Number)
      return Error{"AMF3 dictionary with objects as keys"};
    AmfProperty &property = into.properties.emplace_back();
    property.name = key.type == AmfType::String ? std::move(key.text) : fmt::format("{}", key.number);
    TRY(value(property.value, depth + 1));
  }
  return {};
}

namespace {

constexpr uint32_t kMaxU29 = (1U << 29) - 1;
constexpr size_t kMaxLength = kMaxU29 >> 1;

void put_u29(ByteVector &out, uint32_t value) {
  if (value >= 1U << 21) {
    out.push_back(static_cast<uint8_t>(0x80 | value >> 22));
    out.push_back(static_cast<uint8_t>(0x80 | value >> 15));
    out.push_back(static_cast<uint8_t>(0x80 | value >> 8));
    return out.push_back(static_cast<uint8_t>(value));
  }
  if (value >= 1U << 14) out.push_back(static_cast<uint8_t>(0x80 | value >> 14));
  if (value >= 1U << 7) out.push_back(static_cast<uint8_t>(0x80 | value >> 7));
  out.push_back(static_cast<uint8_t>(value & 0x7f));
}

void put_text(ByteVector &out, std::string_view text) {
  text = text.substr(0, kMaxLength);
  put_u29(out, static_cast<uint32_t>(text.size() << 1 | 1));
  out.insert(out.end(), text.begin(), text.end());
}

void put_number(ByteVector &out, double value) {
  uint8_t bytes[8];
  store_be64(bytes, std::bit_cast<uint64_t>(value));
  out.insert(out.end(), bytes, bytes + 8);
}

void put_properties(ByteVector &out, const std::vector<AmfProperty> &properties) {
  for (const AmfProperty &property : properties) {
    if (property.name.empty()) continue; // an empty name is the end
    put_text(out, property.name);
    encode_amf3(out, property.value);
  }
  put_text(out, "");
}

} // namespace

void encode_amf3(ByteVector &out, const AmfValue &value) {
  switch (value.type) {
  case AmfType::Undefined:
    return out.push_back(kUndefined);
  case AmfType::Null:
    return out.push_back(kNull);
  case AmfType::Boolean:
    return out.push_back(value.truth ? kTrue : kFalse);
  case AmfType::Number:
    out.push_back(kDouble);
    return put_number(out, value.number);
  case AmfType::String:
    out.push_back(kString);
    return put_text(out, value.text);
  case AmfType::Xml:
  case AmfType::ByteArray:
    out.push_back(value.type == AmfType::Xml ? kXml : kByteArray);
    return put_text(out, value.text);
  case AmfType::Date:
    out.push_back(kDate);
    put_u29(out, 1);
    return put_number(out, value.number);
  case AmfType::Object:
    out.push_back(kObject);
    put_u29(out, 0xb); // dynamic, no sealed members
    put_text(out, value.text);
    return put_properties(out, value.properties);
  case AmfType::EcmaArray:
    out.push_back(kArray);
    put_u29(out, 1);
    return put_properties(out, value.properties);
  case AmfType::StrictArray:
    out.push_back(kArray);
    put_u29(out, static_cast<uint32_t>(value.items.size() << 1 | 1));
    put_text(out, "");
    for (const AmfValue &item : value.items) encode_amf3(out, item);
    return;
  }
}

} // namespace sluice::rtmp
