// VP9 in RTP (RFC 9628): a descriptor, then a piece of a layer frame. The layer frames of a picture have one
// timestamp and one picture id; the marker ends the picture.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"
#include "media/payload/picture_id.h"

namespace stoa::payload {

inline constexpr std::size_t kVp9SpatialLayersMax = 8;
inline constexpr std::size_t kVp9ReferencesMax = 3;

struct Vp9Size {
  std::uint16_t width = 0, height = 0;
  bool operator==(const Vp9Size&) const = default;
};
// How the pictures of a group refer to each other (§4.2.1).
struct Vp9GroupPicture {
  std::uint8_t temporal_id = 0;
  bool is_switch_point = false;
  std::array<std::uint8_t, kVp9ReferencesMax> picture_diffs{};
  std::uint8_t reference_count = 0;
  bool operator==(const Vp9GroupPicture&) const = default;
};
// The scalability structure, V.
struct Vp9Structure {
  std::uint8_t spatial_layers = 1;
  std::array<Vp9Size, kVp9SpatialLayersMax> sizes{};  // When has_sizes.
  bool has_sizes = false;
  bool has_group = false;
  std::uint8_t group_size = 0;
  // The first pictures of the group. Groups of more are read past them: no encoder has them.
  static constexpr std::size_t kGroupPicturesKept = 16;
  std::array<Vp9GroupPicture, kGroupPicturesKept> group{};
  bool operator==(const Vp9Structure&) const = default;
};

// §4.2
struct Vp9Descriptor {
  std::optional<std::uint16_t> picture_id;  // I
  std::uint8_t picture_id_bits = 15;
  bool is_inter_predicted = false;  // P
  bool is_flexible = false;         // F
  bool starts_layer_frame = false;  // B
  bool ends_layer_frame = false;    // E
  bool is_upper_reference = true;   // Not Z: a frame of a higher spatial layer may refer to it.
  struct Layer {                    // L
    std::uint8_t temporal_id = 0, spatial_id = 0;  // 0 to 7 each.
    bool is_switch_point = false;                  // U
    bool depends_on_lower = false;                 // D
    std::optional<std::uint8_t> tl0_index;         // Without F.
    bool operator==(const Layer&) const = default;
  };
  std::optional<Layer> layer;
  std::array<std::uint8_t, kVp9ReferencesMax> picture_diffs{};  // With F and P: 1 to 127 pictures back.
  std::uint8_t reference_count = 0;
  std::optional<Vp9Structure> structure;

  std::uint8_t spatial_id() const { return layer ? layer->spatial_id : std::uint8_t{0}; }
  std::uint8_t temporal_id() const { return layer ? layer->temporal_id : std::uint8_t{0}; }
  bool starts_picture() const {
    return starts_layer_frame && !(layer && layer->depends_on_lower) && spatial_id() == 0;
  }
  bool operator==(const Vp9Descriptor&) const = default;
};

struct ParsedVp9 {
  Vp9Descriptor descriptor;
  std::size_t descriptor_bytes = 0;
  std::uint8_t picture_id_at = 0, tl0_index_at = 0;  // 0 when they are not there.
  Bytes body;

  SourceIds source_ids() const;  // Requires a picture id.
};
Result<ParsedVp9, Refusal> parse_vp9(Bytes payload);
void write_vp9_descriptor(const Vp9Descriptor& descriptor, PayloadList& out);
// As overwrite_vp8_ids().
void overwrite_vp9_ids(std::span<std::uint8_t> payload, const ParsedVp9& parsed, const PictureIds& ids);

// Appends the payloads of one frame or superframe as one layer, in flexible mode: a picture refers to the one
// before. A key frame's size goes along.
Result<void, Refusal> packetize_vp9(Bytes frame, std::uint16_t picture_id, std::size_t payload_bytes_max,
                                    PayloadList& out);
// Appends one picture of payloads in the order of their sequence numbers; several layer frames make a
// superframe with its index (VP9 specification, Annex B).
Result<AssembledFrame, Refusal> assemble_vp9(std::span<const Bytes> payloads, Buffer& frame);
Result<PayloadFacts, Refusal> inspect_vp9_payload(Bytes payload);

}  // namespace stoa::payload
