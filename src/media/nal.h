// NAL units as MP4 and RTMP carry them: each behind its length (ISO/IEC 14496-15 §5.3.4.2), and what H.264
// and HEVC have in common inside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "media/bit_reader.h"
#include "media/codec.h"
#include "media/picture.h"

namespace stoa::media {

// A configuration record counts a parameter set's bytes in 16 bits.
inline constexpr std::size_t kParameterSetBytesMax = 65535;
// Parameter sets in one access unit. Encoders send two to four.
inline constexpr std::size_t kInBandParameterSetsMax = 64;

// Cuts an access unit into its NAL units. `length_size` is 1, 2 or 4.
class NalCutter {
 public:
  NalCutter(Bytes access_unit, unsigned length_size) : reader_(access_unit), length_size_(length_size) {}

  bool at_end() const { return reader_.at_end(); }
  // The next unit with its header, never empty. Requires: not at_end().
  Result<Bytes, CodecRefusal> next();

 private:
  ByteReader reader_;
  unsigned length_size_;
};

// The payload without emulation prevention bytes (H.264 §7.4.1, HEVC §7.4.2), at most `limit` bytes of it.
Buffer unescape(Bytes nal, std::size_t limit = kParameterSetBytesMax);
// Without the zero bytes that some senders leave behind a unit when they come from Annex B.
Bytes trim_trailing_zeros(Bytes nal);
bool contains(const std::vector<Bytes>& sets, Bytes nal);

// The part of video usability information that is the same in H.264 §E.1.1 and HEVC §E.2.1, from
// aspect_ratio_info_present_flag to the chroma sample locations.
void read_vui_appearance(BitReader& bits, Picture& picture);

}  // namespace stoa::media
