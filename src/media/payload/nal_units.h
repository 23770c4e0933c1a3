// What the payload formats of H.264 and HEVC share: units cut out of an access unit, and put together again.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"

namespace stoa::payload {

// The NAL units of an access unit whose units have `length_size` bytes of length (1, 2 or 4) before them.
Result<void, Refusal> cut_nals(Bytes access_unit, unsigned length_size, std::vector<Bytes>& nals);

// The parameter sets of a decoder configuration record (ISO/IEC 14496-15 §5.3.3.1 and §8.3.3.1) in the order
// in which they must be sent, and the size of the lengths that the record's stream has.
struct RecordSets {
  std::vector<Bytes> sets;  // In the record's memory.
  unsigned length_size = 4;
};
Result<RecordSets, Refusal> parse_h264_record(Bytes record);
Result<RecordSets, Refusal> parse_hevc_record(Bytes record);

// Writes NAL units behind four-byte lengths; a unit may come in fragments.
class NalWriter {
 public:
  explicit NalWriter(Buffer& frame) : frame_(frame) {}

  Result<void, Refusal> add(Bytes nal);
  // A fragmented unit: begin with its header, then its fragments, then end. begin() while one is open and
  // the others while none is are kBroken.
  Result<void, Refusal> begin(Bytes header);
  Result<void, Refusal> append(Bytes fragment);
  Result<void, Refusal> end();
  // Whether no unit is left open.
  bool is_closed() const { return !is_open_; }
  std::size_t count() const { return count_; }

 private:
  Buffer& frame_;
  std::size_t length_at_ = 0, count_ = 0;
  bool is_open_ = false;
};

}  // namespace stoa::payload
