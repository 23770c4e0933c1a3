#include "room/budget.h"

#include <algorithm>
#include <numeric>

namespace stoa::room {
namespace {

constexpr std::size_t kNothing = 0;  // A rung: 0 is off, n is the step n - 1.

std::size_t rung_of(const BudgetClaim& claim, Quality quality) {
  if (quality == Quality::kOff || claim.steps.empty()) return kNothing;
  std::size_t rung = 1;
  for (std::size_t i = 0; i < claim.steps.size(); ++i)
    if (claim.steps[i].quality <= quality) rung = i + 1;
  return rung;
}

// What the rung takes, with the margin where it is more than what is sent.
std::uint64_t cost_of(const BudgetClaim& claim, std::size_t rung) {
  if (rung == kNothing) return 0;
  const std::uint64_t cost = claim.steps[rung - 1].bits_per_second;
  if (rung <= rung_of(claim, claim.given)) return cost;
  return static_cast<std::uint64_t>(static_cast<double>(cost) * kBudgetMargin);
}

class Sharing {
 public:
  Sharing(std::uint64_t budget, std::span<const BudgetClaim> claims)
      : left_(budget), claims_(claims), rungs_(claims.size(), kNothing) {}

  // False: it has all that it wants, or more does not fit.
  bool raise(std::size_t index) {
    const BudgetClaim& claim = claims_[index];
    std::size_t& rung = rungs_[index];
    if (rung >= rung_of(claim, claim.wanted)) return false;
    const std::uint64_t has = cost_of(claim, rung), needs = cost_of(claim, rung + 1);
    const std::uint64_t more = needs > has ? needs - has : 0;
    if (more > left_) return false;
    left_ -= more;
    ++rung;
    return true;
  }
  Quality quality(std::size_t index) const {
    const BudgetClaim& claim = claims_[index];
    if (claim.steps.empty()) return claim.wanted;
    return rungs_[index] == kNothing ? Quality::kOff : claim.steps[rungs_[index] - 1].quality;
  }

 private:
  std::uint64_t left_;
  std::span<const BudgetClaim> claims_;
  std::vector<std::size_t> rungs_;
};

}  // namespace

std::uint32_t priority_of(const TrackWish& wish, TrackSource source) {
  if (wish.priority != 0) return std::min(wish.priority, kPriorityMax);
  return source == TrackSource::kScreenShare ? kPriorityMax : 1;
}

std::vector<Quality> share_budget(std::uint64_t bits_per_second, std::span<const BudgetClaim> claims) {
  std::vector<std::size_t> order(claims.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return claims[a].priority > claims[b].priority; });
  Sharing sharing(bits_per_second, claims);
  for (std::size_t index : order) sharing.raise(index);
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = std::find_if(begin, order.end(), [&](std::size_t index) {
      return claims[index].priority != claims[*begin].priority;
    });
    for (bool has_risen = true; has_risen;) {
      has_risen = false;
      for (auto index = begin; index != end; ++index) has_risen |= sharing.raise(*index);
    }
    begin = end;
  }
  std::vector<Quality> given;
  given.reserve(claims.size());
  for (std::size_t i = 0; i < claims.size(); ++i) given.push_back(sharing.quality(i));
  return given;
}

}  // namespace stoa::room
