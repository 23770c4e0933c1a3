#include "shard/viewer_budget.h"

#include <algorithm>
#include <utility>

namespace stoa::shard {
namespace {

// What was told is enough for it, and hardly more: bitrates wander all the time. More than was told has to be
// told however little it is, since nothing is found that is not looked for.
bool covers(std::uint64_t told, std::uint64_t now) {
  return now <= told && (told - now) * 100 <= told * ViewerBudget::kDemandPercent;
}
bool covers(const bwe::Demand& told, const bwe::Demand& now) {
  return covers(told.sends_bits_per_second, now.sends_bits_per_second) &&
         covers(told.next_bits_per_second, now.next_bits_per_second) &&
         covers(told.all_bits_per_second, now.all_bits_per_second);
}

}  // namespace

std::vector<bwe::Step> steps_of(Timestamp now, const webrtc::FanOut& fan_out, webrtc::StreamId stream,
                                const payload::RtpTrack& track, const LayerRates& rates) {
  std::vector<bwe::Step> steps;
  const std::size_t flowing =
      std::min<std::size_t>(flowing_layers(now, fan_out, stream, track), payload::kLayersMax);
  for (std::size_t i = 0; i < flowing; ++i) {
    // What is not known to flow would seem to cost nothing.
    const std::uint64_t bits = rates.bits_per_second(i);
    if (bits == 0) continue;
    add_steps(rates, i, {.layer = static_cast<std::uint8_t>(i), .bits_per_second = bits}, steps.empty(),
              steps);
  }
  return steps;
}

void ViewerBudget::handle_target(Timestamp now, const bwe::Target& target) {
  if (!began_at_) {
    began_at_ = now;
    has_news_ = true;
  }
  target_ = target;
  allocator_.set_silent(now, target.is_silent);
  bound(now);
}

void ViewerBudget::set_claims(Timestamp now, std::vector<bwe::Claim> pictures, const bwe::Sound& sound) {
  std::erase_if(pictures, [](const bwe::Claim& claim) { return claim.steps.empty(); });
  has_claims_ = !pictures.empty();
  sound_ = sound;
  allocator_.set_claims(now, std::move(pictures), sound);
  bound(now);
}

void ViewerBudget::bound(Timestamp now) {
  if (!began_at_) return;
  const bool is_limited = target_.is_told || (may_tell_ && now - *began_at_ < kToldWithin);
  has_news_ |= std::exchange(is_limited_, is_limited) != is_limited;
  allocator_.set_budget(now, is_limited_ ? std::optional(target_.bits_per_second) : std::nullopt);
  has_news_ |= allocator_.take_news();
}

ViewerBudget::Share ViewerBudget::share_of(std::size_t outlet) const {
  if (!is_limited_) return {};
  const auto claims = allocator_.claims();
  const auto claim = std::ranges::find(claims, outlet, &bwe::Claim::track);
  if (claim == claims.end() || !began_at_) return {.layer_max = 0};
  const bwe::Rung rung = allocator_.given()[static_cast<std::size_t>(claim - claims.begin())];
  if (rung == 0 && may_pause()) return {.layer_max = claim->steps.front().layer, .is_paused = true};
  const bwe::Step& step = claim->steps[std::max<bwe::Rung>(rung, 1) - 1];
  return {.layer_max = step.layer, .frames = step.frames};
}

std::optional<bwe::Demand> ViewerBudget::take_demand() {
  if (!began_at_ || !has_claims_) return std::nullopt;
  const bwe::Demand demand = allocator_.demand();
  if (told_ && covers(*told_, demand)) return std::nullopt;
  told_ = demand;
  return demand;
}

bool ViewerBudget::is_bounded() const {
  const auto given = allocator_.given();
  for (std::size_t i = 0; i < given.size(); ++i)
    if (given[i] < allocator_.claims()[i].steps.size()) return true;
  return false;
}

bool ViewerBudget::is_paused() const {
  return may_pause() && std::ranges::any_of(allocator_.given(), [](bwe::Rung rung) { return rung == 0; });
}

}  // namespace stoa::shard
