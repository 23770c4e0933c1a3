// Why a packet, a chunk or a command was refused. Each is counted. Those of the first group drop what they
// came with; those of the second end the association; those of the third are answers to a caller.
#pragma once

#include <cstdint>

namespace stoa::sctp {

enum class Refusal : std::uint8_t {
  // Dropped.
  kTruncatedPacket,     // Shorter than a common header, or without a chunk.
  kBadChecksum,         // CRC32c wrong, or zero where zero was not agreed on.
  kBadPort,             // Not the port pair of this association.
  kBadVerificationTag,  // RFC 9260 §8.5.
  kBadChunkLength,      // A chunk that reaches past its packet or is shorter than its header.
  kBadBundling,         // INIT, INIT ACK or SHUTDOWN COMPLETE with company.
  kBadInit,             // Zero tag, zero streams, broken parameters.
  kBadCookie,           // Not made by us, or not for this association.
  kStaleCookie,         // Timing::cookie_lifetime.
  kBadSack,             // Acknowledges what was never sent, or gap blocks out of order.
  kExtraSack,           // Not the first of its packet: one says all that there is to say.
  kBadForwardTsn,       // Of the wrong kind, or broken.
  kBadReconfig,         // A broken RE-CONFIG.
  kBadControlChunk,     // HEARTBEAT, SHUTDOWN or such of the wrong length.
  kUnexpectedChunk,     // A chunk that has no meaning in this state.
  kUnknownChunk,        // Of a type that asks for the rest of the packet to be dropped.
  kTooFarAhead,         // A TSN beyond kTsnWindow or a run beyond kGapRangesMax.
  kBadStream,           // DATA for a stream beyond those negotiated: acknowledged and thrown away.
  kWindowFull,          // Limits::reassembly_bytes_max.
  // The association ends.
  kBadData,          // DATA without user data, or of the kind that was not negotiated.
  kBadFragments,     // Fragments that contradict each other.
  kMessageTooLarge,  // Limits::message_bytes_max; for a caller send_message_bytes_max.
  kReassemblyFull,   // kReassemblySlackBytes.
  kTooManyStreams,   // Limits::streams_max.
  kPeerAborted,
  kSetupTimeout,
  kPeerUnreachable,  // Timing::retransmissions_max.
  kShutdownTimeout,
  // Answers to a caller, and what data channels refuse.
  kNotConnected,
  kNoSuchStream,
  kStreamIsResetting,
  kSendBufferFull,     // Limits::send_buffer_bytes_max.
  kEmptyMessage,       // SCTP cannot carry a message of no bytes; data channels can.
  kResetRefused,       // The peer does not do stream reset.
  kBadChannelMessage,  // A broken DCEP message or one for no channel.
  kBadChannelId,       // Of the wrong parity, in use or out of range.
  kTooManyChannels,    // kChannelsMax.
  kNameTooLong,        // kLabelBytesMax, kProtocolBytesMax.
  kChannelNotOpen,
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kChannelNotOpen) + 1;

// "bad_checksum": for metrics and logs.
const char* name_of(Refusal refusal);

// True for the second group: the association that meets it sends ABORT.
bool ends_association(Refusal refusal);

}  // namespace stoa::sctp
