// The chunk stream: messages cut into chunks and put together again (RTMP §5.3).
//
// Chunks of several messages may be interleaved, one message at a time on each chunk stream. Timestamps
// are in milliseconds modulo 2^32; from 0xffffff on they travel as an extended timestamp of 32 bits.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtmp/limits.h"
#include "proto/rtmp/message.h"
#include "proto/rtmp/refusal.h"

namespace stoa::rtmp {

inline constexpr std::uint32_t kChunkStreamMin = 2;
inline constexpr std::uint32_t kChunkStreamMax = 65'599;
inline constexpr std::uint32_t kExtendedTimestamp = 0xff'ffff;

// Puts messages together from a byte stream cut anywhere.
//
// Two habits of the field that the specification does not know: a type-1 header may open a chunk stream
// (librtmp does so; the message stream is then 0), and some encoders leave the extended timestamp out of
// type-3 chunks. Which habit a peer has is seen at its first such chunk, since what stands there either is
// that timestamp or is not, and kept from then on.
class ChunkReader {
 public:
  explicit ChunkReader(const ChunkLimits& limits = {}) : limits_(limits) {}

  // Takes bytes from the front of `input` until one message is whole or nothing is left. After a refusal
  // the reader is of no further use.
  Result<std::optional<Message>, Refusal> next(Bytes& input);

  // Requires: 1 <= bytes <= 0x7fffffff. Holds from the next chunk on.
  void set_chunk_size(std::uint32_t bytes);
  std::uint32_t chunk_size() const { return chunk_size_; }
  // Forgets the message under way on a chunk stream (Abort Message, RTMP §5.4.2).
  void drop_partial(std::uint32_t chunk_stream);

  std::size_t partial_bytes() const { return partial_bytes_; }
  std::size_t chunk_streams() const { return streams_.size(); }

 private:
  struct Stream {
    std::uint32_t timestamp = 0;  // Of the message under way or the last one.
    std::uint32_t field = 0;      // Timestamp or delta as last sent, extended or not.
    bool is_extended = false;
    std::uint32_t length = 0;
    std::uint8_t type = 0;
    std::uint32_t message_stream = 0;
    bool is_open = false;  // Between the first and the last chunk of a message.
    Buffer payload;
  };
  enum class State { kHeader, kGuess, kPayload };
  enum class TypeThree { kUnknown, kRepeatsExtended, kOmitsExtended };

  std::size_t header_size() const;  // As far as the bytes read so far tell.
  bool read_header(Bytes& input);
  Result<void, Refusal> handle_header();
  Result<void, Refusal> begin_message(Stream& stream, int format, std::size_t basic_size);
  Result<void, Refusal> begin_chunk(Stream& stream);
  bool guess_extended(Bytes& input);
  bool read_payload(Bytes& input);
  Message take_message();

  ChunkLimits limits_;
  std::uint32_t chunk_size_ = kChunkBytesDefault;
  std::map<std::uint32_t, Stream> streams_;
  std::size_t partial_bytes_ = 0;
  TypeThree type_three_ = TypeThree::kUnknown;

  State state_ = State::kHeader;
  std::array<std::uint8_t, 18> header_{};
  std::size_t header_bytes_ = 0;
  Stream* current_ = nullptr;  // Points into streams_, whose nodes do not move.
  std::uint32_t current_id_ = 0;
  std::size_t chunk_left_ = 0;
  // Bytes taken for an extended timestamp that turned out to be payload; read again before `input`.
  std::array<std::uint8_t, 4> replay_{};
  std::size_t replay_at_ = 0, replay_end_ = 0;
  std::array<std::uint8_t, 4> guess_{};
  std::size_t guess_bytes_ = 0;
};

// Cuts messages into chunks with the shortest header that says it.
class ChunkWriter {
 public:
  // Appends `message` to `out`. Requires: chunk stream in [2, 65599], payload <= kMessageBytesCeiling.
  void write(std::uint32_t chunk_stream, std::uint8_t type, std::uint32_t timestamp_ms,
             std::uint32_t message_stream, Bytes payload, ByteWriter& out);
  void write(std::uint32_t chunk_stream, MessageType type, std::uint32_t timestamp_ms,
             std::uint32_t message_stream, Bytes payload, ByteWriter& out) {
    write(chunk_stream, static_cast<std::uint8_t>(type), timestamp_ms, message_stream, payload, out);
  }
  // Requires: 1 <= bytes <= 0x7fffffff.
  void set_chunk_size(std::uint32_t bytes) { chunk_size_ = bytes; }
  std::uint32_t chunk_size() const { return chunk_size_; }
  // For tests: be an encoder that leaves the extended timestamp out of type-3 chunks.
  void omit_extended_on_type_three() { omits_extended_ = true; }

 private:
  struct Stream {
    std::uint32_t timestamp, delta, length, message_stream;
    std::uint8_t type;
    bool has_delta;
  };
  int choose_format(const Stream* last, const Stream& next) const;

  std::uint32_t chunk_size_ = kChunkBytesDefault;
  bool omits_extended_ = false;
  std::map<std::uint32_t, Stream> streams_;
};

}  // namespace stoa::rtmp
