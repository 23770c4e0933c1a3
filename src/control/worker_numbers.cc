#include "control/worker_numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stoa::control {

const RungNumbers* find_rung(const WorkerNumbers& numbers, std::string_view rung) {
  auto found = std::ranges::find(numbers.rungs, rung, &RungNumbers::rung);
  return found == numbers.rungs.end() ? nullptr : &*found;
}

void set_bitrates(WorkerNumbers& now, const WorkerNumbers& before, Duration between) {
  for (RungNumbers& rung : now.rungs) {
    const RungNumbers* known = find_rung(before, rung.rung);
    if (!known || between <= Duration() || rung.bytes <= known->bytes) continue;
    const double bits = static_cast<double>(rung.bytes - known->bytes) * 8 / between.as_seconds();
    constexpr double kMost = std::numeric_limits<std::uint32_t>::max();
    rung.bitrate = static_cast<std::uint32_t>(std::lround(std::min(bits, kMost)));
  }
}

}  // namespace stoa::control
