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

std::optional<std::uint8_t> choose_layer(Quality wanted, std::span<const VideoLayer> layers,
                                         std::uint8_t active, std::optional<std::uint64_t> fits_bps) {
  if (wanted == Quality::kOff) return std::nullopt;
  std::optional<std::uint8_t> lowest, best;
  std::size_t count = std::min<std::size_t>(layers.size(), 8);
  for (std::size_t i = 0; i < count; ++i) {
    const VideoLayer& layer = layers[i];
    if ((active >> i & 1) == 0 || layer.quality == Quality::kOff) continue;
    if (fits_bps && layer.bits_per_second > *fits_bps) continue;
    auto index = static_cast<std::uint8_t>(i);
    if (!lowest) lowest = index;
    if (layer.quality <= wanted) best = index;
  }
  return best ? best : lowest;
}

}  // namespace stoa::room
