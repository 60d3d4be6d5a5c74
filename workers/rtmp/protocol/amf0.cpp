#include "workers/rtmp/protocol/amf0.h"

#include "workers/rtmp/protocol/amf3.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sluice::rtmp {
namespace {

enum Marker : uint8_t {
  kNumber = 0,
  kBoolean = 1,
  kString = 2,
  kObject = 3,
  kNull = 5,
  kUndefined = 6,
  kReference = 7,
  kEcmaArray = 8,
  kObjectEnd = 9,
  kStrictArray = 10,
  kDate = 11,
  kLongString = 12,
  kUnsupported = 13,
  kXmlDocument = 15,
  kTypedObject = 16,
  kAvmPlus = 17,
};

constexpr size_t kMaxShortText = 65535;

Error incomplete() {
  return Error{"AMF0 value is incomplete"};
}

} // namespace

Result<AmfValue> Amf0Decoder::next() {
  AmfValue result;
  TRY(value(result, 0));
  return result;
}

Result<double> Amf0Decoder::number() {
  auto bits = reader_.u64();
  if (!bits) return incomplete();
  return std::bit_cast<double>(*bits);
}

Result<std::string> Amf0Decoder::text(bool is_long) {
  std::optional<uint32_t> length = is_long ? reader_.u32() : std::optional<uint32_t>(reader_.u16());
  if (!length || *length > reader_.rest().size()) return incomplete();
  TRY(budget_.take_text(*length));
  return std::string(as_text(*reader_.bytes(*length)));
}

void Amf0Decoder::begin_complex() {
  if (!repeats_) complex_.push_back(whole_.size() - reader_.rest().size());
}

Result<void> Amf0Decoder::value(AmfValue &into, size_t depth) {
  if (depth >= kMaxAmfDepth) return Error{"AMF0 values are nested too deeply"};
  TRY(budget_.take_value());
  auto marker = reader_.u8();
  if (!marker) return incomplete();
  switch (*marker) {
  case kNumber:
    into = AmfValue(TRY(number()));
    return {};
  case kBoolean: {
    auto truth = reader_.u8();
    if (!truth) return incomplete();
    into = AmfValue::boolean(*truth != 0);
    return {};
  }
  case kString:
  case kLongString:
    into = AmfValue(AmfType::String);
    into.text = TRY(text(*marker == kLongString));
    return {};
  case kXmlDocument:
    into = AmfValue(AmfType::Xml);
    into.text = TRY(text(true));
    return {};
  case kNull:
    into = AmfValue(AmfType::Null);
    return {};
  case kUndefined:
  case kUnsupported:
    into = AmfValue();
    return {};
  case kDate:
    into = AmfValue(AmfType::Date);
    into.number = TRY(number());
    if (!reader_.u16()) return incomplete(); // a time zone that nobody is to use
    return {};
  case kObject:
  case kTypedObject:
  case kEcmaArray:
    into = AmfValue(*marker == kEcmaArray ? AmfType::EcmaArray : AmfType::Object);
    begin_complex();
    if (*marker == kTypedObject) into.text = TRY(text(false));
    if (*marker == kEcmaArray && !reader_.u32()) return incomplete(); // a count that is often wrong
    return properties(into, depth);
  case kStrictArray:
    into = AmfValue(AmfType::StrictArray);
    begin_complex();
    return strict_array(into, depth);
  case kReference:
    return reference(into, depth);
  case kAvmPlus:
    return avmplus(into, depth);
  default:
    return Error{fmt::format("invalid AMF0 marker {}", *marker)};
  }
}

Result<void> Amf0Decoder::properties(AmfValue &into, size_t depth) {
  while (true) {
    if (into.type == AmfType::EcmaArray && at_end()) return {}; // encoders that leave the end mark out
    std::string name = TRY(text(false));
    Bytes rest = reader_.rest();
    if (name.empty() && !rest.empty() && rest[0] == kObjectEnd) {
      reader_.u8();
      return {};
    }
    AmfProperty &property = into.properties.emplace_back();
    property.name = std::move(name);
    TRY(value(property.value, depth + 1));
  }
}

Result<void> Amf0Decoder::strict_array(AmfValue &into, size_t depth) {
  auto count = reader_.u32();
  if (!count || *count > reader_.rest().size()) return incomplete(); // each takes a byte at least
  for (uint32_t i = 0; i < *count; i++) TRY(value(into.items.emplace_back(), depth + 1));
  return {};
}

// To what was begun before, as if it stood here once more. One to what it stands in ends at the bound of depth.
Result<void> Amf0Decoder::reference(AmfValue &into, size_t depth) {
  auto index = reader_.u16();
  if (!index) return incomplete();
  if (*index >= complex_.size()) return Error{"AMF0 reference to nothing"};
  ByteReader after = reader_;
  bool repeated = std::exchange(repeats_, true);
  reader_ = ByteReader(whole_.subspan(complex_[*index] - 1)); // at its marker
  TRY(value(into, depth + 1));
  reader_ = after;
  repeats_ = repeated;
  return {};
}

Result<void> Amf0Decoder::avmplus(AmfValue &into, size_t depth) {
  Amf3Decoder decoder(reader_.rest(), budget_);
  TRY(decoder.value(into, depth + 1));
  reader_ = ByteReader(decoder.rest());
  return {};
}

Result<AmfValues> decode_amf0(Bytes message) {
  Amf0Decoder decoder(message);
  AmfValues values;
  while (!decoder.at_end()) values.push_back(TRY(decoder.next()));
  return values;
}

namespace {

void put_u16(ByteVector &out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

void put_u32(ByteVector &out, size_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value & 0xffff);
}

void put_number(ByteVector &out, double value) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  put_u32(out, bits >> 32);
  put_u32(out, bits & 0xffffffff);
}

void put_short_text(ByteVector &out, std::string_view text) {
  text = text.substr(0, kMaxShortText);
  put_u16(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

void put_long_text(ByteVector &out, Marker marker, std::string_view text) {
  out.push_back(marker);
  put_u32(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

void put_properties(ByteVector &out, const std::vector<AmfProperty> &properties) {
  for (const AmfProperty &property : properties) {
    put_short_text(out, property.name);
    encode_amf0(out, property.value);
  }
  put_u16(out, 0);
  out.push_back(kObjectEnd);
}

void put_object(ByteVector &out, const AmfValue &value) {
  out.push_back(value.text.empty() ? kObject : kTypedObject);
  if (!value.text.empty()) put_short_text(out, value.text);
  put_properties(out, value.properties);
}

} // namespace

void encode_amf0(ByteVector &out, const AmfValue &value) {
  switch (value.type) {
  case AmfType::Undefined:
    return out.push_back(kUndefined);
  case AmfType::Null:
    return out.push_back(kNull);
  case AmfType::Boolean:
    out.push_back(kBoolean);
    return out.push_back(value.truth ? 1 : 0);
  case AmfType::Number:
    out.push_back(kNumber);
    return put_number(out, value.number);
  case AmfType::String:
  case AmfType::ByteArray:
    if (value.text.size() > kMaxShortText) return put_long_text(out, kLongString, value.text);
    out.push_back(kString);
    return put_short_text(out, value.text);
  case AmfType::Xml:
    return put_long_text(out, kXmlDocument, value.text);
  case AmfType::Object:
    return put_object(out, value);
  case AmfType::EcmaArray:
    out.push_back(kEcmaArray);
    put_u32(out, value.properties.size());
    return put_properties(out, value.properties);
  case AmfType::StrictArray:
    out.push_back(kStrictArray);
    put_u32(out, value.items.size());
    for (const AmfValue &item : value.items) encode_amf0(out, item);
    return;
  case AmfType::Date:
    out.push_back(kDate);
    put_number(out, value.number);
    return put_u16(out, 0);
  }
}

} // namespace sluice::rtmp
