// Temporal layers as the dependency descriptor tells them. With it a browser leaves them out of VP8's own
// descriptor, and those of H.264 and AV1 are said nowhere else. Read once, where packets come in.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "media/payload/encoding.h"
#include "proto/rtp/dependency_descriptor.h"

namespace stoa::webrtc {

// Of one layer of a track. Small until a structure comes.
class InboundFrames {
 public:
  // How many frame numbers back a frame's temporal layer is still known; a power of two.
  static constexpr std::size_t kFramesKept = 256;
  // A structure of a frame so little older than that of the newest does not take its place: it came late.
  static constexpr int kLateFramesMax = 1'000;

  // A packet came with this descriptor, or none (empty). What it says takes the place of what `facts` say of
  // temporal layers. A frame that refers to lower layers alone is one to begin its layer with. Descriptors
  // that cannot be read change nothing.
  void handle(Bytes descriptor, payload::PayloadFacts& facts);

 private:
  struct Seen {
    std::uint16_t number = 0;
    std::uint8_t temporal_layer = 0xff;  // Not known.
  };
  struct Known {
    rtp::DependencyStructure structure;
    std::uint16_t structure_number = 0;  // Of the frame that it came with.
    std::array<Seen, kFramesKept> frames{};
  };

  void take(const rtp::DependencyStructure& structure, std::uint16_t number);
  bool refers_below(const rtp::DependencyDescriptor& descriptor) const;

  std::unique_ptr<Known> known_;
};

}  // namespace stoa::webrtc
