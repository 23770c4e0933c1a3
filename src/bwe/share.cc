#include "bwe/share.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stoa::bwe {
namespace {

constexpr std::uint64_t kSmallestPixels = std::uint64_t{320} * 180;  // Where nothing is known.
constexpr int kLayersKnown = 8;

double pixels_of(const Step& step) {
  return static_cast<double>(
      step.pixels != 0 ? step.pixels : kSmallestPixels << (2 * std::min<int>(step.layer, kLayersKnown)));
}

double pixels_of(const Claim& claim) {
  if (claim.pixels != 0 || claim.steps.empty()) return static_cast<double>(claim.pixels);
  return pixels_of(claim.steps.back());
}

double weight_of(const Claim& claim) { return claim.is_speaking ? kSpeakerWeight : 1; }

double worth_of(const Claim& claim, Rung rung) {
  if (rung == 0) return 0;
  const Step& step = claim.steps[rung - 1];
  return std::max(claim.priority, 1u) * weight_of(claim) * std::sqrt(pixels_of(step) * pixels_of(claim)) *
         std::cbrt(static_cast<double>(step.frames) / kAllFrames);
}

// A rise of one claim by one rung, and what it brings for a bit. A rung that brings little makes way for one
// above it that brings much: both count as what they bring together, or the second would never be reached.
struct Rise {
  std::size_t claim = 0, rank = 0;
  Rung to = 0;
  double worth_per_bit = 0;
};

void add_rises(const Claim& claim, std::size_t index, std::size_t rank, Rung most, std::vector<Rise>& out) {
  for (Rung from = 1; from < most;) {
    Rung best = from + 1;
    double best_worth = -1;
    for (Rung to = from + 1; to <= most; ++to) {
      const auto bits = static_cast<double>(cost_of(claim, to) - cost_of(claim, from));
      const double worth = (worth_of(claim, to) - worth_of(claim, from)) / std::max(bits, 1.0);
      if (worth <= best_worth) continue;
      best = to;
      best_worth = worth;
    }
    while (from < best) out.push_back({index, rank, ++from, best_worth});
  }
}

}  // namespace

std::vector<std::size_t> rank_of(std::span<const Claim> claims) {
  std::vector<std::size_t> order(claims.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    if (claims[a].priority != claims[b].priority) return claims[a].priority > claims[b].priority;
    const double size_a = weight_of(claims[a]) * pixels_of(claims[a]);
    const double size_b = weight_of(claims[b]) * pixels_of(claims[b]);
    return size_a != size_b ? size_a > size_b : claims[a].track < claims[b].track;
  });
  return order;
}

std::uint64_t cost_of(const Claim& claim, Rung rung) {
  std::uint64_t most = 0;
  for (Rung i = 0; i < rung; ++i) most = std::max(most, claim.steps[i].bits_per_second);
  return most;
}

std::uint64_t cost_of(std::span<const Claim> claims, std::span<const Rung> rungs) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < claims.size(); ++i) sum += cost_of(claims[i], rungs[i]);
  return sum;
}

std::vector<Rung> share(std::uint64_t bits_per_second, std::span<const Claim> claims,
                        std::span<const Rung> most) {
  std::uint64_t left = bits_per_second;
  std::vector<Rung> rungs(claims.size(), 0);
  auto raise = [&](std::size_t index, Rung to) {
    const std::uint64_t more = cost_of(claims[index], to) - cost_of(claims[index], rungs[index]);
    if (more > left) return;
    left -= more;
    rungs[index] = to;
  };
  std::vector<Rise> rises;
  const std::vector<std::size_t> order = rank_of(claims);
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const std::size_t index = order[rank];
    const Rung top =
        most.empty() ? claims[index].steps.size() : std::min(claims[index].steps.size(), most[index]);
    if (top == 0) continue;
    raise(index, 1);
    if (rungs[index] != 0) add_rises(claims[index], index, rank, top, rises);
  }
  std::ranges::sort(rises, [](const Rise& a, const Rise& b) {
    if (a.worth_per_bit != b.worth_per_bit) return a.worth_per_bit > b.worth_per_bit;
    return a.rank != b.rank ? a.rank < b.rank : a.to < b.to;
  });
  for (const Rise& rise : rises)
    if (rungs[rise.claim] + 1 == rise.to) raise(rise.claim, rise.to);
  return rungs;
}

bool is_better(std::span<const Claim> claims, std::span<const Rung> a, std::span<const Rung> b) {
  double more = 0, all = 0;
  for (std::size_t index : rank_of(claims)) {
    if ((a[index] == 0) != (b[index] == 0)) return a[index] != 0;
    const double worth_a = worth_of(claims[index], a[index]), worth_b = worth_of(claims[index], b[index]);
    more += worth_a - worth_b;
    all += worth_a + worth_b;
  }
  return more > all * 1e-9;  // What rounding makes is no difference.
}

}  // namespace stoa::bwe
