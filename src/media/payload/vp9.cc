#include "media/payload/vp9.h"

#include <algorithm>

#include "media/bit_reader.h"

namespace stoa::payload {
namespace {

enum Flag : std::uint8_t {
  kHasPictureId = 0x80,
  kInterPredicted = 0x40,
  kHasLayer = 0x20,
  kFlexible = 0x10,
  kStart = 0x08,
  kEnd = 0x04,
  kHasStructure = 0x02,
  kNotUpperReference = 0x01,
};
constexpr std::uint8_t kLongPictureId = 0x80;
constexpr std::uint32_t kSyncCode = 0x498342;
constexpr std::size_t kSuperframeFramesMax = 8;

// What the uncompressed header (VP9 specification §6.2) says at once.
struct FrameHeader {
  bool is_key = false;
  std::optional<Vp9Size> size;
};

void skip_colour(media::BitReader& bits, std::uint32_t profile) {
  constexpr std::uint32_t kRgb = 7;
  if (profile >= 2) bits.flag();
  bool has_subsampling = profile == 1 || profile == 3;
  if (bits.u(3) != kRgb) {
    bits.flag();
    if (has_subsampling) bits.skip(3);
  } else if (has_subsampling) {
    bits.flag();
  }
}

FrameHeader read_frame_header(Bytes frame) {
  media::BitReader bits(frame);
  FrameHeader header;
  if (bits.u(2) != 2) return header;
  std::uint32_t low = bits.u(1), profile = bits.u(1) << 1 | low;
  if (profile == 3) bits.flag();
  if (bits.flag()) return header;  // Shows a frame sent before.
  header.is_key = !bits.flag() && bits.ok();
  bits.skip(2);
  if (!header.is_key || bits.u(24) != kSyncCode) return header;
  skip_colour(bits, profile);
  std::uint32_t width = bits.u(16) + 1, height = bits.u(16) + 1;
  if (bits.ok() && width <= 0xffff && height <= 0xffff) {
    header.size = Vp9Size{static_cast<std::uint16_t>(width), static_cast<std::uint16_t>(height)};
  }
  return header;
}

void read_layer(ByteReader& reader, ParsedVp9& parsed) {
  std::uint8_t packed = reader.u8();
  Vp9Descriptor::Layer layer;
  layer.temporal_id = packed >> 5;
  layer.is_switch_point = packed & 0x10;
  layer.spatial_id = packed >> 1 & 7;
  layer.depends_on_lower = packed & 1;
  if (!parsed.descriptor.is_flexible) {
    parsed.tl0_index_at = static_cast<std::uint8_t>(reader.offset());
    layer.tl0_index = reader.u8();
  }
  parsed.descriptor.layer = layer;
}

Result<void, Refusal> read_references(ByteReader& reader, Vp9Descriptor& descriptor) {
  for (bool has_more = true; has_more;) {
    std::uint8_t packed = reader.u8();
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    if (descriptor.reference_count == kVp9ReferencesMax) return refuse(Refusal::kBadValue);
    descriptor.picture_diffs[descriptor.reference_count++] = packed >> 1;
    has_more = packed & 1;
  }
  return {};
}

Result<Vp9Structure, Refusal> read_structure(ByteReader& reader) {
  std::uint8_t packed = reader.u8();
  Vp9Structure structure;
  structure.spatial_layers = static_cast<std::uint8_t>((packed >> 5) + 1);
  structure.has_sizes = packed & 0x10;
  structure.has_group = packed & 0x08;
  for (std::size_t i = 0; structure.has_sizes && i < structure.spatial_layers; ++i) {
    structure.sizes[i].width = reader.u16();
    structure.sizes[i].height = reader.u16();
  }
  if (structure.has_group) structure.group_size = reader.u8();
  for (std::size_t i = 0; i < structure.group_size && reader.ok(); ++i) {
    std::uint8_t head = reader.u8();
    Vp9GroupPicture picture;
    picture.temporal_id = head >> 5;
    picture.is_switch_point = head & 0x10;
    picture.reference_count = head >> 2 & 3;
    for (std::size_t r = 0; r < picture.reference_count; ++r) picture.picture_diffs[r] = reader.u8();
    if (i < Vp9Structure::kGroupPicturesKept) structure.group[i] = picture;
  }
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  return structure;
}

void write_structure(const Vp9Structure& structure, PayloadList& out) {
  std::size_t group_size = std::min<std::size_t>(structure.group_size, Vp9Structure::kGroupPicturesKept);
  out.u8(static_cast<std::uint8_t>((structure.spatial_layers - 1) << 5 | (structure.has_sizes ? 0x10 : 0) |
                                   (structure.has_group ? 0x08 : 0)));
  for (std::size_t i = 0; structure.has_sizes && i < structure.spatial_layers; ++i) {
    out.u16(structure.sizes[i].width);
    out.u16(structure.sizes[i].height);
  }
  if (!structure.has_group) return;
  out.u8(static_cast<std::uint8_t>(group_size));
  for (std::size_t i = 0; i < group_size; ++i) {
    const Vp9GroupPicture& picture = structure.group[i];
    out.u8(static_cast<std::uint8_t>(picture.temporal_id << 5 | (picture.is_switch_point ? 0x10 : 0) |
                                     picture.reference_count << 2));
    for (std::size_t r = 0; r < picture.reference_count; ++r) out.u8(picture.picture_diffs[r]);
  }
}

// VP9 specification, Annex B: the sizes of the frames, little-endian, between two equal marker bytes.
void write_superframe_index(std::span<const std::size_t> sizes, Buffer& frame) {
  std::size_t largest = std::ranges::max(sizes);
  unsigned size_bytes = 1;
  while (largest >> (8 * size_bytes) != 0) ++size_bytes;
  auto marker = static_cast<std::uint8_t>(0xc0 | (size_bytes - 1) << 3 | (sizes.size() - 1));
  frame.push_back(marker);
  for (std::size_t size : sizes) {
    for (unsigned i = 0; i < size_bytes; ++i) frame.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
  }
  frame.push_back(marker);
}

}  // namespace

SourceIds ParsedVp9::source_ids() const {
  return {.picture_id = *descriptor.picture_id,
          .picture_id_bits = descriptor.picture_id_bits,
          .tl0_index = descriptor.layer ? descriptor.layer->tl0_index : std::nullopt};
}

//  |I|P|L|F|B|E|V|Z|  I: |M| PICTURE ID (7 or 15) |  L: | TID |U| SID |D|, without F: |   TL0PICIDX   |
//  F and P, up to three times: | P_DIFF      |N|  V: | N_S |Y|G|-|-|-| ...
Result<ParsedVp9, Refusal> parse_vp9(Bytes payload) {
  ByteReader reader(payload);
  ParsedVp9 parsed;
  Vp9Descriptor& descriptor = parsed.descriptor;
  std::uint8_t flags = reader.u8();
  descriptor.is_inter_predicted = flags & kInterPredicted;
  descriptor.is_flexible = flags & kFlexible;
  descriptor.starts_layer_frame = flags & kStart;
  descriptor.ends_layer_frame = flags & kEnd;
  descriptor.is_upper_reference = (flags & kNotUpperReference) == 0;
  if (flags & kHasPictureId) {
    parsed.picture_id_at = static_cast<std::uint8_t>(reader.offset());
    std::uint8_t high = reader.u8();
    bool is_long = high & kLongPictureId;
    descriptor.picture_id_bits = is_long ? 15 : 7;
    descriptor.picture_id = static_cast<std::uint16_t>(is_long ? (high & 0x7f) << 8 | reader.u8() : high);
  }
  if (flags & kHasLayer) read_layer(reader, parsed);
  if (descriptor.is_flexible && descriptor.is_inter_predicted) {
    if (auto read = read_references(reader, descriptor); !read) return refuse(read.error());
  }
  if (flags & kHasStructure) {
    STOA_TRY(descriptor.structure, read_structure(reader));
  }
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  parsed.descriptor_bytes = reader.offset();
  parsed.body = reader.rest();
  return parsed;
}

void write_vp9_descriptor(const Vp9Descriptor& descriptor, PayloadList& out) {
  out.u8(static_cast<std::uint8_t>(
      (descriptor.picture_id ? kHasPictureId : 0) | (descriptor.is_inter_predicted ? kInterPredicted : 0) |
      (descriptor.layer ? kHasLayer : 0) | (descriptor.is_flexible ? kFlexible : 0) |
      (descriptor.starts_layer_frame ? kStart : 0) | (descriptor.ends_layer_frame ? kEnd : 0) |
      (descriptor.structure ? kHasStructure : 0) | (descriptor.is_upper_reference ? 0 : kNotUpperReference)));
  if (descriptor.picture_id) {
    if (descriptor.picture_id_bits == 15) {
      out.u16(static_cast<std::uint16_t>(0x8000 | (*descriptor.picture_id & 0x7fff)));
    } else {
      out.u8(static_cast<std::uint8_t>(*descriptor.picture_id & 0x7f));
    }
  }
  if (descriptor.layer) {
    const Vp9Descriptor::Layer& layer = *descriptor.layer;
    out.u8(static_cast<std::uint8_t>(layer.temporal_id << 5 | (layer.is_switch_point ? 0x10 : 0) |
                                     layer.spatial_id << 1 | (layer.depends_on_lower ? 1 : 0)));
    if (!descriptor.is_flexible) out.u8(layer.tl0_index.value_or(0));
  }
  if (descriptor.is_flexible && descriptor.is_inter_predicted) {
    STOA_DCHECK(descriptor.reference_count > 0);
    for (std::size_t i = 0; i < descriptor.reference_count; ++i) {
      bool has_more = i + 1 < descriptor.reference_count;
      out.u8(static_cast<std::uint8_t>(descriptor.picture_diffs[i] << 1 | (has_more ? 1 : 0)));
    }
  }
  if (descriptor.structure) write_structure(*descriptor.structure, out);
}

void overwrite_vp9_ids(std::span<std::uint8_t> payload, const ParsedVp9& parsed, const PictureIds& ids) {
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
}

Result<void, Refusal> packetize_vp9(Bytes frame, std::uint16_t picture_id, std::size_t payload_bytes_max,
                                    PayloadList& out) {
  // Flags, picture id, and the longer of one reference or a structure with one size.
  constexpr std::size_t kOwnDescriptorBytes = 3 + 5;
  STOA_DCHECK(payload_bytes_max >= kPayloadBytesFloor);
  if (frame.empty()) return refuse(Refusal::kTruncated);
  FrameHeader header = read_frame_header(frame);
  cut_evenly(frame, payload_bytes_max - kOwnDescriptorBytes, [&](Bytes piece, bool is_first, bool is_last) {
    Vp9Descriptor descriptor;
    descriptor.picture_id = picture_id;
    descriptor.is_inter_predicted = !header.is_key;
    descriptor.is_flexible = true;
    descriptor.starts_layer_frame = is_first;
    descriptor.ends_layer_frame = is_last;
    descriptor.is_upper_reference = false;
    if (!header.is_key) {
      descriptor.picture_diffs[0] = 1;
      descriptor.reference_count = 1;
    }
    if (is_first && header.size) {
      descriptor.structure.emplace();
      descriptor.structure->has_sizes = true;
      descriptor.structure->sizes[0] = *header.size;
    }
    write_vp9_descriptor(descriptor, out);
    out.bytes(piece);
    out.end_payload();
  });
  return {};
}

Result<AssembledFrame, Refusal> assemble_vp9(std::span<const Bytes> payloads, Buffer& frame) {
  AssembledFrame facts;
  std::array<std::size_t, kSuperframeFramesMax> sizes{};
  std::size_t frames = 0, began_at = frame.size();
  bool is_open = false;
  for (Bytes payload : payloads) {
    STOA_TRY(ParsedVp9 parsed, parse_vp9(payload));
    const Vp9Descriptor& descriptor = parsed.descriptor;
    if (descriptor.starts_layer_frame == is_open) return refuse(Refusal::kBroken);
    if (frame.size() + parsed.body.size() > kFrameBytesMax) return refuse(Refusal::kTooLarge);
    if (descriptor.starts_layer_frame) {
      if (frames == kSuperframeFramesMax) return refuse(Refusal::kTooLarge);
      if (frames == 0) facts.is_keyframe = facts.has_parameters = read_frame_header(parsed.body).is_key;
      ++frames;
      began_at = frame.size();
    }
    frame.insert(frame.end(), parsed.body.begin(), parsed.body.end());
    is_open = !descriptor.ends_layer_frame;
    if (!is_open) sizes[frames - 1] = frame.size() - began_at;
  }
  if (is_open || frame.empty()) return refuse(Refusal::kBroken);
  if (frames > 1) write_superframe_index(std::span(sizes).first(frames), frame);
  return facts;
}

Result<PayloadFacts, Refusal> inspect_vp9_payload(Bytes payload) {
  STOA_TRY(ParsedVp9 parsed, parse_vp9(payload));
  const Vp9Descriptor& descriptor = parsed.descriptor;
  PayloadFacts facts;
  facts.starts_frame = descriptor.starts_picture();
  // An intra-only frame is not predicted either.
  facts.is_keyframe =
      !descriptor.is_inter_predicted && facts.starts_frame && read_frame_header(parsed.body).is_key;
  facts.is_switch_point = facts.is_keyframe || (descriptor.layer && descriptor.layer->is_switch_point);
  // RFC 9628 §4.2, P: without it one may go up to this layer from the one below.
  facts.is_spatial_switch_point =
      descriptor.starts_layer_frame && !descriptor.is_inter_predicted && descriptor.spatial_id() > 0;
  facts.ends_layer = descriptor.ends_layer_frame;
  facts.is_needed_above = descriptor.is_upper_reference;
  facts.spatial_layer = descriptor.spatial_id();
  facts.temporal_layer = descriptor.temporal_id();
  return facts;
}

}  // namespace stoa::payload
