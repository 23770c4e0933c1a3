#include "proto/sctp/chunk.h"

#include "base/assert.h"

namespace stoa::sctp {
namespace {

enum DataFlag : std::uint8_t { kEnd = 1, kBegin = 2, kUnordered = 4, kSackNow = 8 };

}  // namespace

//  DATA                                        I-DATA
//  |              TSN              |           |              TSN              |
//  |    stream     |      SSN      |           |    stream     |    reserved   |
//  |             PPID              |           |              MID              |
//  |           payload ...                     |   PPID if it is the first fragment, else FSN |
Result<DataChunk, Refusal> parse_data(const RawChunk& chunk) {
  bool is_interleaved = chunk.type == ChunkType::kIData;
  ByteReader in(chunk.value);
  DataChunk data;
  data.is_end = (chunk.flags & kEnd) != 0;
  data.is_begin = (chunk.flags & kBegin) != 0;
  data.is_unordered = (chunk.flags & kUnordered) != 0;
  data.wants_sack_now = (chunk.flags & kSackNow) != 0;
  data.tsn = in.u32();
  data.stream = in.u16();
  std::uint16_t number = in.u16();
  if (is_interleaved) {
    data.message_number = in.u32();
    std::uint32_t last = in.u32();
    (data.is_begin ? data.protocol : data.fragment) = last;
    if (!data.is_begin && data.fragment == 0) return refuse(Refusal::kBadFragments);
  } else {
    data.message_number = number;
    data.protocol = in.u32();
  }
  data.payload = in.rest();
  if (!in.ok() || data.payload.empty()) return refuse(Refusal::kBadData);
  return data;
}

void write_data(ChunkType type, const DataChunk& data, ByteWriter& out) {
  std::uint8_t flags = (data.is_end ? kEnd : 0) | (data.is_begin ? kBegin : 0) |
                       (data.is_unordered ? kUnordered : 0) | (data.wants_sack_now ? kSackNow : 0);
  ChunkScope chunk(out, type, flags);
  out.u32(data.tsn);
  out.u16(data.stream);
  if (type == ChunkType::kIData) {
    out.u16(0);
    out.u32(data.message_number);
    out.u32(data.is_begin ? data.protocol : data.fragment);
  } else {
    out.u16(static_cast<std::uint16_t>(data.message_number));
    out.u32(data.protocol);
  }
  out.bytes(data.payload);
}

//  |                      cumulative TSN                           |
//  |                          a_rwnd                               |
//  |       gap blocks              |          duplicates           |
//  |  first, last of each block ...| duplicate TSNs ...
Result<Sack, Refusal> parse_sack(Bytes value) {
  ByteReader in(value);
  Sack sack;
  sack.cumulative_tsn = in.u32();
  sack.window = in.u32();
  std::size_t gaps = in.u16(), duplicates = in.u16();
  if (!in.ok() || in.remaining() < 4 * (gaps + duplicates)) return refuse(Refusal::kBadSack);
  sack.gaps.reserve(gaps);
  std::uint32_t after = 0;
  for (std::size_t i = 0; i < gaps; ++i) {
    GapBlock gap{.first = in.u16(), .last = in.u16()};
    if (gap.first <= after || gap.last < gap.first) return refuse(Refusal::kBadSack);
    after = gap.last;
    sack.gaps.push_back(gap);
  }
  sack.duplicates.reserve(duplicates);
  for (std::size_t i = 0; i < duplicates; ++i) sack.duplicates.push_back(in.u32());
  return sack;
}

void write_sack(const Sack& sack, ByteWriter& out) {
  ChunkScope chunk(out, ChunkType::kSack);
  out.u32(sack.cumulative_tsn);
  out.u32(sack.window);
  out.u16(static_cast<std::uint16_t>(sack.gaps.size()));
  out.u16(static_cast<std::uint16_t>(sack.duplicates.size()));
  for (const GapBlock& gap : sack.gaps) {
    out.u16(gap.first);
    out.u16(gap.last);
  }
  for (std::uint32_t tsn : sack.duplicates) out.u32(tsn);
}

Result<ForwardTsn, Refusal> parse_forward_tsn(const RawChunk& chunk) {
  ByteReader in(chunk.value);
  ForwardTsn forward;
  forward.cumulative_tsn = in.u32();
  bool is_interleaved = chunk.type == ChunkType::kIForwardTsn;
  std::size_t entry = is_interleaved ? 8 : 4;
  if (!in.ok() || in.remaining() % entry != 0) return refuse(Refusal::kBadForwardTsn);
  forward.skipped.reserve(in.remaining() / entry);
  while (!in.at_end()) {
    Skipped skipped{.stream = in.u16()};
    if (is_interleaved) {
      skipped.is_unordered = (in.u16() & 1) != 0;
      skipped.message_number = in.u32();
    } else {
      skipped.message_number = in.u16();
    }
    forward.skipped.push_back(skipped);
  }
  return forward;
}

void write_forward_tsn(ChunkType type, const ForwardTsn& forward, ByteWriter& out) {
  ChunkScope chunk(out, type);
  out.u32(forward.cumulative_tsn);
  for (const Skipped& skipped : forward.skipped) {
    out.u16(skipped.stream);
    if (type == ChunkType::kIForwardTsn) {
      out.u16(skipped.is_unordered ? 1 : 0);
      out.u32(skipped.message_number);
    } else {
      STOA_DCHECK(!skipped.is_unordered);
      out.u16(static_cast<std::uint16_t>(skipped.message_number));
    }
  }
}

void write_error(ChunkType type, std::uint8_t flags, Cause cause, Bytes detail, ByteWriter& out) {
  ChunkScope chunk(out, type, flags);
  ParameterScope scope(out, static_cast<std::uint16_t>(cause));
  out.bytes(detail);
}

std::uint16_t parse_first_cause(Bytes value) {
  ByteReader in(value);
  std::uint16_t cause = in.u16(), length = in.u16();
  return in.ok() && length >= 4 ? cause : std::uint16_t{0};
}

void write_plain(ChunkType type, std::uint8_t flags, Bytes value, ByteWriter& out) {
  ChunkScope chunk(out, type, flags);
  out.bytes(value);
}

}  // namespace stoa::sctp
