// Everything a publisher may make us hold or wait for, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace stoa::rtmp {

// A message's length field has 24 bits; a chunk longer than that cannot be told from the whole message.
inline constexpr std::uint32_t kMessageBytesCeiling = 0xff'ffff;
inline constexpr std::uint32_t kChunkBytesCeiling = 0xff'ffff;
inline constexpr std::uint32_t kServerChunkBytes = 4096;  // What we write: nothing of ours is longer.
inline constexpr std::uint32_t kChunkBytesDefault = 128;  // Until Set Chunk Size (RTMP §5.4.1).

struct ChunkLimits {
  std::uint32_t message_bytes_max = 8u << 20;  // One message: far above any key frame.
  std::size_t partial_bytes_max = 16u << 20;   // All messages under way of one connection.
  std::size_t chunk_streams_max = 64;          // Encoders use three or four.
};

struct AmfLimits {
  int depth_max = 16;
  std::size_t values_max = 4096;
  std::size_t text_bytes_max = 256u << 10;  // All names and strings of one message, references expanded.
};

// A command or data message longer than this is refused before it is looked at.
inline constexpr std::size_t kCommandBytesMax = 512u << 10;
// Commands, pings and other messages that make us answer or think; media does not count.
inline constexpr int kCommandsPerMinuteMax = 240;
inline constexpr int kMessageStreamsMax = 16;
inline constexpr std::size_t kNameBytesMax = 1024;  // app, tcUrl, stream name with its query.
// What a publisher may send while its publish is being decided upon; it is kept and handled after the yes.
inline constexpr std::size_t kHeldBytesMax = 1u << 20;
inline constexpr std::size_t kAggregateTagsMax = 4096;
// Acknowledgements are not sent more often than this, whatever window the peer asks for.
inline constexpr std::uint32_t kAckWindowBytesMin = 16u << 10;
inline constexpr std::uint32_t kWindowBytes = 2'500'000;

struct Deadlines {
  Duration handshake = Duration::seconds(5);  // From the first moment to C2 complete.
  Duration connect = Duration::seconds(5);    // From there to `connect`.
  Duration publish = Duration::seconds(10);   // From there to `publish`.
  Duration decision = Duration::seconds(10);  // From PublishRequested to accept_publish().
  // Published: without a whole message, and without kProgressBytes of one, for this long.
  Duration idle = Duration::seconds(15);
};
// So a slow uplink with one huge key frame lives, and a peer that sends a byte a second does not.
inline constexpr std::size_t kProgressBytes = 16u << 10;

}  // namespace stoa::rtmp
