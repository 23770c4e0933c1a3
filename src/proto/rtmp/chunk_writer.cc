#include <algorithm>

#include "base/assert.h"
#include "proto/rtmp/chunk.h"

namespace stoa::rtmp {
namespace {

void write_basic_header(int format, std::uint32_t id, ByteWriter& out) {
  auto high = static_cast<std::uint8_t>(format << 6);
  if (id < 64) {
    out.u8(static_cast<std::uint8_t>(high | id));
  } else if (id < 64 + 256) {
    out.u8(high);
    out.u8(static_cast<std::uint8_t>(id - 64));
  } else {
    out.u8(high | 1);
    out.u8(static_cast<std::uint8_t>(id - 64));
    out.u8(static_cast<std::uint8_t>((id - 64) >> 8));
  }
}

}  // namespace

int ChunkWriter::choose_format(const Stream* last, const Stream& next) const {
  // A delta that would go back in time is a new beginning.
  if (!last || last->message_stream != next.message_stream || next.delta > 0x7fff'ffff) return 0;
  if (last->length != next.length || last->type != next.type) return 1;
  return last->has_delta && last->delta == next.delta ? 3 : 2;
}

void ChunkWriter::write(std::uint32_t chunk_stream, std::uint8_t type, std::uint32_t timestamp_ms,
                        std::uint32_t message_stream, Bytes payload, ByteWriter& out) {
  STOA_ASSERT(chunk_stream >= kChunkStreamMin && chunk_stream <= kChunkStreamMax);
  STOA_ASSERT(payload.size() <= kMessageBytesCeiling);
  auto found = streams_.find(chunk_stream);
  const Stream* last = found == streams_.end() ? nullptr : &found->second;
  Stream next{timestamp_ms,
              last ? timestamp_ms - last->timestamp : 0,
              static_cast<std::uint32_t>(payload.size()),
              message_stream,
              type,
              true};
  int format = choose_format(last, next);
  next.has_delta = format != 0;

  std::uint32_t field = format == 0 ? timestamp_ms : next.delta;
  bool is_extended = field >= kExtendedTimestamp;
  write_basic_header(format, chunk_stream, out);
  if (format < 3) out.u24(is_extended ? kExtendedTimestamp : field);
  if (format < 2) {
    out.u24(next.length);
    out.u8(type);
  }
  if (format == 0) out.u32_little_endian(message_stream);
  if (is_extended && (format < 3 || !omits_extended_)) out.u32(field);

  for (std::size_t at = 0; at < payload.size();) {
    if (at > 0) {
      write_basic_header(3, chunk_stream, out);
      if (is_extended && !omits_extended_) out.u32(field);
    }
    std::size_t count = std::min<std::size_t>(chunk_size_, payload.size() - at);
    out.bytes(payload.subspan(at, count));
    at += count;
  }
  streams_.insert_or_assign(chunk_stream, next);
}

}  // namespace stoa::rtmp
