// AMF0 ("Action Message Format -- AMF 0", Adobe 2007): what RTMP's commands and metadata are written in.
//   value = marker(1) content;  string = length(2) bytes;  object = *(string value) 0x0000 0x09
#pragma once

#include "common/base/bytes.h"
#include "workers/rtmp/protocol/amf_value.h"

namespace sluice::rtmp {

// Decodes the values of one message in order. The input must stay until the last next().
class Amf0Decoder {
public:
  explicit Amf0Decoder(Bytes message) : whole_(message), reader_(message) {}

  bool at_end() const { return reader_.rest().empty(); }
  // Error: not AMF0, incomplete, or too much; nothing more can be read then.
  Result<AmfValue> next();
  Bytes rest() const { return reader_.rest(); }

private:
  Result<void> value(AmfValue &into, size_t depth);
  Result<void> properties(AmfValue &into, size_t depth);
  Result<void> strict_array(AmfValue &into, size_t depth);
  Result<void> reference(AmfValue &into, size_t depth);
  Result<void> avmplus(AmfValue &into, size_t depth);
  Result<std::string> text(bool is_long);
  Result<double> number();
  void begin_complex();

  Bytes whole_;
  ByteReader reader_;
  AmfBudget budget_;
  // Where the content of each object and array begins, behind its marker: a reference decodes it once more.
  std::vector<size_t> complex_;
  bool repeats_ = false; // within a reference: what is met was counted before
};

// All values of a message.
Result<AmfValues> decode_amf0(Bytes message);

// Strings that are longer than 65535 bytes are written as long strings; names are cut there.
void encode_amf0(ByteVector &out, const AmfValue &value);

} // namespace sluice::rtmp
