#include "proto/sctp/packet.h"

#include <algorithm>

#include "base/assert.h"
#include "proto/sctp/crc32c.h"
#include "proto/sctp/types.h"

namespace stoa::sctp {

//  0                   1                   2                   3
//  |          source port          |       destination port        |
//  |                       verification tag                        |
//  |                  checksum (little-endian)                     |
Result<PacketReader, Refusal> PacketReader::parse(Bytes packet, Checksum least) {
  if (packet.size() < kCommonHeaderBytes + kChunkHeaderBytes) return refuse(Refusal::kTruncatedPacket);
  PacketReader reader;
  ByteReader in(packet);
  reader.header_.source_port = in.u16();
  reader.header_.destination_port = in.u16();
  reader.header_.verification_tag = in.u32();
  std::uint32_t checksum = in.u32_little_endian();
  bool is_zero_and_may_be = checksum == 0 && least == Checksum::kZero;
  if (!is_zero_and_may_be && checksum != packet_checksum(packet)) return refuse(Refusal::kBadChecksum);
  reader.rest_ = in.rest();
  return reader;
}

Result<std::optional<RawChunk>, Refusal> PacketReader::next() {
  if (rest_.empty()) return std::nullopt;
  if (rest_.size() < kChunkHeaderBytes) return refuse(Refusal::kBadChunkLength);
  ByteReader in(rest_);
  RawChunk chunk{.type = static_cast<ChunkType>(in.u8()), .flags = in.u8()};
  std::size_t length = in.u16();
  if (length < kChunkHeaderBytes || length > rest_.size()) return refuse(Refusal::kBadChunkLength);
  chunk.value = rest_.subspan(kChunkHeaderBytes, length - kChunkHeaderBytes);
  rest_ = rest_.subspan(std::min(padded(length), rest_.size()));
  return chunk;
}

ChunkScope::ChunkScope(ByteWriter& out, ChunkType type, std::uint8_t flags)
    : out_(out),
      start_(out.size()),
      head_(static_cast<std::uint32_t>(type) << 24 | static_cast<std::uint32_t>(flags) << 16) {
  STOA_DCHECK(start_ % 4 == 0);
  out_.u32(0);
}

ChunkScope::~ChunkScope() {
  std::size_t length = out_.size() - start_;
  STOA_DCHECK(length <= 0xffff);
  out_.set_u32(start_, head_ | static_cast<std::uint32_t>(length));
  out_.zeros(padded(length) - length);
}

ParameterScope::ParameterScope(ByteWriter& out, std::uint16_t type)
    : out_(out), start_(padded(out.size())), head_(static_cast<std::uint32_t>(type) << 16) {
  out_.zeros(start_ - out_.size());
  out_.u32(0);
}

ParameterScope::~ParameterScope() {
  out_.set_u32(start_, head_ | static_cast<std::uint32_t>(out_.size() - start_));
}

Result<std::optional<RawParameter>, Refusal> ParameterReader::next(Refusal when_broken) {
  if (rest_.empty()) return std::nullopt;
  ByteReader in(rest_);
  RawParameter parameter{.type = in.u16()};
  std::size_t length = in.u16();
  if (!in.ok() || length < 4 || length > rest_.size()) return refuse(when_broken);
  parameter.whole = rest_.first(length);
  parameter.value = parameter.whole.subspan(4);
  rest_ = rest_.subspan(std::min(padded(length), rest_.size()));
  return parameter;
}

void write_packet_header(std::uint16_t source_port, std::uint16_t destination_port, std::uint32_t tag,
                         ByteWriter& out) {
  out.u16(source_port);
  out.u16(destination_port);
  out.u32(tag);
  out.u32(0);
}

void seal_packet(Buffer& packet, Checksum checksum) {
  std::uint32_t value = checksum == Checksum::kZero ? 0 : packet_checksum(packet);
  for (std::size_t i = 0; i < 4; ++i) packet[8 + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace stoa::sctp
