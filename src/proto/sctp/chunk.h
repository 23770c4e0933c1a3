// The chunks of an association as values: parse and write (RFC 9260 §3.3, 8260 §2, 3758 §3, 6525 §4).
//
// Numbers are as they travel; unwrapping them is the machine's. Views point into the packet.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/sctp/packet.h"
#include "proto/sctp/refusal.h"
#include "proto/sctp/types.h"

namespace stoa::sctp {

// What an end says that it can do, beyond RFC 9260.
struct Capabilities {
  bool forward_tsn = false;    // Messages given up while DATA is used.
  bool i_forward_tsn = false;  // Messages given up while I-DATA is used.
  bool stream_reset = false;   // RE-CONFIG
  bool interleaving = false;   // I-DATA
  bool zero_checksum = false;  // It takes packets without a checksum, DTLS having its own.
  bool operator==(const Capabilities&) const = default;
};

// INIT and INIT ACK.
struct Init {
  std::uint32_t tag = 0;
  std::uint32_t window = 0;  // a_rwnd
  std::uint16_t outbound_streams = 0, inbound_streams = 0;
  std::uint32_t tsn = 0;
  Capabilities capabilities;
  Bytes cookie;                     // INIT ACK only.
  std::vector<Bytes> unrecognized;  // Parameters to be reported, at most kUnknownReportedMax.
  bool has_host_name = false;       // RFC 9260 §5.1.2: to be answered with ABORT.
};
Result<Init, Refusal> parse_init(Bytes value);
// `init.unrecognized` is echoed when it is an INIT ACK.
void write_init(ChunkType type, const Init& init, ByteWriter& out);

// DATA or I-DATA.
struct DataChunk {
  std::uint32_t tsn = 0;
  StreamId stream = 0;
  std::uint32_t message_number = 0;  // SSN (16 bits) or MID.
  std::uint32_t fragment = 0;        // FSN; 0 in DATA.
  PayloadProtocol protocol = 0;      // In I-DATA only of the first fragment.
  bool is_unordered = false, is_begin = false, is_end = false, wants_sack_now = false;
  Bytes payload;
};
inline constexpr std::size_t kDataHeaderBytes = 16;  // With the chunk header.
inline constexpr std::size_t kIDataHeaderBytes = 20;
Result<DataChunk, Refusal> parse_data(const RawChunk& chunk);
void write_data(ChunkType type, const DataChunk& data, ByteWriter& out);

struct GapBlock {
  std::uint16_t first = 0, last = 0;  // Offsets from the cumulative TSN.
  bool operator==(const GapBlock&) const = default;
};
struct Sack {
  std::uint32_t cumulative_tsn = 0;
  std::uint32_t window = 0;
  std::vector<GapBlock> gaps;
  std::vector<std::uint32_t> duplicates;
};
Result<Sack, Refusal> parse_sack(Bytes value);
void write_sack(const Sack& sack, ByteWriter& out);

// FORWARD TSN or I-FORWARD TSN.
struct Skipped {
  StreamId stream = 0;
  bool is_unordered = false;         // Always false in FORWARD TSN.
  std::uint32_t message_number = 0;  // The last one given up.
  bool operator==(const Skipped&) const = default;
};
struct ForwardTsn {
  std::uint32_t cumulative_tsn = 0;
  std::vector<Skipped> skipped;
};
Result<ForwardTsn, Refusal> parse_forward_tsn(const RawChunk& chunk);
void write_forward_tsn(ChunkType type, const ForwardTsn& forward, ByteWriter& out);

// RE-CONFIG holds one or two of these (RFC 6525 §4).
struct OutgoingReset {
  std::uint32_t request = 0, response = 0;
  std::uint32_t last_tsn = 0;
  std::vector<StreamId> streams;  // None: all.
};
struct IncomingReset {
  std::uint32_t request = 0;
  std::vector<StreamId> streams;
};
struct TsnReset {
  std::uint32_t request = 0;
};
struct AddStreams {
  std::uint32_t request = 0;
  std::uint16_t count = 0;
  bool is_outgoing = true;  // Seen from who asks.
};
enum class ResetResult : std::uint32_t {
  kNothingToDo = 0,
  kPerformed = 1,
  kDenied = 2,
  kWrongStream = 3,
  kAlreadyInProgress = 4,
  kBadSequence = 5,
  kInProgress = 6,
};
struct ResetResponse {
  std::uint32_t response = 0;
  std::uint32_t result = 0;
};
using ReconfigParameter = std::variant<OutgoingReset, IncomingReset, TsnReset, AddStreams, ResetResponse>;
Result<std::vector<ReconfigParameter>, Refusal> parse_reconfig(Bytes value);
void write_reconfig(std::span<const ReconfigParameter> parameters, ByteWriter& out);

enum class Cause : std::uint16_t {  // RFC 9260 §3.3.10
  kInvalidStream = 1,
  kStaleCookie = 3,
  kOutOfResource = 4,
  kUnresolvableAddress = 5,
  kUnrecognizedChunk = 6,
  kInvalidMandatoryParameter = 7,
  kUnrecognizedParameters = 8,
  kNoUserData = 9,
  kCookieWhileShuttingDown = 10,
  kUserAbort = 12,
  kProtocolViolation = 13,
};
// One ERROR or ABORT chunk with one cause.
void write_error(ChunkType type, std::uint8_t flags, Cause cause, Bytes detail, ByteWriter& out);
// The first cause of an ERROR or ABORT; 0 when it has none.
std::uint16_t parse_first_cause(Bytes value);

// A chunk without content, or with opaque content (COOKIE ECHO, HEARTBEAT ACK).
void write_plain(ChunkType type, std::uint8_t flags, Bytes value, ByteWriter& out);

}  // namespace stoa::sctp
