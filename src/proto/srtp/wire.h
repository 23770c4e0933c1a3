// Where things stand in RTP and RTCP packets, as far as SRTP must know (RFC 3550 §5.1, §6.4; RFC 5761 §4).
// What they mean is for proto/rtp and proto/rtcp.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/srtp/refusal.h"

namespace stoa::srtp {

inline constexpr std::size_t kRtpFixedHeaderBytes = 12;
// The part of SRTCP that stays in the clear: the first packet's header and the sender's SSRC.
inline constexpr std::size_t kRtcpClearBytes = 8;
inline constexpr std::uint8_t kPaddingBit = 0x20;
inline constexpr std::uint32_t kEncryptedBit = 0x8000'0000;

inline std::uint16_t load_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::uint32_t load_u32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}
inline void store_u32(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

inline bool is_version_2(Bytes packet) { return packet[0] >> 6 == 2; }

// RFC 5761 §4: on a shared port, a second byte of 192 to 223 says RTCP. Requires: 2 bytes.
inline bool is_rtcp(Bytes packet) { return packet[1] >= 192 && packet[1] <= 223; }

// Length of the RTP header with CSRCs and extension at the start of `packet`.
inline Result<std::size_t, Refusal> rtp_header_bytes(Bytes packet) {
  if (packet.size() < kRtpFixedHeaderBytes) return refuse(Refusal::kTooShort);
  if (!is_version_2(packet)) return refuse(Refusal::kBadVersion);
  std::size_t bytes = kRtpFixedHeaderBytes + 4u * (packet[0] & 0x0f);
  if (packet[0] & 0x10) {
    if (packet.size() < bytes + 4) return refuse(Refusal::kBadHeader);
    bytes += 4 + 4u * load_u16(packet.data() + bytes + 2);
  }
  if (packet.size() < bytes) return refuse(Refusal::kBadHeader);
  return bytes;
}

}  // namespace stoa::srtp
