// Everything a peer may make us hold or wait for, and the times of the protocol, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace stoa::sctp {

inline constexpr std::uint16_t kPort = 5000;  // Both ends, unless SDP says otherwise (RFC 8841).

// A whole SCTP packet: what is left of 1280 bytes below IPv6, UDP, a TURN channel and DTLS.
inline constexpr std::size_t kPacketBytesDefault = 1188;
inline constexpr std::size_t kPacketBytesFloor = 256;
inline constexpr std::size_t kPacketBytesCeiling = 65'532;

struct Limits {
  std::size_t message_bytes_max = 256u << 10;       // One incoming message (SDP's max-message-size).
  std::size_t send_message_bytes_max = 256u << 10;  // One outgoing message: what the peer's SDP says.
  // Fragments and messages out of order, with kChunkOverheadBytes each; also the advertised window.
  std::size_t reassembly_bytes_max = 2u << 20;
  // Messages not wholly handed to the wire, all streams, with kMessageOverheadBytes each.
  std::size_t send_buffer_bytes_max = 8u << 20;
  // Chunks sent that the peer may not have, each of a packet at most: what a peer that never fills its first
  // gap makes us keep, and walk through for each SACK.
  std::size_t outstanding_chunks_max = 8192;
  std::size_t streams_max = 2048;  // Streams of either direction that keep state.
};

// What is held beside payload, with what the allocator adds; the sources assert that it is not more. A chunk,
// received or sent, and a message that waits to be sent: one byte of payload costs as much.
inline constexpr std::size_t kChunkOverheadBytes = 256;
inline constexpr std::size_t kMessageOverheadBytes = 256;
// A stream, of each direction, and a channel without its names.
inline constexpr std::size_t kStreamOverheadBytes = 320;
// The next chunk in sequence is taken above reassembly_bytes_max up to this much more, since only it can
// make room; past that the association ends.
inline constexpr std::size_t kReassemblySlackBytes = 256u << 10;
// Runs of TSNs beyond the cumulative one. A chunk that would open another is dropped, so a peer that sends
// every second TSN costs us no more than this.
inline constexpr std::size_t kGapRangesMax = 1024;
inline constexpr std::uint64_t kTsnWindow = 65'535;  // What a gap block can reach.
inline constexpr std::size_t kDuplicatesReportedMax = 16;
inline constexpr std::size_t kCongestionWindowBytesMax = 8u << 20;
// Chunks of ours that one packet of the peer can call forth (heartbeats and errors echoed).
inline constexpr std::size_t kRepliesPerPacketMax = 8;
inline constexpr std::size_t kUnknownReportedMax = 8;  // Unknown parameters of one INIT that are reported.
inline constexpr std::size_t kEchoBytesMax = 256;      // Of an unknown chunk or parameter, echoed.
inline constexpr std::size_t kPacketsPerFlushMax = 4;  // RFC 9260 §6.1 D, Max.Burst.
inline constexpr std::size_t kResetStreamsPerRequestMax = 256;
inline constexpr std::uint16_t kStreamsAnnounced = 65'535;  // RFC 8831 §6.2.

// Data channels.
inline constexpr std::size_t kChannelsMax = 1024;
inline constexpr std::size_t kLabelBytesMax = 1024;
inline constexpr std::size_t kProtocolBytesMax = 256;

struct Timing {
  Duration rto_initial = Duration::seconds(1);
  // RFC 9260 §16 suggests 1 s and 60 s. Peers delay a SACK by 200 ms at most, and a channel between people
  // should not stand still for a minute, so both are narrower.
  Duration rto_min = Duration::milliseconds(400);
  Duration rto_max = Duration::seconds(10);
  Duration sack_delay = Duration::milliseconds(200);
  Duration heartbeat_interval = Duration::seconds(30);  // Zero: no heartbeats.
  Duration cookie_lifetime = Duration::seconds(60);
  int retransmissions_max = 10;                     // In a row without an answer, then the peer is gone.
  int setup_retransmissions_max = 8;                // Of INIT and of COOKIE ECHO.
  Duration shutdown_guard = Duration::seconds(50);  // T5: an abort ends a shutdown that moves no more.
};

}  // namespace stoa::sctp
