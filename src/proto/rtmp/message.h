// Message types and what the protocol control messages carry (RTMP §5.4, §6.2, §7.1).
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace stoa::rtmp {

enum class MessageType : std::uint8_t {
  kSetChunkSize = 1,
  kAbort = 2,
  kAcknowledgement = 3,
  kUserControl = 4,
  kWindowAckSize = 5,
  kSetPeerBandwidth = 6,
  kAudio = 8,
  kVideo = 9,
  kAmf3Data = 15,
  kAmf3SharedObject = 16,
  kAmf3Command = 17,
  kAmf0Data = 18,
  kAmf0SharedObject = 19,
  kAmf0Command = 20,
  kAggregate = 22,
};

enum class UserControl : std::uint16_t {
  kStreamBegin = 0,
  kStreamEof = 1,
  kSetBufferLength = 3,
  kPingRequest = 6,
  kPingResponse = 7,
};

struct Message {
  std::uint8_t type = 0;  // A MessageType, or something we do not know.
  std::uint32_t timestamp_ms = 0;
  std::uint32_t stream_id = 0;
  Buffer payload;
};

// Chunk streams we write on. 2 is for protocol control (RTMP §5.3.1.1), the others are our choice.
inline constexpr std::uint32_t kControlChunkStream = 2;
inline constexpr std::uint32_t kCommandChunkStream = 3;
inline constexpr std::uint32_t kAudioChunkStream = 4;
inline constexpr std::uint32_t kVideoChunkStream = 6;

}  // namespace stoa::rtmp
