#include "shard/layer_rates.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stoa::shard {
namespace {

constexpr std::uint64_t kPacketOverhead = 60;  // IP, UDP, RTP with its extensions, and SRTP's tag, in bytes.
constexpr double kKeptOfBefore = 0.75;         // When a rate is smoothed.
// What encoders spend on the lower temporal layers of two or three.
constexpr double kBitsOfHalf = 0.6, kBitsOfQuarter = 0.4;

bool is_about(double share, std::uint8_t frames) {
  return frames == 1 ? share > 0 && share <= 0.35 : frames == 2 ? share > 0.35 && share <= 0.65 : false;
}

std::uint64_t bits_of(std::uint64_t all, std::uint8_t frames) {
  const double share = frames == 1 ? kBitsOfQuarter : frames == 2 ? kBitsOfHalf : 1;
  return static_cast<std::uint64_t>(static_cast<double>(all) * share);
}

// What a receiver of this layer was sent so far, with all headers.
std::uint64_t bytes_of(const webrtc::History& history, const payload::RtpTrack& track, std::size_t layer) {
  const std::uint64_t headers = static_cast<std::uint64_t>(history.end()) * kPacketOverhead;
  const std::uint64_t all = history.appended_bytes();
  if (!track.may_be_scalable() || all == 0) return all + headers;
  std::uint64_t bytes = 0;
  for (const std::uint64_t of_rate : history.level_bytes()[std::min(layer, webrtc::kSpatialLevels)])
    bytes += of_rate;
  return bytes + static_cast<std::uint64_t>(static_cast<double>(headers) * static_cast<double>(bytes) /
                                            static_cast<double>(all));
}

}  // namespace

std::size_t flowing_layers(Timestamp now, const webrtc::FanOut& fan_out, webrtc::StreamId stream,
                           const payload::RtpTrack& track) {
  if (!track.may_be_scalable()) return track.layers;
  const webrtc::History* history = stream.is_set() ? fan_out.history(stream, 0) : nullptr;
  return history ? history->spatial_layers(now) : 1;
}

void LayerRates::measure(Timestamp now, const webrtc::FanOut& fan_out, webrtc::StreamId stream,
                         const payload::RtpTrack& track) {
  if (stream == stream_ && now - measured_at_ < kMeasuredMin) return;
  const double elapsed = (now - std::exchange(measured_at_, now)).as_seconds();
  const bool is_known = std::exchange(stream_, stream) == stream && elapsed > 0;
  const std::size_t flowing = stream.is_set() ? flowing_layers(now, fan_out, stream, track) : 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::size_t index = track.may_be_scalable() ? 0 : i;
    const webrtc::History* history =
        i < flowing ? fan_out.history(stream, static_cast<payload::LayerIndex>(index)) : nullptr;
    Layer& layer = layers_[i];
    const std::uint64_t bytes = history ? bytes_of(*history, track, i) : 0;
    const std::uint64_t more = bytes - std::min(bytes, std::exchange(layer.bytes, bytes));
    const Counts counts = history ? history->layer_frames() : Counts{};
    const Counts before = std::exchange(layer.counts, counts);
    if (is_known && more > 0) {
      const auto newest = static_cast<double>(more) * 8 / elapsed;
      const double rate =
          layer.bits_per_second == 0
              ? newest
              : static_cast<double>(layer.bits_per_second) * kKeptOfBefore + newest * (1 - kKeptOfBefore);
      layer.bits_per_second = static_cast<std::uint64_t>(rate);
      layer.flowed_at = now;
      layer.seconds = layer.seconds * kKeptOfBefore + elapsed;
      for (std::size_t level = 0; level < counts.size(); ++level)
        layer.frames[level] = layer.frames[level] * kKeptOfBefore +
                              static_cast<double>(counts[level] - std::min(counts[level], before[level]));
    } else if (now - layer.flowed_at > kKept) {
      layer.bits_per_second = 0;
    }
  }
}

std::uint32_t LayerRates::frames_per_second(std::size_t layer, std::uint8_t frames) const {
  const Layer& one = layers_[layer];
  double all = 0, up_to = 0;
  for (double level : one.frames) all += level;
  if (one.seconds <= 0 || all <= 0) return 0;
  for (std::size_t level = 0; level + 1 < one.frames.size(); ++level) {
    up_to += one.frames[level];
    if (is_about(up_to / all, frames)) return static_cast<std::uint32_t>(std::lround(up_to / one.seconds));
  }
  return 0;
}

void add_steps(const LayerRates& rates, std::size_t layer, const bwe::Step& all, bool may_have_fewer,
               std::vector<bwe::Step>& steps) {
  for (std::uint8_t frames : {std::uint8_t{1}, std::uint8_t{2}, bwe::kAllFrames}) {
    if (frames != bwe::kAllFrames && (!may_have_fewer || rates.frames_per_second(layer, frames) == 0))
      continue;
    bwe::Step& step = steps.emplace_back(all);
    step.frames = frames;
    step.bits_per_second = bits_of(all.bits_per_second, frames);
  }
}

}  // namespace stoa::shard
