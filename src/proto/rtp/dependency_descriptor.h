// The dependency descriptor (AV1 RTP specification, Appendix A): which frame a packet belongs to, what that
// frame depends on and who needs it, outside the encrypted or unparsed payload. Any codec may carry it.
//
// Most descriptors are three bytes that point to a template of a structure which came with a key frame. So
// the reader of a stream holds the last structure and hands it to parse_dependency_descriptor(); a forwarder
// looks at `frame`, decides, and passes the bytes on as they are, or writes new ones to take decode targets
// away.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtp/refusal.h"

namespace stoa::rtp {

// All by the widths of the fields on the wire (A.8.2, A.8.3), but the differences of one frame: encoders have
// at most eight reference frames.
inline constexpr std::size_t kTemplatesMax = 64;
inline constexpr std::size_t kDecodeTargetsMax = 32;
inline constexpr std::size_t kChainsMax = 32;
inline constexpr std::size_t kFrameDiffsMax = 16;
inline constexpr std::uint8_t kSpatialLayersMax = 4, kTemporalLayersMax = 8;

// What a frame is to a decode target (A.8.2).
enum class DecodeTargetIndication : std::uint8_t {
  kNotPresent,   // Not part of it.
  kDiscardable,  // Part of it, and nothing depends on it.
  kSwitch,       // One may begin with this target here.
  kRequired,
};

// What a template says, and what a frame says where it differs from its template.
struct FrameDependencies {
  std::uint8_t spatial_id = 0, temporal_id = 0;
  std::array<DecodeTargetIndication, kDecodeTargetsMax> indications{};  // One for each decode target.
  std::array<std::uint16_t, kFrameDiffsMax> frame_diffs{};  // How many frame numbers back: 1 to 4096.
  std::uint8_t frame_diff_count = 0;
  std::array<std::uint8_t, kChainsMax> chain_diffs{};  // Back to the chain's last frame; 0: no frame before.

  bool operator==(const FrameDependencies&) const = default;
};

struct Resolution {
  std::uint32_t width = 0, height = 0;  // 1 to 65,536.
  bool operator==(const Resolution&) const = default;
};

// Comes with a key frame and holds until the next one.
struct DependencyStructure {
  std::uint8_t template_id_offset = 0;  // The id of the first template, 0 to 63.
  std::uint8_t decode_target_count = 1;
  std::uint8_t chain_count = 0;
  std::uint8_t template_count = 0;
  // By layer: the first has layers 0, each next has the same, one temporal more, or one spatial more.
  std::array<FrameDependencies, kTemplatesMax> templates{};
  std::array<std::uint8_t, kDecodeTargetsMax> protected_by{};  // The chain of each decode target.
  // One for each spatial layer, or none at all.
  std::array<Resolution, kSpatialLayersMax> resolutions{};
  std::uint8_t resolution_count = 0;

  std::uint8_t spatial_layers() const;
  // The highest layers that a decode target has.
  struct Layer {
    std::uint8_t spatial_id = 0, temporal_id = 0;
    bool operator==(const Layer&) const = default;
  };
  Layer layer_of_target(std::size_t target) const;

  bool operator==(const DependencyStructure&) const = default;
};

struct DependencyDescriptor {
  bool is_frame_start = true, is_frame_end = true;
  std::uint8_t template_id = 0;  // As sent, 0 to 63.
  std::uint16_t frame_number = 0;
  std::optional<DependencyStructure> structure;
  // Which decode targets are still sent, a bit for each, when this packet says so.
  std::optional<std::uint32_t> active_targets;
  FrameDependencies frame;
};

// `known` is the last structure that came before, or null. One in the bytes takes its place.
// Errors: kTruncated, kBadValue, kUnknownStructure.
Result<DependencyDescriptor, Refusal> parse_dependency_descriptor(Bytes value,
                                                                  const DependencyStructure* known);
// What needs no structure: the first three bytes.
struct DependencyStart {
  bool is_frame_start = false, is_frame_end = false;
  std::uint8_t template_id = 0;
  std::uint16_t frame_number = 0;
  bool has_structure = false;
};
Result<DependencyStart, Refusal> parse_dependency_start(Bytes value);

// Writes it in as few bits as it takes: what the template says is left out. `known` is the structure that the
// receiver has; descriptor.structure goes before it. Errors: kUnknownStructure when neither holds
// template_id; kBadValue for what the wire cannot say.
Result<Buffer, Refusal> write_dependency_descriptor(const DependencyDescriptor& descriptor,
                                                    const DependencyStructure* known);

}  // namespace stoa::rtp
