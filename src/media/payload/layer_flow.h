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
  // Another layer must have had so many frames meanwhile, and twice as many as it lately had between two of
  // this one. By time alone a layer would be taken for given up where all are slow: a still picture, a
  // presentation of a frame a second, a line that became narrow.
  static constexpr std::uint64_t kFrames = 3;

  // The layer went on with a packet that was never sent before, of its frame `frames`, counted from 1.
  // Repeated packets may come long after a layer was given up, and must not be told.
  void note(Timestamp now, std::size_t layer, std::uint64_t frames) {
    Layer& own = layers_[layer];
    std::uint64_t between = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (i != layer) between = std::max(between, layers_[i].frames - own.frames_of_others[i]);
      own.frames_of_others[i] = layers_[i].frames;
    }
    if (own.frames > 0 && own.frames != frames)
      own.between = std::max(own.between * kKept, static_cast<double>(std::min(between, kBetweenMax)));
    own.at = now;
    own.frames = frames;
  }

  // Nothing came of it for `silence` while another went on. Never so of one that nothing ever came of.
  bool is_given_up(Timestamp now, std::size_t layer, Duration silence) const {
    const Layer& own = layers_[layer];
    if (own.frames == 0 || now - own.at < silence) return false;
    const std::uint64_t most = std::max(kFrames, static_cast<std::uint64_t>(own.between * 2));
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (i != layer && layers_[i].frames - own.frames_of_others[i] >= most) return true;
    return false;
  }

 private:
  // What a layer missed while it was given up is soon forgotten.
  static constexpr double kKept = 0.875;
  static constexpr std::uint64_t kBetweenMax = 12;

  struct Layer {
    Timestamp at;
    std::uint64_t frames = 0;
    // As many as the others had when this one had a packet last; the most that one had between two frames.
    std::array<std::uint64_t, kLayersMax> frames_of_others{};
    double between = 0;
  };
  std::array<Layer, kLayersMax> layers_;
};

}  // namespace stoa::payload
