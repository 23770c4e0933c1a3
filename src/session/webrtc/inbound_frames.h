// Layers as the dependency descriptor tells them, and what of them is broken. With it a browser leaves
// temporal layers out of VP8's own descriptor, and those of H.264 and AV1 are said nowhere else. Read once,
// where packets come in.
//
// Where a frame that is lost for good was of a chain (AV1 RTP specification, Appendix A), nothing but a
// keyframe mends the spatial layers that the chain protects: until then what of them refers to it goes to
// nobody, and layers that are whole go on. Where it was of no chain, what refers to it goes on as well:
// decoders that have the descriptor pass over that.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "media/payload/encoding.h"
#include "proto/rtp/dependency_descriptor.h"

namespace stoa::webrtc {

// Of one layer of a track. Small until a structure comes.
class InboundFrames {
 public:
  // How many frame numbers back a frame's layers are still known; a power of two.
  static constexpr std::size_t kFramesKept = 256;
  // A structure of a frame so little older than that of the newest does not take its place: it came late.
  static constexpr int kLateFramesMax = 1'000;

  // A packet with this number came with this descriptor, or none (empty). What it says takes the place of
  // what `facts` say of layers. A frame that refers to lower temporal layers alone is one to begin its
  // temporal layer with; one that refers to lower spatial layers alone and is a switch indication for its
  // decode targets, its spatial layer. One that is of no decode target with a higher spatial layer is not
  // needed above. Descriptors that cannot be read change nothing; losses behind them are not understood until
  // the next structure. False: nobody can decode it.
  bool handle(std::int64_t index, Bytes descriptor, payload::PayloadFacts& facts);
  // What did not come of the packets below this number will not. True: only a keyframe helps, or it is
  // not known whether chains are whole.
  bool handle_lost(std::int64_t end);
  // Whether this spatial layer ends a picture now, since those above it are broken.
  bool is_highest_whole(std::uint8_t spatial_layer) const;

 private:
  static constexpr std::uint8_t kUnknown = 0xff;
  struct Seen {
    std::int64_t missing() const { return last - first + 1 - packets; }  // Between its packets.
    // Requires: it has come in part. Packets below `end` that are missing will not come.
    bool is_lost_below(std::int64_t end) const;

    std::uint16_t number = 0;
    std::uint8_t spatial_layer = kUnknown, temporal_layer = kUnknown;
    bool is_lost = false;  // Or refers to one that is.
    bool has_begun = false, has_ended = false;
    std::int64_t packets = 0, first = 0, last = 0;  // How many came, and their lowest and highest number.
    std::array<std::uint16_t, rtp::kFrameDiffsMax> references{};  // Frame numbers …
    std::uint8_t reference_count = 0;
    // … and of the last frame before it in the chain of each spatial layer, if there is one.
    std::array<std::optional<std::uint16_t>, rtp::kSpatialLayersMax> chains{};
  };
  struct Known {
    rtp::DependencyStructure structure;
    std::array<std::uint8_t, rtp::kDecodeTargetsMax> target_layers{};  // Spatial.
    // Of the frame that it came with, or kLateFramesMax before the newest; and its lowest packet that is
    // known.
    std::uint16_t structure_number = 0;
    std::int64_t structure_index = 0;
    std::array<std::optional<std::uint8_t>, rtp::kSpatialLayersMax> chain_of_layer{};
    std::uint16_t newest = 0;                              // Frame.
    std::int64_t highest = 0;                              // Packet.
    std::array<bool, rtp::kSpatialLayersMax> is_broken{};  // By spatial layer.
    std::array<Seen, kFramesKept> frames{};

    Seen& frame(std::uint16_t number) { return frames[number % kFramesKept]; }
    bool is_lost(std::uint16_t number) const {
      const Seen& seen = frames[number % kFramesKept];
      return seen.number == number && seen.is_lost;
    }
    void spread_loss(Seen& seen) const;
    void note_chains(const Seen& seen);
    // From the newest frame back over so many at most.
    bool is_chain_broken(std::size_t layer, std::size_t frames_max) const;
  };

  void take(std::int64_t index, const rtp::DependencyStructure& structure, std::uint16_t number);
  Seen& note(std::int64_t index, const rtp::DependencyDescriptor& descriptor);
  template <typename Predicate>
  bool all_references(const rtp::DependencyDescriptor& descriptor, Predicate is_fit) const;
  bool begins_temporal_layer(const rtp::DependencyDescriptor& descriptor) const;
  bool begins_spatial_layer(const rtp::DependencyDescriptor& descriptor) const;
  bool is_needed_above(const rtp::FrameDependencies& frame) const;

  std::unique_ptr<Known> known_;
  std::int64_t refused_ = std::numeric_limits<std::int64_t>::min();  // Newest packet that could not be read.
};

}  // namespace stoa::webrtc
