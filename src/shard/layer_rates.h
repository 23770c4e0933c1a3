// How fast the layers of a track come to this shard, and what of them a receiver could be sent at what price:
// what seats (seat_budget.h) and viewers (viewer_budget.h) share out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "bwe/share.h"
#include "media/payload/packet.h"
#include "session/webrtc/fan_out.h"

namespace stoa::shard {

// How many layers of a track flow: those of simulcast that were agreed upon, or the spatial layers within its
// one stream that come now. An unset stream: one of the latter.
std::size_t flowing_layers(Timestamp now, const webrtc::FanOut& fan_out, webrtc::StreamId stream,
                           const payload::RtpTrack& track);

// With all headers, smoothed over a few calls: keyframes are large.
class LayerRates {
 public:
  // Of a layer that does not come (nobody may want it) the last rate counts for so long.
  static constexpr Duration kKept = Duration::seconds(8);
  // Less is no time to measure a rate in: one frame more or less would make it.
  static constexpr Duration kMeasuredMin = Duration::milliseconds(250);

  // An unset stream: nothing comes. Within kMeasuredMin after the last call for the stream it does nothing.
  void measure(Timestamp now, const webrtc::FanOut& fan_out, webrtc::StreamId stream,
               const payload::RtpTrack& track);
  // What came since is no rate: a group that was kept, sent at once.
  void skip() { stream_ = {}; }
  // Of spatial layers within a stream, with what they need of those below: of `_KEY` modes that is nothing
  // but keyframes. 0: not known.
  std::uint64_t bits_per_second(std::size_t layer) const { return layers_[layer].bits_per_second; }
  // Of a layer with temporal layers: how many frames a second are about `frames` of four of its own. 0: it
  // has no such level.
  std::uint32_t frames_per_second(std::size_t layer, std::uint8_t frames) const;

 private:
  using Counts = std::array<std::uint64_t, webrtc::kTemporalLevels + 1>;
  struct Layer {
    std::uint64_t bytes = 0, bits_per_second = 0;
    Timestamp flowed_at;
    Counts counts{};                                           // Of frames, so far.
    std::array<double, webrtc::kTemporalLevels + 1> frames{};  // Lately …
    double seconds = 0;                                        // … in so much time.
  };
  std::array<Layer, payload::kLayersMax> layers_;
  webrtc::StreamId stream_;
  Timestamp measured_at_;
};

// Adds what may be sent of a layer: `all` of its frames, and before that, where it has temporal layers and
// may have fewer frames, a quarter and half of them.
void add_steps(const LayerRates& rates, std::size_t layer, const bwe::Step& all, bool may_have_fewer,
               std::vector<bwe::Step>& steps);

}  // namespace stoa::shard
