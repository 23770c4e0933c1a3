#include "bwe/allocator.h"

#include <algorithm>
#include <utility>

namespace stoa::bwe {
namespace {

constexpr int kFailuresMax = 4;  // 5 s doubled so often is over kDownRestMax.

std::uint64_t with_margin(std::uint64_t bits) { return (bits * (100 + kUpMarginPercent) + 99) / 100; }
std::uint64_t without_margin(std::uint64_t bits) { return bits * 100 / (100 + kUpMarginPercent); }

bool is_within(const Step& step, const Step& limit) {
  return step.layer < limit.layer || (step.layer == limit.layer && step.frames <= limit.frames);
}

std::vector<Rung> all_of(std::span<const Claim> claims) {
  std::vector<Rung> rungs;
  rungs.reserve(claims.size());
  for (const Claim& claim : claims) rungs.push_back(claim.steps.size());
  return rungs;
}

bool is_nothing(std::span<const Rung> rungs) {
  return std::ranges::all_of(rungs, [](Rung rung) { return rung == 0; });
}

}  // namespace

std::uint64_t Allocator::reserved_for_sound() const {
  return std::max(sound_.bits_per_second, kSoundFloor * std::min(sound_.tracks, kSoundsReserved));
}

std::uint64_t Allocator::picture_budget() const {
  return *budget_ - std::min(*budget_, reserved_for_sound());
}

std::uint64_t Allocator::next_needs() const {
  // A path that is sent sound alone may never show more than the picture takes.
  return is_swap() || is_audio_only_ ? next_ : with_margin(next_);
}

bool Allocator::are_alike(std::span<const Claim> claims) const {
  return std::ranges::equal(claims, claims_, [](const Claim& a, const Claim& b) {
    return a.track == b.track && a.priority == b.priority && a.pixels == b.pixels &&
           std::ranges::equal(a.steps, b.steps, [](const Step& one, const Step& other) {
             return one.layer == other.layer && one.frames == other.frames;
           });
  });
}

std::vector<Rung> Allocator::carry_over(std::span<const Claim> claims) const {
  std::vector<Rung> rungs(claims.size(), 0);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    auto before = std::ranges::find(claims_, claims[i].track, &Claim::track);
    if (before == claims_.end()) continue;
    const Rung had = given_[static_cast<std::size_t>(before - claims_.begin())];
    if (had == 0) continue;
    const Step& step = before->steps[had - 1];
    while (rungs[i] < claims[i].steps.size() && is_within(claims[i].steps[rungs[i]], step)) ++rungs[i];
  }
  return rungs;
}

void Allocator::set_claims(Timestamp now, std::vector<Claim> claims, const Sound& sound) {
  const bool has_new_wishes = !are_alike(claims);
  if (has_new_wishes) {
    given_ = carry_over(claims);
    has_news_ = true;
  }
  claims_ = std::move(claims);
  sound_ = sound;
  is_next_known_ = false;
  decide(now, has_new_wishes);
}

void Allocator::set_budget(Timestamp now, std::optional<std::uint64_t> bits_per_second) {
  const bool had_budget = std::exchange(budget_, bits_per_second).has_value();
  if (had_budget != budget_.has_value()) {
    is_next_known_ = false;
    decide(now, true);
    // What was given without a limit says nothing of the path.
    fell_at_.reset();
    return;
  }
  if (!budget_) return;
  // Most of the time nothing follows from it.
  if (!starved_since_ && !fits_since_) {
    const std::uint64_t pictures = picture_budget();
    if (pictures >= cost_ && (next_ == 0 || pictures < next_needs())) return;
  }
  decide(now, false);
}

void Allocator::set_silent(Timestamp now, bool is_silent) {
  if (std::exchange(is_silent_, is_silent) == is_silent) return;
  if (rose_at_ && now - *rose_at_ >= kUpStands) forget_failures();
  rose_at_.reset();
}

void Allocator::handle_deadline(Timestamp now) {
  if (now >= next_deadline()) decide(now, false);
}

Timestamp Allocator::next_deadline() const {
  Timestamp at = Timestamp::never();
  if (fits_since_) at = is_sure() ? *fits_since_ + kUpHold : std::max(*fits_since_ + kUpHold, rests_until());
  if (starved_since_ && !is_audio_only_) at = std::min(at, *starved_since_ + kAudioOnlyAfter);
  return at;
}

void Allocator::decide(Timestamp now, bool has_new_wishes) {
  std::uint64_t had = cost_;  // With what those had who are gone.
  if (!budget_) {
    fits_since_.reset();
    rose_at_.reset();
    fell_at_.reset();
    forget_failures();
    return give(now, all_of(claims_));
  }
  const std::uint64_t budget = picture_budget();
  note_path(now);
  cost_ = cost_of(claims_, given_);
  had = has_new_wishes ? std::max(had, cost_) : cost_;
  if (cost_ > budget) {
    fits_since_.reset();
    // New wishes may have their part of it, what stays as it was takes none.
    auto rungs = has_new_wishes ? share(budget, claims_) : share(budget, claims_, given_);
    keep_something(now, rungs);
    if (rungs != given_) note_fall(now);
    return give(now, std::move(rungs));
  }
  const bool may_rise = now >= rests_until();
  if (!has_new_wishes) {
    find_next();
    if (next_ == 0 || budget < next_needs()) {
      fits_since_.reset();
      return give(now, given_);
    }
    if (!fits_since_) fits_since_ = now;
    if (now < *fits_since_ + kUpHold || (!is_sure() && !may_rise)) return give(now, given_);
  }
  fits_since_.reset();
  std::uint64_t spare = std::max(cost_, without_margin(budget));
  if (is_audio_only_ && !has_new_wishes) spare = std::max(spare, next_);
  const std::uint64_t rested = std::max(had, has_new_wishes ? 0 : sure_budget());
  auto rungs = share(std::min(budget, may_rise ? std::max(had, spare) : rested), claims_);
  if (!may_rise && has_new_wishes) {
    // Who comes while it rests gets something nevertheless.
    std::vector<Rung> most = given_;
    for (Rung& rung : most) rung = std::max<Rung>(rung, 1);
    auto others = share(spare, claims_, most);
    if (is_better(claims_, others, rungs)) rungs = std::move(others);
  }
  if (!is_better(claims_, rungs, given_)) return give(now, given_);
  // What was asked for is no venture of ours.
  if (!has_new_wishes && cost_of(claims_, rungs) > had) {
    rose_at_ = now;
    ++counters_.rises;
  }
  give(now, std::move(rungs));
}

void Allocator::give(Timestamp now, std::vector<Rung> rungs) {
  if (rungs != given_) {
    is_next_known_ = false;
    has_news_ = true;
  }
  given_ = std::move(rungs);
  cost_ = cost_of(claims_, given_);
  const bool wants_any =
      std::ranges::any_of(claims_, [](const Claim& claim) { return !claim.steps.empty(); });
  const bool is_starved = wants_any && budget_ && (is_nothing(given_) || cost_ > picture_budget());
  if (!is_starved) {
    starved_since_.reset();
  } else if (!starved_since_) {
    starved_since_ = now;
  }
  is_audio_only_ = is_starved && is_nothing(given_) && now - *starved_since_ >= kAudioOnlyAfter;
  find_next();
}

// Not at once: a picture that is paused begins again with a keyframe, which would be the next thing to wait
// for on such a path.
void Allocator::keep_something(Timestamp now, std::vector<Rung>& rungs) {
  if (!is_nothing(rungs) || is_nothing(given_)) return;
  if (starved_since_ && now - *starved_since_ >= kAudioOnlyAfter) return;
  for (std::size_t index : rank_of(claims_)) {
    if (given_[index] == 0) continue;
    rungs[index] = 1;
    return;
  }
}

void Allocator::note_fall(Timestamp now) {
  ++counters_.falls;
  if (is_silent_) return;
  fell_at_ = now;
  if (!rose_at_) return;
  if (now - *std::exchange(rose_at_, std::nullopt) >= kUpStands) return forget_failures();
  failures_ = std::min(failures_ + 1, kFailuresMax);
  failed_cost_ = std::max(failed_cost_, cost_);
  ++counters_.failed_rises;
}

void Allocator::forget_failures() {
  failures_ = 0;
  failed_cost_ = 0;
}

void Allocator::note_path(Timestamp now) {
  if (picture_budget() * 100 < failed_cost_ * kOtherPathPercent) {
    other_path_since_.reset();
  } else if (!other_path_since_) {
    other_path_since_ = now;
  }
}

Timestamp Allocator::rests_until() const {
  if (!fell_at_) return Timestamp();
  const Timestamp at = *fell_at_ + std::min(kDownRest * (1 << failures_), kDownRestMax);
  return other_path_since_ ? std::min(at, std::max(*fell_at_ + kDownRest, *other_path_since_ + kUpHold)) : at;
}

std::uint64_t Allocator::sure_budget() const { return picture_budget() * kSurePercent / 100; }

void Allocator::find_next() {
  if (std::exchange(is_next_known_, true)) return;
  next_ = 0;
  if (!budget_) return;
  std::vector<std::uint64_t> sums;
  for (std::size_t i = 0; i < claims_.size(); ++i)
    if (given_[i] < claims_[i].steps.size())
      sums.push_back(cost_ + cost_of(claims_[i], given_[i] + 1) - cost_of(claims_[i], given_[i]));
  if (sums.empty()) return;
  sums.push_back(cost_);
  sums.push_back(cost_of(claims_, all_of(claims_)));
  std::ranges::sort(sums);
  sums.erase(std::unique(sums.begin(), sums.end()), sums.end());
  auto found = std::partition_point(sums.begin(), sums.end(), [&](std::uint64_t sum) {
    return !is_better(claims_, share(sum, claims_), given_);
  });
  if (found != sums.end()) next_ = *found;
}

EgressWish Allocator::wish() const {
  EgressWish wish{reserved_for_sound(), reserved_for_sound()};
  for (const Claim& claim : claims_) {
    wish.least_bits_per_second += cost_of(claim, std::min<Rung>(1, claim.steps.size()));
    wish.all_bits_per_second += cost_of(claim, claim.steps.size());
  }
  return wish;
}

Demand Allocator::demand() const {
  const std::uint64_t sound = reserved_for_sound();
  Demand demand{.sends_bits_per_second = sound_.bits_per_second + cost_};
  demand.all_bits_per_second = sound + cost_of(claims_, all_of(claims_));
  if (next_ == 0) return demand;
  demand.next_bits_per_second = sound + with_margin(next_);
  demand.all_bits_per_second = sound + with_margin(demand.all_bits_per_second - sound);
  return demand;
}

}  // namespace stoa::bwe
