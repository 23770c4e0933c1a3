#include "media/payload/nal_units.h"

#include "media/nal.h"

namespace stoa::payload {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kRecordSetsMax = 256;

Result<void, Refusal> read_sets(ByteReader& reader, unsigned count, std::vector<Bytes>& sets) {
  for (unsigned i = 0; i < count; ++i) {
    Bytes set = reader.take(reader.u16());
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    if (set.empty()) continue;
    if (sets.size() == kRecordSetsMax) return refuse(Refusal::kTooLarge);
    sets.push_back(set);
  }
  return {};
}

}  // namespace

Result<void, Refusal> cut_nals(Bytes access_unit, unsigned length_size, std::vector<Bytes>& nals) {
  media::NalCutter cutter(access_unit, length_size);
  while (!cutter.at_end()) {
    auto nal = cutter.next();
    if (!nal)
      return refuse(nal.error() == media::CodecRefusal::kTruncated ? Refusal::kTruncated
                                                                   : Refusal::kBadValue);
    if (nals.size() == kUnitsPerFrameMax) return refuse(Refusal::kTooLarge);
    nals.push_back(*nal);
  }
  return {};
}

Result<RecordSets, Refusal> parse_h264_record(Bytes record) {
  ByteReader reader(record);
  std::uint8_t version = reader.u8();
  reader.skip(3);
  RecordSets found;
  found.length_size = (reader.u8() & 3) + 1u;
  unsigned sps_count = reader.u8() & 0x1f;
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  if (version != 1 || found.length_size == 3) return refuse(Refusal::kBadValue);
  if (auto read = read_sets(reader, sps_count, found.sets); !read) return refuse(read.error());
  unsigned pps_count = reader.u8();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  if (auto read = read_sets(reader, pps_count, found.sets); !read) return refuse(read.error());
  return found;
}

Result<RecordSets, Refusal> parse_hevc_record(Bytes record) {
  ByteReader reader(record);
  std::uint8_t version = reader.u8();
  reader.skip(20);
  RecordSets found;
  found.length_size = (reader.u8() & 3) + 1u;
  unsigned arrays = reader.u8();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  if (version != 1 || found.length_size == 3) return refuse(Refusal::kBadValue);
  for (unsigned i = 0; i < arrays; ++i) {
    reader.u8();  // What the units are, which they say themselves.
    unsigned count = reader.u16();
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    if (auto read = read_sets(reader, count, found.sets); !read) return refuse(read.error());
  }
  return found;
}

Result<void, Refusal> NalWriter::add(Bytes nal) {
  if (auto begun = begin(nal); !begun) return begun;
  return end();
}

Result<void, Refusal> NalWriter::begin(Bytes header) {
  if (is_open_) return refuse(Refusal::kBroken);
  if (count_ == kUnitsPerFrameMax) return refuse(Refusal::kTooLarge);
  ++count_;
  is_open_ = true;
  length_at_ = frame_.size();
  frame_.insert(frame_.end(), kLengthBytes, 0);
  return append(header);
}

Result<void, Refusal> NalWriter::append(Bytes fragment) {
  if (!is_open_) return refuse(Refusal::kBroken);
  if (frame_.size() + fragment.size() > kFrameBytesMax) return refuse(Refusal::kTooLarge);
  frame_.insert(frame_.end(), fragment.begin(), fragment.end());
  return {};
}

Result<void, Refusal> NalWriter::end() {
  if (!is_open_) return refuse(Refusal::kBroken);
  is_open_ = false;
  std::size_t length = frame_.size() - length_at_ - kLengthBytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    frame_[length_at_ + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  }
  return {};
}

}  // namespace stoa::payload
