#include "control/load_rule.h"

#include <algorithm>
#include <utility>

namespace stoa::control {
namespace {

using media::Rung;

std::uint64_t pixels(const Rung& rung) { return std::uint64_t{rung.width} * rung.height; }

std::vector<Rung> pictures_at_work(const LadderPlan& plan) {
  std::vector<Rung> rungs = plan.rungs_at_work();
  std::erase_if(rungs, [](const Rung& rung) { return rung.kind() != media::Kind::kVideo; });
  return rungs;
}

// The longest wait of a picture; sound is never in the way.
Duration longest_wait(const std::vector<Rung>& rungs, const WorkerNumbers& numbers) {
  Duration longest;
  for (const RungNumbers& told : numbers.rungs)
    if (std::ranges::find(rungs, told.rung, &Rung::name) != rungs.end())
      longest = std::max(longest, told.oldest_wait);
  return longest;
}

}  // namespace

std::optional<double> LoadRule::load_of(const WorkerNumbers& before, const WorkerNumbers& now,
                                        Duration between, int threads) {
  if (between <= Duration() || now.cpu_time < before.cpu_time) return std::nullopt;
  double load = (now.cpu_time - before.cpu_time).as_seconds() / between.as_seconds() / std::max(threads, 1);
  bool has_made = false;
  for (const RungNumbers& rung : now.rungs) {
    if (rung.speed <= 0) continue;
    has_made = true;
    load = std::max(load, 1 / rung.speed);
  }
  return has_made ? std::optional(load) : std::nullopt;
}

std::optional<LoadRule::Change> LoadRule::handle_report(Timestamp now, const LadderPlan& plan,
                                                        const WorkerNumbers& numbers, int threads,
                                                        const Options& options) {
  const bool has_dropped = last_ && numbers.frames_dropped > last_->frames_dropped;
  const auto load = last_ ? load_of(*last_, numbers, now - last_at_, threads) : std::nullopt;
  last_ = numbers;
  last_at_ = now;
  if (!new_since_) new_since_ = now;
  if (now - *new_since_ < options.settle) return std::nullopt;
  if (has_dropped || longest_wait(pictures_at_work(plan), numbers) > options.wait_max) {
    calm_since_.reset();
    enough_since_.reset();
    return ++strikes_ < options.strikes_max ? std::nullopt : reduce(now, plan, options);
  }
  strikes_ = 0;
  if (!enough_since_) enough_since_ = now;
  if (now - *enough_since_ >= options.calm) is_exhausted_ = false;
  if (!load || *load >= options.load_low) {
    calm_since_.reset();
    return std::nullopt;
  }
  if (!calm_since_) calm_since_ = now;
  if (now - *calm_since_ < std::max(calm_, options.calm)) return std::nullopt;
  return resting_.empty() ? std::nullopt : restore(now);
}

std::optional<LoadRule::Change> LoadRule::reduce(Timestamp now, const LadderPlan& plan,
                                                 const Options& options) {
  strikes_ = 0;
  const std::vector<Rung> rungs = pictures_at_work(plan);
  if (rungs.empty()) return std::nullopt;
  if (rungs.size() == 1) {
    if (std::exchange(is_exhausted_, true)) return std::nullopt;
    return Change{rungs.front().id, ChangeKind::kExhausted};
  }
  is_exhausted_ = false;  // The source has changed since it was.
  const media::RungId lowest = std::ranges::min_element(rungs, {}, pixels)->id;
  calm_ = std::max(calm_, options.calm);
  // What came back was too much, and not by chance.
  const bool is_again = restored_at_ && now - *restored_at_ < calm_;
  calm_ = is_again ? std::min(calm_ * 2, options.calm_longest) : options.calm;
  std::erase(resting_, lowest);  // The source has changed since.
  resting_.push_back(lowest);
  new_since_ = now;
  return Change{lowest, ChangeKind::kReduced};
}

std::optional<LoadRule::Change> LoadRule::restore(Timestamp now) {
  const media::RungId rung = resting_.back();
  resting_.pop_back();
  calm_since_.reset();
  restored_at_ = new_since_ = now;
  return Change{rung, ChangeKind::kRestored};
}

void LoadRule::handle_worker_started() {
  last_.reset();
  new_since_.reset();
  calm_since_.reset();
  strikes_ = 0;
}

void LoadRule::apply(LadderPlan& plan) const {
  std::size_t at_work = pictures_at_work(plan).size();
  for (media::RungId id : resting_) {
    if (plan.is_resting(id)) continue;
    if (at_work < 2) return;
    plan.resting.push_back(id);
    --at_work;
  }
}

}  // namespace stoa::control
