#include "room/quality.h"

#include <algorithm>
#include <cmath>

namespace stoa::room {
namespace {

constexpr double kMosMin = 1, kMosMax = 4.5;
constexpr double kRating = 94.2;
constexpr double kExcellentFrom = 4.1, kGoodFrom = 3.1;

double mos_of_rating(double r) {
  if (r <= 0) return kMosMin;
  if (r >= 100) return kMosMax;
  return std::clamp(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, kMosMin, kMosMax);
}

double loss_impairment(const StreamQuality& stream) {
  double loss = std::isfinite(stream.loss) ? std::clamp(stream.loss, 0.0, 1.0) : 1;
  if (stream.has_redundancy) loss *= loss;
  return 30 * std::log(1 + 15 * loss);
}

double delay_impairment(const StreamQuality& stream) {
  double delay_ms = (stream.round_trip.as_seconds() / 2 + 2 * stream.jitter.as_seconds()) * 1000 + 20;
  delay_ms = std::max(delay_ms, 0.0);
  return 0.024 * delay_ms + (delay_ms > 177.3 ? 0.11 * (delay_ms - 177.3) : 0);
}

}  // namespace

double mos_of(const StreamQuality& stream) {
  if (stream.is_silent) return kMosMin;
  if (!stream.is_video) return mos_of_rating(kRating - delay_impairment(stream) - loss_impairment(stream));
  double mos = kMosMax - (mos_of_rating(kRating) - mos_of_rating(kRating - loss_impairment(stream)));
  if (stream.delivered_height < stream.wanted_height)
    mos -= 1.5 * (stream.wanted_height - stream.delivered_height) / stream.wanted_height;
  return std::clamp(mos, kMosMin, kMosMax);
}

ScoreParts parts_of(const StreamQuality& stream) {
  return {.mos = mos_of(stream),
          .delay_impairment = stream.is_video ? 0 : delay_impairment(stream),
          .loss_impairment = loss_impairment(stream)};
}

ConnectionScore score_of(std::span<const StreamQuality> streams) {
  ConnectionScore score;
  if (streams.empty()) return score;
  bool is_lost = true;
  for (const StreamQuality& stream : streams) {
    score.mos = std::min(score.mos, mos_of(stream));
    is_lost = is_lost && stream.is_silent;
  }
  score.quality = is_lost                       ? ConnectionQuality::kLost
                  : score.mos >= kExcellentFrom ? ConnectionQuality::kExcellent
                  : score.mos >= kGoodFrom      ? ConnectionQuality::kGood
                                                : ConnectionQuality::kPoor;
  return score;
}

}  // namespace stoa::room
