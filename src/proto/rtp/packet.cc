#include "proto/rtp/packet.h"

#include <algorithm>

namespace stoa::rtp {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kPaddingFlag = 0x20, kExtensionFlag = 0x10;
constexpr std::size_t kExtensionHeadBytes = 4;

// Requires: as many bytes.
std::uint16_t load_u16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
std::uint32_t load_u32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

}  // namespace

std::uint32_t Packet::csrc(std::size_t index) const { return ByteReader(csrcs.subspan(index * 4)).u32(); }

//  0                   1                   2                   3
// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
// |                           timestamp                           |
// |                             SSRC                              |
// |                       CSRC, CC times                          |
// |   with X: profile             |   length in 32-bit words      |
Result<Packet, Refusal> parse_header(Bytes bytes) {
  if (bytes.size() < kFixedHeaderBytes) return refuse(Refusal::kTruncated);
  if (bytes[0] >> 6 != kVersion) return refuse(Refusal::kBadVersion);
  // Every packet comes here, more than once: plain loads, each behind a look at the length.
  const std::uint8_t* at = bytes.data();
  const std::uint8_t flags = at[0], type = at[1];
  Packet packet;
  packet.header.marker = type & 0x80;
  packet.header.payload_type = type & 0x7f;
  packet.header.sequence = load_u16(at + 2);
  packet.header.timestamp = load_u32(at + 4);
  packet.header.ssrc = load_u32(at + 8);
  const std::size_t csrc_bytes = (flags & 0x0fu) * 4;
  std::size_t end = kFixedHeaderBytes + csrc_bytes;
  if (bytes.size() < end) return refuse(Refusal::kTruncated);
  packet.csrcs = bytes.subspan(kFixedHeaderBytes, csrc_bytes);
  packet.has_extension = flags & kExtensionFlag;
  if (packet.has_extension) {
    if (bytes.size() - end < kExtensionHeadBytes) return refuse(Refusal::kTruncated);
    packet.extension.profile = load_u16(at + end);
    const std::size_t size = load_u16(at + end + 2) * std::size_t{4};
    end += kExtensionHeadBytes;
    if (bytes.size() - end < size) return refuse(Refusal::kTruncated);
    packet.extension.offset = end;
    packet.extension.bytes = bytes.subspan(end, size);
    end += size;
  }
  packet.header_bytes = end;
  packet.payload = bytes.subspan(end);
  return packet;
}

Result<Packet, Refusal> parse(Bytes bytes) {
  STOA_TRY(Packet packet, parse_header(bytes));
  if ((bytes[0] & kPaddingFlag) == 0) return packet;
  if (packet.payload.empty()) return refuse(Refusal::kBadPadding);
  packet.padding_bytes = packet.payload.back();
  if (packet.padding_bytes == 0 || packet.padding_bytes > packet.payload.size()) {
    return refuse(Refusal::kBadPadding);
  }
  packet.payload = packet.payload.first(packet.payload.size() - packet.padding_bytes);
  return packet;
}

Result<std::size_t, Refusal> write_header(const Header& header, Bytes csrcs, const ExtensionList& extensions,
                                          std::span<std::uint8_t> out) {
  STOA_DCHECK(csrcs.size() % 4 == 0 && csrcs.size() <= kCsrcsMax * 4 && header.payload_type < 128);
  std::size_t extension_bytes = extensions.size_bytes();
  std::size_t size = kFixedHeaderBytes + csrcs.size() + extension_bytes;
  if (out.size() < size) return refuse(Refusal::kNoRoom);
  out[0] = static_cast<std::uint8_t>(kVersion << 6 | (extension_bytes != 0 ? kExtensionFlag : 0) |
                                     csrcs.size() / 4);
  out[1] = static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | header.payload_type);
  set_sequence(out, header.sequence);
  set_timestamp(out, header.timestamp);
  set_ssrc(out, header.ssrc);
  std::ranges::copy(csrcs, out.begin() + kFixedHeaderBytes);
  extensions.write(out.subspan(kFixedHeaderBytes + csrcs.size(), extension_bytes));
  return size;
}

Result<std::size_t, Refusal> write(const Header& header, const ExtensionList& extensions, Bytes payload,
                                   std::span<std::uint8_t> out, const WriteOptions& options) {
  STOA_DCHECK(options.padding_bytes <= kPaddingBytesMax);
  STOA_TRY(std::size_t size, write_header(header, options.csrcs, extensions, out));
  if (out.size() - size < payload.size() + options.padding_bytes) return refuse(Refusal::kNoRoom);
  std::ranges::copy(payload, out.begin() + static_cast<std::ptrdiff_t>(size));
  size += payload.size();
  if (options.padding_bytes != 0) write_padding(out.first(size + options.padding_bytes), size);
  return size + options.padding_bytes;
}

void write_padding(std::span<std::uint8_t> packet, std::size_t unpadded_bytes) {
  std::size_t count = packet.size() - unpadded_bytes;
  STOA_DCHECK((packet[0] & kPaddingFlag) == 0 && count >= 1 && count <= kPaddingBytesMax);
  std::ranges::fill(packet.subspan(unpadded_bytes), std::uint8_t{0});
  packet.back() = static_cast<std::uint8_t>(count);
  packet[0] |= kPaddingFlag;
}

std::size_t drop_padding(std::span<std::uint8_t> packet) {
  if ((packet[0] & kPaddingFlag) == 0) return packet.size();
  packet[0] &= static_cast<std::uint8_t>(~kPaddingFlag);
  return packet.size() - packet.back();
}

}  // namespace stoa::rtp
