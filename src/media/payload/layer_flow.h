// Which layers of a simulcast track go on. Senders give up a layer that their network or processor does not
// carry, and say nothing of it: what is missing of it then never comes, and who waits for it waits in vain.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "media/payload/packet.h"

namespace stoa::payload {

class LayerFlow {
 public:
  // Another layer must have had so many frames meanwhile: by time alone a layer would be taken for given up
  // where all are slow, a still picture or a presentation of a frame a second.
  static constexpr std::uint64_t kFrames = 3;
  // A longer pause between frames says nothing of how often they come.
  static constexpr Duration kIntervalMax = Duration::seconds(2);

  // The layer went on with a packet that was never sent before, of its frame `frames`, counted from 1.
  // Repeated packets may come long after a layer was given up, and must not be told.
  void note(Timestamp now, std::size_t layer, std::uint64_t frames) {
    Layer& own = layers_[layer];
    if (own.frames != frames) {
      const Duration interval = own.frames > 0 ? now - own.frame_at : Duration();
      own.interval = std::max(own.interval * 7 / 8, interval <= kIntervalMax ? interval : Duration());
      own.frame_at = now;
    }
    own.at = now;
    own.frames = frames;
    for (std::size_t i = 0; i < layers_.size(); ++i) own.frames_of_others[i] = layers_[i].frames;
  }

  // Nothing came of it for `silence`, and for twice the longest time that lately went by between two of its
  // frames, while another went on. Never so of one that nothing ever came of.
  bool is_given_up(Timestamp now, std::size_t layer, Duration silence) const {
    const Layer& own = layers_[layer];
    if (own.frames == 0 || now - own.at < std::max(silence, own.interval * 2)) return false;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (i != layer && layers_[i].frames >= own.frames_of_others[i] + kFrames) return true;
    return false;
  }

 private:
  struct Layer {
    Timestamp at, frame_at;
    Duration interval;  // Between frames: the longest, of which an eighth is forgotten with each.
    std::uint64_t frames = 0;
    std::array<std::uint64_t, kLayersMax> frames_of_others{};
  };
  std::array<Layer, kLayersMax> layers_;
};

}  // namespace stoa::payload
