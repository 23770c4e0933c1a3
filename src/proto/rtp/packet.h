// One RTP packet (RFC 3550 §5.1): parsed where it lies, written into memory of the caller, and changed in
// place. Nothing here allocates.
//
// A forwarder parses a packet once, and for each receiver copies it and calls set_*() and the functions of
// extension.h on the copy. Those functions trust the bytes: they take only what parse() or write() accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtp/extension.h"
#include "proto/rtp/refusal.h"

namespace stoa::rtp {

inline constexpr std::size_t kFixedHeaderBytes = 12;
inline constexpr std::size_t kCsrcsMax = 15;          // The count has four bits.
inline constexpr std::size_t kPaddingBytesMax = 255;  // The last byte of the padding counts it.

struct Header {
  bool marker = false;
  std::uint8_t payload_type = 0;  // 0 to 127.
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;

  bool operator==(const Header&) const = default;
};

// A packet as it lies in the bytes that it was parsed from; valid as long as they are.
struct Packet {
  Header header;
  Bytes csrcs;  // Four bytes each.
  bool has_extension = false;
  ExtensionBlock extension;  // Empty without one.
  Bytes payload;             // Without padding.
  std::uint8_t padding_bytes = 0;
  std::size_t header_bytes = 0;  // Where the payload begins.

  std::size_t csrc_count() const { return csrcs.size() / 4; }
  // Requires: index < csrc_count().
  std::uint32_t csrc(std::size_t index) const;
};

// The header alone. `payload` is all that follows and may end in padding, which SRTP encrypts with it.
Result<Packet, Refusal> parse_header(Bytes bytes);
// A whole packet in the clear. Elements of a header extension are not looked into: see ExtensionBlock.
Result<Packet, Refusal> parse(Bytes bytes);

// RTCP on the same port (RFC 5761 §4): payload types 64 to 95 are never RTP's. Requires that the bytes were
// told from STUN, DTLS and TURN before (RFC 7983: first byte 128 to 191).
inline bool is_rtcp(Bytes bytes) {
  return bytes.size() >= 2 && (bytes[1] & 0x7f) >= 64 && (bytes[1] & 0x7f) < 96;
}

// Writes the header and returns its size. `csrcs` has four bytes for each, at most kCsrcsMax.
// Errors: kNoRoom, and nothing usable is in `out` then.
Result<std::size_t, Refusal> write_header(const Header& header, Bytes csrcs, const ExtensionList& extensions,
                                          std::span<std::uint8_t> out);
struct WriteOptions {
  Bytes csrcs = {};
  std::size_t padding_bytes = 0;  // At most kPaddingBytesMax.
};
// Writes a whole packet and returns its size. Errors: kNoRoom.
Result<std::size_t, Refusal> write(const Header& header, const ExtensionList& extensions, Bytes payload,
                                   std::span<std::uint8_t> out, const WriteOptions& options = {});

// In place. All require a packet that parse_header() accepts.
inline void put_u16(std::span<std::uint8_t> bytes, std::size_t offset, std::uint16_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}
inline void put_u32(std::span<std::uint8_t> bytes, std::size_t offset, std::uint32_t value) {
  put_u16(bytes, offset, static_cast<std::uint16_t>(value >> 16));
  put_u16(bytes, offset + 2, static_cast<std::uint16_t>(value));
}
inline void set_marker(std::span<std::uint8_t> packet, bool marker) {
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0x7f) | (marker ? 0x80 : 0));
}
inline void set_payload_type(std::span<std::uint8_t> packet, std::uint8_t payload_type) {
  STOA_DCHECK(payload_type < 128);
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0x80) | payload_type);
}
inline void set_sequence(std::span<std::uint8_t> packet, std::uint16_t sequence) {
  put_u16(packet, 2, sequence);
}
inline void set_timestamp(std::span<std::uint8_t> packet, std::uint32_t timestamp) {
  put_u32(packet, 4, timestamp);
}
inline void set_ssrc(std::span<std::uint8_t> packet, std::uint32_t ssrc) { put_u32(packet, 8, ssrc); }

// Makes everything behind the first `unpadded_bytes` of `packet` padding. Requires: the packet has none yet,
// and 1 to kPaddingBytesMax bytes are left.
void write_padding(std::span<std::uint8_t> packet, std::size_t unpadded_bytes);
// The packet's size without its padding, whose flag it takes away. Requires a packet that parse() accepts.
std::size_t drop_padding(std::span<std::uint8_t> packet);

}  // namespace stoa::rtp
