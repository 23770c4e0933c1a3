// Why an RTMP peer was refused. Each closes the connection and is counted.
#pragma once

#include <cstdint>

namespace stoa::rtmp {

enum class Refusal : std::uint8_t {
  kBadVersion,           // C0 asks for something other than RTMP version 3 (RTMPE, HTTP, noise).
  kBadHandshake,         // S1 or S2 fails its digest (client side only).
  kNoPreviousHeader,     // A short chunk header on a chunk stream that never had a full one.
  kUnexpectedHeader,     // A new message begins inside another on the same chunk stream.
  kTooManyChunkStreams,  // ChunkLimits::chunk_streams_max.
  kMessageTooLarge,      // ChunkLimits::message_bytes_max, or kCommandBytesMax for a command.
  kTooManyPartialBytes,  // ChunkLimits::partial_bytes_max.
  kBadChunkSize,         // Set Chunk Size to 0 or with the top bit set.
  kBadControlMessage,    // A protocol control message of the wrong length.
  kBadAmf,               // AMF that ends inside a value or has an unknown marker.
  kAmfTooDeep,           // AmfLimits::depth_max.
  kAmfTooLarge,          // AmfLimits::values_max or text_bytes_max.
  kBadCommand,           // A command without the arguments it needs, or with a name over kNameBytesMax.
  kUnexpectedCommand,    // `publish` or `createStream` before `connect`, a second `connect`.
  kTooManyCommands,      // kCommandsPerMinuteMax.
  kPlayRefused,          // Asked to play: this door only takes streams in.
  kMediaBeforePublish,   // Audio or video without `publish`.
  kBadAggregate,         // An aggregate message whose tags do not add up.
  kTooMuchBeforeAccept,  // kHeldBytesMax.
  kHandshakeTimeout,
  kConnectTimeout,
  kPublishTimeout,
  kDecisionTimeout,
  kIdleTimeout,
  kRejectedByServer,  // The server said no (client side only).
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kRejectedByServer) + 1;

// "bad_version": for metrics and logs.
const char* name_of(Refusal refusal);

}  // namespace stoa::rtmp
