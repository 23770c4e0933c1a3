#include "media/payload/red.h"

#include <cstring>

#include "base/assert.h"

namespace stoa::payload {
namespace {

constexpr std::uint8_t kFollows = 0x80;  // Another header does.

std::size_t bytes_of(const std::uint8_t* header) { return (header[2] & 0x03u) << 8 | header[3]; }

}  // namespace

Result<RedPayload, Refusal> parse_red(Bytes payload, std::uint8_t payload_type) {
  std::size_t at = 0, earlier_bytes = 0, blocks = 1;
  for (;; ++blocks) {
    if (at >= payload.size()) return refuse(Refusal::kTruncated);
    if ((payload[at] & ~kFollows) != payload_type) return refuse(Refusal::kUnsupported);
    if ((payload[at] & kFollows) == 0) break;
    if (blocks == kRedBlocksMax) return refuse(Refusal::kTooLarge);
    if (payload.size() - at < kRedHeaderBytes) return refuse(Refusal::kTruncated);
    earlier_bytes += bytes_of(&payload[at]);
    at += kRedHeaderBytes;
  }
  const std::size_t headers_bytes = at + 1;
  if (earlier_bytes > payload.size() - headers_bytes) return refuse(Refusal::kTruncated);
  return RedPayload{.headers = payload.first(headers_bytes),
                    .earlier = payload.subspan(headers_bytes, earlier_bytes),
                    .primary = payload.subspan(headers_bytes + earlier_bytes)};
}

RedBlock take_oldest(RedPayload& red) {
  STOA_DCHECK(red.earlier_count() > 0);
  const std::uint8_t* header = red.headers.data();
  const std::size_t bytes = bytes_of(header);
  STOA_DCHECK(bytes <= red.earlier.size());
  const RedBlock block{static_cast<std::uint16_t>(header[1] << 6 | header[2] >> 2), red.earlier.first(bytes)};
  red.headers = red.headers.subspan(kRedHeaderBytes);
  red.earlier = red.earlier.subspan(bytes);
  return block;
}

void write_red_headers(Bytes headers, std::uint8_t payload_type, std::uint8_t* out) {
  std::memcpy(out, headers.data(), headers.size());
  for (std::size_t at = 0; at < headers.size(); at += kRedHeaderBytes)
    out[at] = static_cast<std::uint8_t>((out[at] & kFollows) | (payload_type & 0x7f));
}

}  // namespace stoa::payload
