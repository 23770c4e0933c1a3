// VP8 in RTP (RFC 7741): a descriptor, then a piece of the frame.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"
#include "media/payload/picture_id.h"

namespace stoa::payload {

// §4.2
struct Vp8Descriptor {
  bool is_non_reference = false;  // N
  bool starts_partition = false;  // S
  std::uint8_t partition = 0;     // PID, 0 to 7.
  std::optional<std::uint16_t> picture_id;
  std::uint8_t picture_id_bits = 15;  // 7 or 15, as sent.
  std::optional<std::uint8_t> tl0_index;
  std::optional<std::uint8_t> temporal_id;  // TID, 0 to 3.
  bool is_layer_sync = false;               // Y: depends on the base layer alone.
  std::optional<std::uint8_t> key_index;    // KEYIDX, 0 to 31.

  bool starts_frame() const { return starts_partition && partition == 0; }
  bool operator==(const Vp8Descriptor&) const = default;
};

struct ParsedVp8 {
  Vp8Descriptor descriptor;
  std::size_t descriptor_bytes = 0;
  // Where the ids lie, 0 when they are not there.
  std::uint8_t picture_id_at = 0, tl0_index_at = 0, key_index_at = 0;
  Bytes body;  // What follows, which may be nothing.

  // §4.3: the frame's own first byte, in its first packet.
  bool is_keyframe_start() const { return descriptor.starts_frame() && !body.empty() && (body[0] & 1) == 0; }
  SourceIds source_ids() const;  // Requires a picture id.
};
Result<ParsedVp8, Refusal> parse_vp8(Bytes payload);
void write_vp8_descriptor(const Vp8Descriptor& descriptor, PayloadList& out);
// Puts new ids where `parsed` found the old ones; `payload` is what it was parsed from, or a copy. The widths
// of the fields stay.
void overwrite_vp8_ids(std::span<std::uint8_t> payload, const ParsedVp8& parsed, const PictureIds& ids);

// Appends the payloads of one frame, each with the picture id (15 bits).
Result<void, Refusal> packetize_vp8(Bytes frame, std::uint16_t picture_id, bool is_discardable,
                                    std::size_t payload_bytes_max, PayloadList& out);
// Appends one frame of payloads in the order of their sequence numbers.
Result<AssembledFrame, Refusal> assemble_vp8(std::span<const Bytes> payloads, Buffer& frame);
Result<PayloadFacts, Refusal> inspect_vp8_payload(Bytes payload);

}  // namespace stoa::payload
