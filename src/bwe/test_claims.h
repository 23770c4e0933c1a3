// What receivers want, for tests of who gets what.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "bwe/share.h"

namespace stoa::bwe {

// Simulcast as browsers send it: 150, 500, 1,700 kbit/s.
inline Claim camera(std::uint64_t track, std::uint32_t priority = 1, std::size_t layers = 3) {
  Claim claim{.track = track,
              .priority = priority,
              .steps = {{0, kAllFrames, 150'000, 320 * 180},
                        {1, kAllFrames, 500'000, 640 * 360},
                        {2, kAllFrames, 1'700'000, 1280 * 720}}};
  claim.steps.resize(layers);
  return claim;
}

inline Claim screen(std::uint64_t track) {
  return {.track = track,
          .priority = 255,
          .steps = {{0, kAllFrames, 200'000, 640 * 360},
                    {1, 1, 600'000, 1920 * 1080},
                    {1, 2, 900'000, 1920 * 1080},
                    {1, kAllFrames, 1'500'000, 1920 * 1080}}};
}

// `is_concave`: each step brings less for a bit than the one before, as of encoders that know their trade.
inline std::vector<Claim> any_claims(Rng& rng, bool is_concave) {
  std::vector<Claim> claims;
  for (std::uint64_t i = rng.below(8); i-- > 0;) {
    Claim claim = camera(i + 1, 1 + static_cast<std::uint32_t>(rng.below(3)), rng.below(4));
    claim.is_speaking = rng.chance(0.2);
    if (rng.chance(0.5)) claim.pixels = std::uint64_t{1280} * 720 >> (2 * rng.below(3));
    std::uint64_t rate = 0, more = 0;
    for (Step& step : claim.steps) {
      // The gain doubles from step to step: so must what it takes, and more.
      more =
          is_concave ? std::max(2 * more, std::uint64_t{20'000}) + rng.below(100'000) : rng.below(1'000'000);
      step.bits_per_second = rate += more;
    }
    claims.push_back(std::move(claim));
  }
  return claims;
}

}  // namespace stoa::bwe
