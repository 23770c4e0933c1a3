// When a frame was sent, written into the frame itself, so that it comes out of any server that forwards
// payloads as they are (header extensions are often left behind).
//
// Video: an SEI of user data (H.264 Annex D.2.7) is the first NAL unit behind the parameter sets, so it goes
// with the frame's first packet. Opus: it lies in the padding of a code 3 packet (RFC 6716 §3.2.5), which
// decoders skip. In both it is 16 bytes that name it and 26 with the top bit set, seven bits of the stamp in
// each: no byte is zero, so that nothing needs to be escaped and it is found by looking for the name.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace stoa::bench {

struct RtcStamp {
  std::uint32_t publisher = 0;
  std::uint32_t frame = 0;     // Counts from 0 for each of a publisher's tracks.
  std::int64_t unix_ns = 0;    // CLOCK_REALTIME when the first packet was handed to the kernel.
  std::uint32_t checksum = 0;  // CRC-32 of what follows: see rtc_media.h.

  bool operator==(const RtcStamp&) const = default;
};

inline constexpr std::size_t kRtcStampBytes = 16 + 26;

// kRtcStampBytes.
Buffer write_stamp(const RtcStamp& stamp);
// Anywhere in the bytes.
std::optional<RtcStamp> find_stamp(Bytes bytes);

// A NAL unit without start code or length.
Buffer make_stamp_sei(const RtcStamp& stamp);

// 20 ms of stereo silence in exactly `bytes`, at least kOpusBytesMin and at most kOpusBytesMax. What fills it
// up depends on `stamp.frame`; the checksum is set here.
inline constexpr std::size_t kOpusBytesMin = 64, kOpusBytesMax = 1100;
Buffer make_stamped_opus(RtcStamp stamp, std::size_t bytes);
// Whether everything but the stamp is what its checksum says.
bool is_intact_opus(Bytes packet, const RtcStamp& stamp);

std::uint32_t checksum_of(Bytes bytes, std::uint32_t begun = 0);

}  // namespace stoa::bench
