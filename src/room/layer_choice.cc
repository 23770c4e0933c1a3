#include "room/layer_choice.h"

#include <algorithm>

namespace stoa::room {
namespace {

// A picture may lie on its side: a tile in portrait is covered by as many pixels in landscape.
bool covers(const VideoLayer& layer, const TrackWish& wish) {
  if (wish.width == 0 || wish.height == 0) return layer.width >= wish.width && layer.height >= wish.height;
  return std::max(layer.width, layer.height) >= std::max(wish.width, wish.height) &&
         std::min(layer.width, layer.height) >= std::min(wish.width, wish.height);
}

std::uint64_t area(const VideoLayer& layer) { return std::uint64_t{layer.width} * layer.height; }

}  // namespace

Quality quality_of(const TrackWish& wish, std::span<const VideoLayer> layers) {
  if (wish.is_disabled) return Quality::kOff;
  if (wish.width == 0 && wish.height == 0) return wish.quality;
  const VideoLayer *best = nullptr, *largest = nullptr;
  for (const VideoLayer& layer : layers) {
    if (layer.quality == Quality::kOff || area(layer) == 0) continue;
    if (!largest || area(layer) > area(*largest)) largest = &layer;
    if (covers(layer, wish) && (!best || area(layer) < area(*best))) best = &layer;
  }
  if (best) return best->quality;
  return largest ? largest->quality : wish.quality;
}

std::uint32_t priority_of(const TrackWish& wish, TrackSource source) {
  if (wish.priority != 0) return std::min(wish.priority, kPriorityMax);
  return source == TrackSource::kScreenShare ? kPriorityMax : 1;
}

Quality at_most(Quality wanted, Quality limit) {
  if (wanted == Quality::kOff || limit == Quality::kOff) return Quality::kOff;
  return std::min(wanted, limit);
}

std::uint8_t layer_of(Quality wanted, std::span<const VideoLayer> layers) {
  std::uint8_t best = 0;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i].quality <= wanted) best = static_cast<std::uint8_t>(i);
  return best;
}

}  // namespace stoa::room
