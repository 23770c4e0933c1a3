#include "sim/encoder.h"

#include <algorithm>
#include <cmath>

namespace stoa::sim {
namespace {

constexpr double kFramesToSettle = 10;            // A debt is paid back over so many frames.
constexpr double kSizeMin = 0.3, kSizeMax = 2.5;  // Of the mean size, but for keyframes.
constexpr double kFrameBytesMin = 50;

}  // namespace

Encoder::Encoder(const Config& config, Rng rng, Timestamp start)
    : config_(config), rng_(rng), frame_interval_(Duration::seconds(1) / config.frames_per_second) {
  next_frame_ = start + Duration::from_seconds(frame_interval_.as_seconds() * rng_.unit());
  next_keyframe_ = next_frame_;
  wanted_ = rate_ = static_cast<double>(config.min_bits_per_second);
}

double Encoder::clamped(double bits_per_second) const {
  auto max = static_cast<double>(config_.max_bits_per_second);
  return std::min(std::max(bits_per_second, static_cast<double>(config_.min_bits_per_second)), max);
}

void Encoder::set_rate(std::uint64_t bits_per_second) { wanted_ = static_cast<double>(bits_per_second); }

void Encoder::restart(std::uint64_t bits_per_second) {
  wanted_ = static_cast<double>(bits_per_second);
  rate_ = clamped(wanted_);
  debt_bytes_ = 0;
  next_keyframe_ = next_frame_;
}

double Encoder::draw_size() {
  double u = rng_.unit() - 0.5;
  double deviation = -config_.size_deviation * std::copysign(std::log(1 - 2 * std::abs(u)), u);
  return 1 + deviation;
}

void Encoder::step() {
  rate_ +=
      (clamped(wanted_) - rate_) * (1 - std::exp(-frame_interval_.as_seconds() / config_.lag.as_seconds()));
  rate_ = clamped(rate_);
  next_frame_ += frame_interval_;
}

std::uint32_t Encoder::take_frame() {
  bool is_key = next_frame_ >= next_keyframe_;
  step();
  double mean = rate_ / 8 * frame_interval_.as_seconds();
  double size = draw_size() - debt_bytes_ / mean / kFramesToSettle;
  size = is_key ? config_.keyframe_size : std::clamp(size, kSizeMin, kSizeMax);
  if (is_key) {
    next_keyframe_ = config_.keyframe_interval > Duration()
                         ? next_frame_ + Duration::from_seconds(config_.keyframe_interval.as_seconds() *
                                                                (0.5 + rng_.unit()))
                         : Timestamp::never();
  }
  double bytes = std::max(size * mean, kFrameBytesMin);
  debt_bytes_ += bytes - mean;
  return static_cast<std::uint32_t>(bytes);
}

void Encoder::skip_frame() {
  double mean = rate_ / 8 * frame_interval_.as_seconds();
  step();
  debt_bytes_ = std::max(debt_bytes_ - mean, 0.0);
}

}  // namespace stoa::sim
