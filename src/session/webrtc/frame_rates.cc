#include "session/webrtc/frame_rates.h"

#include <algorithm>

namespace stoa::webrtc {

bool FrameRates::measure(Timestamp now, const Frames& frames) {
  const Count oldest = counts_[count_ < kSpans ? 0 : count_ % kSpans];
  const bool is_silent = count_ > 0 && counts_[(count_ - 1) % kSpans].frames == frames;
  if (is_silent) count_ = 0;
  const bool has_count = count_ > 0;
  if (!is_silent) counts_[count_++ % kSpans] = {now, frames};
  if (!has_count || now <= oldest.at) return false;
  Frames since{};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) total += since[i] = frames[i] - oldest.frames[i];
  if (total < kFramesMin) return false;
  const double seconds = (now - oldest.at).as_seconds();
  const TemporalLevel before = highest_;
  double rate = 0;
  highest_ = 0;
  for (std::size_t i = 0; i < since.size(); ++i) {
    rate += static_cast<double>(since[i]) / seconds;
    rates_[i] = rate;
    if (since[i] > 0) highest_ = static_cast<TemporalLevel>(i);
  }
  return highest_ > 0 || before > 0;
}

TemporalLevel FrameRates::level_for(std::uint32_t wanted, TemporalLevel current) const {
  if (wanted == 0) return kFullRate;
  for (TemporalLevel level = 0; level < highest_; ++level) {
    const double enough = wanted * (level == current ? kStillEnough : kEnough);
    if (rates_[level] >= enough) return level;
  }
  return kFullRate;
}

}  // namespace stoa::webrtc
