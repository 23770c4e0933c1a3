#include "proto/rtp/rtx.h"

#include <algorithm>
#include <cstring>

#include "proto/rtp/packet.h"

namespace stoa::rtp {

Result<std::size_t, Refusal> write_rtx(Bytes original, StreamIds rtx, std::uint16_t rtx_sequence,
                                       std::span<std::uint8_t> out) {
  STOA_TRY(Packet packet, parse_header(original));
  std::size_t size = original.size() + kOriginalSequenceBytes;
  if (out.size() < size) return refuse(Refusal::kNoRoom);
  std::memcpy(out.data(), original.data(), packet.header_bytes);
  put_u16(out, packet.header_bytes, packet.header.sequence);
  std::ranges::copy(packet.payload,
                    out.begin() + static_cast<std::ptrdiff_t>(packet.header_bytes + kOriginalSequenceBytes));
  set_payload_type(out, rtx.payload_type);
  set_sequence(out, rtx_sequence);
  set_ssrc(out, rtx.ssrc);
  return size;
}

Result<std::span<std::uint8_t>, Refusal> restore_rtx(std::span<std::uint8_t> packet, StreamIds original) {
  STOA_TRY(Packet rtx, parse(packet));
  if (rtx.payload.size() < kOriginalSequenceBytes) return refuse(Refusal::kNoOriginal);
  std::uint16_t sequence = static_cast<std::uint16_t>(rtx.payload[0] << 8 | rtx.payload[1]);
  std::memmove(packet.data() + kOriginalSequenceBytes, packet.data(), rtx.header_bytes);
  std::span<std::uint8_t> restored = packet.subspan(kOriginalSequenceBytes);
  set_payload_type(restored, original.payload_type);
  set_sequence(restored, sequence);
  set_ssrc(restored, original.ssrc);
  return restored;
}

}  // namespace stoa::rtp
