// The outside of an SCTP packet: common header, then chunks (RFC 9260 §3).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/sctp/refusal.h"

namespace stoa::sctp {

inline constexpr std::size_t kCommonHeaderBytes = 12;
inline constexpr std::size_t kChunkHeaderBytes = 4;

enum class ChunkType : std::uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kSack = 3,
  kHeartbeat = 4,
  kHeartbeatAck = 5,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kError = 9,
  kCookieEcho = 10,
  kCookieAck = 11,
  kShutdownComplete = 14,
  kIData = 0x40,        // RFC 8260 §2.1
  kReConfig = 0x82,     // RFC 6525 §3.1
  kForwardTsn = 0xc0,   // RFC 3758 §3.2
  kIForwardTsn = 0xc2,  // RFC 8260 §2.3.1
};

struct PacketHeader {
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t verification_tag = 0;
};

enum class Checksum : std::uint8_t { kCrc32c, kZero };

struct RawChunk {
  ChunkType type = ChunkType::kData;
  std::uint8_t flags = 0;
  Bytes value;  // Without header and padding.
};

// Looks at one packet; everything it gives is a view of it.
class PacketReader {
 public:
  // With Checksum::kZero a checksum of zero is taken as well as the right one (RFC 9653 §5.3).
  static Result<PacketReader, Refusal> parse(Bytes packet, Checksum least);

  const PacketHeader& header() const { return header_; }
  // The next chunk; nothing at the end. Padding that is missing at the very end is forgiven.
  Result<std::optional<RawChunk>, Refusal> next();
  bool at_end() const { return rest_.empty(); }

 private:
  PacketHeader header_;
  Bytes rest_;
};

// Writes one chunk in a scope: the header when it opens, length and padding when it closes. Requires: the
// writer stands at a multiple of four.
class ChunkScope {
 public:
  ChunkScope(ByteWriter& out, ChunkType type, std::uint8_t flags = 0);
  ~ChunkScope();
  ChunkScope(const ChunkScope&) = delete;
  ChunkScope& operator=(const ChunkScope&) = delete;

 private:
  ByteWriter& out_;
  std::size_t start_;
  std::uint32_t head_;
};

// The same for a parameter or an error cause inside a chunk. It pads before itself, since a chunk's length
// counts the padding of all its parameters but the last.
class ParameterScope {
 public:
  ParameterScope(ByteWriter& out, std::uint16_t type);
  ~ParameterScope();
  ParameterScope(const ParameterScope&) = delete;
  ParameterScope& operator=(const ParameterScope&) = delete;

 private:
  ByteWriter& out_;
  std::size_t start_;
  std::uint32_t head_;
};

struct RawParameter {
  std::uint16_t type = 0;
  Bytes value;
  Bytes whole;  // With its header, as an error would echo it.
};

class ParameterReader {
 public:
  explicit ParameterReader(Bytes bytes) : rest_(bytes) {}
  // The next parameter; nothing at the end. An error is final.
  Result<std::optional<RawParameter>, Refusal> next(Refusal when_broken);

 private:
  Bytes rest_;
};

// Begins a packet: common header with an empty checksum.
void write_packet_header(std::uint16_t source_port, std::uint16_t destination_port, std::uint32_t tag,
                         ByteWriter& out);
// Sets the checksum of a whole packet.
void seal_packet(Buffer& packet, Checksum checksum);

}  // namespace stoa::sctp
