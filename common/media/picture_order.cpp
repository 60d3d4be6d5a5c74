#include "common/media/picture_order.h"

#include "common/media/bit_reader.h"
#include "common/media/nal_unit.h"

#include <algorithm>
#include <cstdlib>

namespace sluice::media {

namespace {

constexpr size_t kSliceHeaderBytes = 32; // what is read has less than 200 bits

} // namespace

Result<H264Slice> parse_h264_slice(Bytes nal_unit, const H264Sps &sps) {
  if (nal_unit.empty()) return Error{"not an H264 slice"};
  H264Nal type = h264_nal_type(nal_unit[0]);
  if (type != H264Nal::Slice && type != H264Nal::PartitionA && type != H264Nal::Idr) return Error{"not an H264 slice"};
  RawPayload raw(nal_unit.first(std::min(nal_unit.size(), kSliceHeaderBytes)));
  BitReader reader(raw.bytes());
  reader.skip(8);
  H264Slice slice;
  slice.idr = type == H264Nal::Idr;
  slice.reference = (nal_unit[0] & 0x60) != 0;
  for (int i = 0; i < 3; i++) reader.ue(); // first_mb_in_slice, slice_type, pic_parameter_set_id
  if (sps.separate_colour_planes) reader.skip(2);
  slice.frame_num = reader.bits(sps.log2_max_frame_num);
  if (!sps.frame_mbs_only) {
    slice.field = reader.flag();
    if (slice.field) reader.skip(1); // bottom_field_flag
  }
  if (slice.idr) reader.ue(); // idr_pic_id
  if (sps.poc_type == 0) slice.poc_lsb = reader.bits(sps.log2_max_poc_lsb);
  if (!reader.ok()) return Error{"invalid H264 slice: too short"};
  return slice;
}

// Section 8.2.1.1, of the frame or of the field that comes first.
int64_t PictureOrder::order_count(const H264Slice &slice) {
  if (slice.idr) {
    msb_ = 0;
    lsb_ = 0;
  }
  int64_t range = int64_t{1} << sps_.log2_max_poc_lsb;
  int64_t step = int64_t{slice.poc_lsb} - lsb_;
  int64_t msb = step <= -range / 2 ? msb_ + range : step > range / 2 ? msb_ - range : msb_;
  if (slice.reference) {
    msb_ = msb;
    lsb_ = slice.poc_lsb;
  }
  return msb + slice.poc_lsb;
}

void PictureOrder::begin(int64_t count) {
  started_ = true;
  shown_ = count;
  ahead_count_ = 0;
}

// Pictures that are closer than all before tell that frames are counted so; where no picture ever comes between, they
// are counted in larger steps.
void PictureOrder::learn_step(int64_t count) {
  int64_t nearest = std::abs(count - shown_);
  for (size_t i = 0; i < ahead_count_; i++) nearest = std::min(nearest, std::abs(count - ahead_[i]));
  if (nearest > 0) step_ = std::min(step_, nearest);
  if (ahead_count_ == 0 || count < ahead_[ahead_count_ - 1]) return;
  // The next one in output comes though others are said to be missing before: they don't exist, or were lost.
  if (ahead_count_ == 1) step_ = ahead_[0] - shown_;
  begin(ahead_[ahead_count_ - 1]);
}

void PictureOrder::insert(int64_t count) {
  size_t place = ahead_count_;
  for (; place > 0 && ahead_[place - 1] > count; place--) ahead_[place] = ahead_[place - 1];
  ahead_[place] = count;
  ahead_count_++;
  size_t next = 0;
  while (next < ahead_count_ && ahead_[next] <= shown_ + step_) shown_ = ahead_[next++];
  std::copy(ahead_.begin() + static_cast<ptrdiff_t>(next), ahead_.begin() + static_cast<ptrdiff_t>(ahead_count_),
            ahead_.begin());
  ahead_count_ -= next;
  if (ahead_count_ > kMaxAhead) begin(ahead_[ahead_count_ - 1]);
}

std::optional<size_t> PictureOrder::add(Bytes slice) {
  if (sps_.poc_type != 0) return std::nullopt;
  auto parsed = parse_h264_slice(slice, sps_);
  if (!parsed) return std::nullopt;
  int64_t count = order_count(*parsed);
  if (parsed->idr || !started_) {
    begin(count);
    return 0;
  }
  learn_step(count);
  if (count > shown_) insert(count);
  return ahead_count_;
}

} // namespace sluice::media
