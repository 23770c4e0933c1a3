// Which layer of each picture of a channel one viewer over WHEP is sent: what his path carries, shared out by
// bwe::Allocator as for seats (seat_budget.h), but that nobody asks for sizes: everybody wants all there is.
//
// Until it is known what his path carries, and what the layers take, he is sent the least layer, which is
// there soonest. Who cannot tell what arrives, or does not within kToldWithin, is not bounded.
//
// When not even the least picture fits beside the sound, it is paused and comes back by itself. Where there
// is no sound it is not: there would be nothing left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "bwe/allocator.h"
#include "bwe/controller.h"
#include "media/payload/packet.h"
#include "session/webrtc/fan_out.h"
#include "shard/layer_rates.h"

namespace stoa::shard {

// What may be sent of a channel's picture: the layers whose rates are known.
std::vector<bwe::Step> steps_of(Timestamp now, const webrtc::FanOut& fan_out, webrtc::StreamId stream,
                                const payload::RtpTrack& track, const LayerRates& rates);

class ViewerBudget {
 public:
  static constexpr Duration kToldWithin = Duration::seconds(2);
  // A demand that becomes less is told when it is by more than so many hundredths.
  static constexpr std::uint64_t kDemandPercent = 5;
  static constexpr payload::LayerIndex kAllLayers = payload::kLayersMax - 1;

  // What one outlet is sent: no layer above this one, so many of four of its frames, or nothing for now.
  struct Share {
    payload::LayerIndex layer_max = kAllLayers;
    std::uint8_t frames = bwe::kAllFrames;
    bool is_paused = false;
    bool operator==(const Share&) const = default;
  };

  // `may_tell`: he has agreed to say what arrives.
  explicit ViewerBudget(bool may_tell) : may_tell_(may_tell), is_limited_(may_tell) {}

  // Of his path, from his being connected on.
  void handle_target(Timestamp now, const bwe::Target& target);
  // What there is for him now, pictures by the number of their outlets; to be called from time to time.
  void set_claims(Timestamp now, std::vector<bwe::Claim> pictures, const bwe::Sound& sound);

  // Whether shares may have changed since the last call.
  bool take_news() { return std::exchange(has_news_, false); }
  Share share_of(std::size_t outlet) const;
  // What is worth probing for, when that has changed. None while nothing is known of the layers.
  std::optional<bwe::Demand> take_demand();

  // He is sent less than there is; no picture at all.
  bool is_bounded() const;
  bool is_paused() const;
  const bwe::Allocator& allocator() const { return allocator_; }

 private:
  void bound(Timestamp now);
  bool may_pause() const { return sound_.tracks > 0; }

  bool may_tell_;
  bool is_limited_;  // By his path, or by what is not known of it yet.
  bool has_claims_ = false, has_news_ = true;
  std::optional<Timestamp> began_at_;  // The first target.
  bwe::Target target_;
  bwe::Sound sound_;
  bwe::Allocator allocator_;
  std::optional<bwe::Demand> told_;
};

}  // namespace stoa::shard
