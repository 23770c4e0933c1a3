#include "media/payload/vp8.h"

namespace stoa::payload {
namespace {

constexpr std::uint8_t kHasMore = 0x80, kNonReference = 0x20, kStart = 0x10, kPartitionMask = 0x07;
constexpr std::uint8_t kHasPictureId = 0x80, kHasTl0Index = 0x40, kHasTemporal = 0x20, kHasKeyIndex = 0x10;
constexpr std::uint8_t kLongPictureId = 0x80, kLayerSync = 0x20, kKeyIndexMask = 0x1f;

}  // namespace

SourceIds ParsedVp8::source_ids() const {
  return {.picture_id = *descriptor.picture_id,
          .picture_id_bits = descriptor.picture_id_bits,
          .tl0_index = descriptor.tl0_index,
          .key_index = descriptor.key_index};
}

//  |X|R|N|S|R| PID |  X: |I|L|T|K| RSV   |  I: |M| PictureID (7 or 15) |  L: |   TL0PICIDX   |
//  T or K: |TID|Y| KEYIDX  |
Result<ParsedVp8, Refusal> parse_vp8(Bytes payload) {
  ByteReader reader(payload);
  ParsedVp8 parsed;
  Vp8Descriptor& descriptor = parsed.descriptor;
  std::uint8_t first = reader.u8();
  descriptor.is_non_reference = first & kNonReference;
  descriptor.starts_partition = first & kStart;
  descriptor.partition = first & kPartitionMask;
  std::uint8_t more = first & kHasMore ? reader.u8() : std::uint8_t{0};
  auto here = [&] { return static_cast<std::uint8_t>(reader.offset()); };
  if (more & kHasPictureId) {
    parsed.picture_id_at = here();
    std::uint8_t high = reader.u8();
    bool is_long = high & kLongPictureId;
    descriptor.picture_id_bits = is_long ? 15 : 7;
    descriptor.picture_id = static_cast<std::uint16_t>(is_long ? (high & 0x7f) << 8 | reader.u8() : high);
  }
  if (more & kHasTl0Index) {
    parsed.tl0_index_at = here();
    descriptor.tl0_index = reader.u8();
  }
  if (more & (kHasTemporal | kHasKeyIndex)) {
    std::uint8_t at = here(), layers = reader.u8();
    if (more & kHasTemporal) {
      descriptor.temporal_id = static_cast<std::uint8_t>(layers >> 6);
      descriptor.is_layer_sync = layers & kLayerSync;
    }
    if (more & kHasKeyIndex) {
      parsed.key_index_at = at;
      descriptor.key_index = layers & kKeyIndexMask;
    }
  }
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  parsed.descriptor_bytes = reader.offset();
  parsed.body = reader.rest();
  return parsed;
}

void write_vp8_descriptor(const Vp8Descriptor& descriptor, PayloadList& out) {
  std::uint8_t more = static_cast<std::uint8_t>(
      (descriptor.picture_id ? kHasPictureId : 0) | (descriptor.tl0_index ? kHasTl0Index : 0) |
      (descriptor.temporal_id ? kHasTemporal : 0) | (descriptor.key_index ? kHasKeyIndex : 0));
  out.u8(static_cast<std::uint8_t>(
      (more != 0 ? kHasMore : 0) | (descriptor.is_non_reference ? kNonReference : 0) |
      (descriptor.starts_partition ? kStart : 0) | (descriptor.partition & kPartitionMask)));
  if (more == 0) return;
  out.u8(more);
  if (descriptor.picture_id) {
    if (descriptor.picture_id_bits == 15) {
      out.u16(static_cast<std::uint16_t>(0x8000 | (*descriptor.picture_id & 0x7fff)));
    } else {
      out.u8(static_cast<std::uint8_t>(*descriptor.picture_id & 0x7f));
    }
  }
  if (descriptor.tl0_index) out.u8(*descriptor.tl0_index);
  if (descriptor.temporal_id || descriptor.key_index) {
    out.u8(static_cast<std::uint8_t>(descriptor.temporal_id.value_or(0) << 6 |
                                     (descriptor.is_layer_sync ? kLayerSync : 0) |
                                     (descriptor.key_index.value_or(0) & kKeyIndexMask)));
  }
}

void overwrite_vp8_ids(std::span<std::uint8_t> payload, const ParsedVp8& parsed, const PictureIds& ids) {
  if (parsed.picture_id_at != 0) {
    std::size_t at = parsed.picture_id_at;
    if (parsed.descriptor.picture_id_bits == 15) {
      payload[at] = static_cast<std::uint8_t>(kLongPictureId | (ids.picture_id >> 8 & 0x7f));
      payload[at + 1] = static_cast<std::uint8_t>(ids.picture_id);
    } else {
      payload[at] = ids.picture_id & 0x7f;
    }
  }
  if (parsed.tl0_index_at != 0) payload[parsed.tl0_index_at] = ids.tl0_index;
  if (parsed.key_index_at != 0) {
    std::uint8_t& layers = payload[parsed.key_index_at];
    layers = static_cast<std::uint8_t>((layers & ~kKeyIndexMask) | (ids.key_index & kKeyIndexMask));
  }
}

Result<void, Refusal> packetize_vp8(Bytes frame, std::uint16_t picture_id, bool is_discardable,
                                    std::size_t payload_bytes_max, PayloadList& out) {
  constexpr std::size_t kOwnDescriptorBytes = 4;
  STOA_DCHECK(payload_bytes_max >= kPayloadBytesFloor);
  if (frame.empty()) return refuse(Refusal::kTruncated);
  cut_evenly(frame, payload_bytes_max - kOwnDescriptorBytes, [&](Bytes piece, bool is_first, bool) {
    Vp8Descriptor descriptor{.is_non_reference = is_discardable, .starts_partition = is_first};
    descriptor.picture_id = picture_id;
    write_vp8_descriptor(descriptor, out);
    out.bytes(piece);
    out.end_payload();
  });
  return {};
}

Result<AssembledFrame, Refusal> assemble_vp8(std::span<const Bytes> payloads, Buffer& frame) {
  AssembledFrame facts;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    STOA_TRY(ParsedVp8 parsed, parse_vp8(payloads[i]));
    if (parsed.descriptor.starts_frame() != (i == 0)) return refuse(Refusal::kBroken);
    if (frame.size() + parsed.body.size() > kFrameBytesMax) return refuse(Refusal::kTooLarge);
    if (parsed.is_keyframe_start()) facts.is_keyframe = facts.has_parameters = true;
    frame.insert(frame.end(), parsed.body.begin(), parsed.body.end());
  }
  if (frame.empty()) return refuse(Refusal::kBroken);
  return facts;
}

Result<PayloadFacts, Refusal> inspect_vp8_payload(Bytes payload) {
  STOA_TRY(ParsedVp8 parsed, parse_vp8(payload));
  PayloadFacts facts;
  facts.starts_frame = parsed.descriptor.starts_frame();
  facts.is_keyframe = parsed.is_keyframe_start();
  facts.is_discardable = parsed.descriptor.is_non_reference;
  facts.is_switch_point = parsed.descriptor.is_layer_sync || facts.is_keyframe;
  facts.temporal_layer = parsed.descriptor.temporal_id.value_or(0);
  return facts;
}

}  // namespace stoa::payload
