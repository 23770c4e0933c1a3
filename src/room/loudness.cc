#include "room/loudness.h"

#include <algorithm>
#include <cmath>

namespace stoa::room {
namespace {

constexpr double kNewest = 0.5;  // Weight of the newest window.

}  // namespace

void Loudness::add(Timestamp now, std::uint8_t level, Duration duration) {
  if (!window_began_) window_began_ = now;
  level &= 0x7f;
  if (level > config_.threshold_dbov || duration <= Duration()) return;
  active_ += std::min(duration, config_.window);
  loudest_ = std::min(loudest_, level);
}

std::optional<float> Loudness::take_level(Timestamp now) {
  if (!window_began_) return std::nullopt;
  Duration elapsed = now - *window_began_;
  if (elapsed < config_.window) return std::nullopt;
  double share = std::min(1.0, active_.as_seconds() / elapsed.as_seconds());
  if (loudest_ == 127 || share < config_.active_share_min) {
    smoothed_ = 0;
  } else {
    // Whoever speaks half the time is heard half as loud.
    double heard = std::pow(10, -loudest_ / 20.0) * share;
    smoothed_ = smoothed_ == 0 ? heard : smoothed_ + kNewest * (heard - smoothed_);
  }
  // A speaker of whom nothing comes any more still has to fall silent.
  window_began_ = smoothed_ > 0 ? std::optional(now) : std::nullopt;
  active_ = Duration();
  loudest_ = 127;
  return static_cast<float>(std::clamp(smoothed_, 0.0, 1.0));
}

}  // namespace stoa::room
