#include "room/report.h"

#include <algorithm>
#include <cmath>

namespace stoa::room {

std::optional<Rates> Readings::rates(const Reading& now) const {
  const std::optional<Reading>& since = before_ ? before_ : last_;
  if (!since || now.at - since->at < kIntervalMin) return std::nullopt;
  if (now.bytes < since->bytes || now.frames < since->frames || now.expected < since->expected)
    return std::nullopt;
  Rates rates{.interval = now.at - since->at};
  const double seconds = rates.interval.as_seconds();
  const double bits = static_cast<double>(now.bytes - since->bytes) * 8;
  rates.bits_per_second = static_cast<std::uint64_t>(std::llround(bits / seconds));
  rates.frames_per_second = static_cast<double>(now.frames - since->frames) / seconds;
  if (now.expected > since->expected) {
    const auto lost = static_cast<double>(now.lost - since->lost);
    rates.loss = std::clamp(lost / static_cast<double>(now.expected - since->expected), 0.0, 1.0);
  }
  return rates;
}

}  // namespace stoa::room
