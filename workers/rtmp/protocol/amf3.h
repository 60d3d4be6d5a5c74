// AMF3 ("Action Message Format -- AMF 3", Adobe 2013), which ActionScript 3 clients write within AMF0 behind the marker
// 0x11. Strings, traits and complex values that came before can be referred to by number.
//   value = marker(1) content;  U29: 7 bits a byte, the 4th of 8, the high bit of the first three means "more"
#pragma once

#include "common/base/bytes.h"
#include "workers/rtmp/protocol/amf_value.h"

namespace sluice::rtmp {

// Decodes values that share their tables. The input and the budget must outlive it.
class Amf3Decoder {
public:
  Amf3Decoder(Bytes input, AmfBudget &budget) : whole_(input), reader_(input), budget_(budget) {}

  // Not decodable: objects that write themselves ("externalizable") other than Flex's array collection, and
  // dictionaries whose keys are neither strings nor numbers.
  Result<void> value(AmfValue &into, size_t depth);
  Bytes rest() const { return reader_.rest(); }

private:
  struct Traits {
    std::string class_name;
    std::vector<std::string> members;
    bool dynamic = false, externalizable = false;
  };

  Result<uint32_t> u29();
  Result<uint32_t> count_of(uint32_t header, size_t smallest_element);
  Result<double> number();
  Result<std::string> text();
  Result<std::string> bytes(uint32_t header);
  Result<void> complex(AmfValue &into, uint8_t marker, size_t depth);
  Result<void> reference(AmfValue &into, uint32_t index, size_t depth);
  Result<void> array(AmfValue &into, uint32_t header, size_t depth);
  Result<void> object(AmfValue &into, uint32_t header, size_t depth);
  Result<Traits> traits(uint32_t header);
  Result<void> numbers(AmfValue &into, uint8_t marker, uint32_t header);
  Result<void> objects(AmfValue &into, uint32_t header, size_t depth);
  Result<void> dictionary(AmfValue &into, uint32_t header, size_t depth);

  Bytes whole_;
  ByteReader reader_;
  AmfBudget &budget_;
  std::vector<std::string> strings_; // bounded by the budget, as all of them are
  std::vector<Traits> traits_;
  std::vector<size_t> complex_; // where the marker of each stands: a reference decodes it once more
  bool repeats_ = false;        // within a reference: what is met stands in the tables
};

// All inline, without references. Integers are written as doubles.
void encode_amf3(ByteVector &out, const AmfValue &value);

} // namespace sluice::rtmp
