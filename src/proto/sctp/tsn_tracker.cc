#include "proto/sctp/tsn_tracker.h"

#include <algorithm>

#include "base/assert.h"
#include "proto/sctp/limits.h"

namespace stoa::sctp {

std::vector<TsnTracker::Run>::const_iterator TsnTracker::find_run(Tsn tsn) const {
  return std::lower_bound(runs_.begin(), runs_.end(), tsn,
                          [](const Run& run, Tsn t) { return run.last < t; });
}

TsnTracker::Verdict TsnTracker::judge(Tsn tsn) const {
  if (tsn <= cumulative_) return Verdict::kDuplicate;
  if (tsn - cumulative_ > kTsnWindow) return Verdict::kTooFar;
  auto run = find_run(tsn);
  if (run != runs_.end() && run->first <= tsn) return Verdict::kDuplicate;
  if (tsn == cumulative_ + 1 || runs_.size() < kGapRangesMax) return Verdict::kNew;
  bool touches_next = run != runs_.end() && run->first == tsn + 1;
  bool touches_previous = run != runs_.begin() && std::prev(run)->last + 1 == tsn;
  return touches_next || touches_previous ? Verdict::kNew : Verdict::kTooFar;
}

void TsnTracker::add(Tsn tsn) {
  STOA_DCHECK(judge(tsn) == Verdict::kNew);
  if (tsn == cumulative_ + 1) {
    cumulative_ = tsn;
    return absorb();
  }
  auto run = runs_.begin() + (find_run(tsn) - runs_.cbegin());
  bool touches_next = run != runs_.end() && run->first == tsn + 1;
  bool touches_previous = run != runs_.begin() && std::prev(run)->last + 1 == tsn;
  if (touches_next && touches_previous) {
    run->first = std::prev(run)->first;
    runs_.erase(std::prev(run));
  } else if (touches_next) {
    run->first = tsn;
  } else if (touches_previous) {
    std::prev(run)->last = tsn;
  } else {
    runs_.insert(run, Run{tsn, tsn});
  }
}

void TsnTracker::add_duplicate(Tsn tsn) {
  if (duplicates_.size() < kDuplicatesReportedMax) duplicates_.push_back(static_cast<std::uint32_t>(tsn));
}

bool TsnTracker::forward(Tsn tsn) {
  if (tsn <= cumulative_) return false;
  cumulative_ = tsn;
  absorb();
  return true;
}

void TsnTracker::absorb() {
  auto run = runs_.begin();
  for (; run != runs_.end() && run->first <= cumulative_ + 1; ++run)
    cumulative_ = std::max(cumulative_, run->last);
  runs_.erase(runs_.begin(), run);
}

Sack TsnTracker::take_sack(std::size_t room_bytes) {
  Sack sack{.cumulative_tsn = static_cast<std::uint32_t>(cumulative_)};
  constexpr std::size_t kFixedBytes = 16;
  std::size_t entries = room_bytes > kFixedBytes ? (room_bytes - kFixedBytes) / 4 : 0;
  for (const Run& run : runs_) {
    // A FORWARD TSN never moves runs away from us, but one run may reach past what 16 bits can say.
    if (entries == 0 || run.first - cumulative_ > kTsnWindow) break;
    sack.gaps.push_back({.first = static_cast<std::uint16_t>(run.first - cumulative_),
                         .last = static_cast<std::uint16_t>(std::min(run.last - cumulative_, kTsnWindow))});
    --entries;
  }
  duplicates_.resize(std::min(duplicates_.size(), entries));
  sack.duplicates = std::move(duplicates_);
  duplicates_.clear();
  return sack;
}

}  // namespace stoa::sctp
