// The chunk reader, twice: raw bytes in pieces, which must give the same messages however they are cut; and
// messages drawn from the input through the writer, which must come back as they were.
#include <vector>

#include "base/assert.h"
#include "proto/rtmp/chunk.h"

namespace {

using namespace stoa;
using namespace stoa::rtmp;

constexpr ChunkLimits kLimits{.message_bytes_max = 1 << 16, .partial_bytes_max = 1 << 17};

struct Outcome {
  std::vector<Message> messages;
  std::optional<Refusal> refusal;
};

Outcome read(Bytes bytes, std::uint32_t chunk_size, std::size_t piece_size) {
  ChunkReader reader(kLimits);
  reader.set_chunk_size(chunk_size);
  Outcome outcome;
  while (!bytes.empty()) {
    Bytes piece = bytes.first(std::min(piece_size, bytes.size()));
    bytes = bytes.subspan(piece.size());
    while (!piece.empty()) {
      auto message = reader.next(piece);
      if (!message) {
        outcome.refusal = message.error();
        return outcome;
      }
      STOA_ASSERT(reader.partial_bytes() <= kLimits.partial_bytes_max);
      STOA_ASSERT(reader.chunk_streams() <= kLimits.chunk_streams_max);
      if (*message) outcome.messages.push_back(std::move(**message));
    }
  }
  return outcome;
}

void check_same(const Outcome& a, const Outcome& b) {
  STOA_ASSERT(a.messages.size() == b.messages.size() && a.refusal == b.refusal);
  for (std::size_t i = 0; i < a.messages.size(); ++i) {
    STOA_ASSERT(a.messages[i].payload == b.messages[i].payload);
    STOA_ASSERT(a.messages[i].timestamp_ms == b.messages[i].timestamp_ms);
    STOA_ASSERT(a.messages[i].type == b.messages[i].type &&
                a.messages[i].stream_id == b.messages[i].stream_id);
  }
}

void write_and_read(ByteReader& input, std::uint32_t chunk_size, std::size_t piece_size) {
  ChunkWriter writer;
  writer.set_chunk_size(chunk_size);
  ByteWriter wire;
  Outcome expected;
  while (!input.at_end() && expected.messages.size() < 50) {
    std::uint32_t id = 2 + input.u8() % 8 * 9000;
    Message message{.type = input.u8(), .timestamp_ms = input.u32(), .stream_id = 1};
    Bytes payload = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    message.payload.assign(payload.begin(), payload.end());
    writer.write(id, message.type, message.timestamp_ms, 1, message.payload, wire);
    expected.messages.push_back(std::move(message));
  }
  check_same(read(wire.view(), chunk_size, piece_size), expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  std::uint32_t chunk_size = data[0] < 250 ? 1 + data[0] : 1 << 20;
  std::size_t piece_size = 1 + data[1];
  Bytes rest(data + 3, size - 3);
  if (data[2] % 2 == 0) {
    check_same(read(rest, chunk_size, piece_size), read(rest, chunk_size, rest.size() + 1));
  } else {
    ByteReader input(rest);
    write_and_read(input, chunk_size, piece_size);
  }
  return 0;
}
