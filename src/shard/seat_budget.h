// What bounds a seat and what that is known by: who speaks, and the limits that it is under at a time. What
// follows from it for the tracks it is sent: seat_budget.cc. How fast those flow: layer_rates.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "bwe/egress_budget.h"
#include "room/events.h"

namespace stoa::shard {

// Who speaks, or did a moment ago: pictures need not follow each pause.
class RecentSpeakers {
 public:
  static constexpr Duration kKept = Duration::seconds(5);
  static constexpr std::size_t kMax = 64;

  void note(Timestamp now, const room::SpeakersChanged& changed);
  bool has(Timestamp now, const std::string& participant_sid) const;
  void clear() { until_.clear(); }

 private:
  std::map<std::string, Timestamp> until_;
};

// Bits a second for all that a seat is sent. None: no limit.
struct SeatLimits {
  std::optional<std::uint64_t> asked;  // By its client, to try things out.
  std::optional<std::uint64_t> path;   // What that carries, as it seems.
  bwe::EgressShare room, node;         // Of their egress budgets.

  // What it is sent apart from egress budgets.
  bwe::EgressWish wish(const bwe::EgressWish& wanted) const;
  std::optional<std::uint64_t> total(const bwe::EgressWish& wanted) const;
  bool is_any() const { return asked || path || has_egress(); }
  bool has_egress() const { return !room.is_whole() || !node.is_whole(); }
  // The path is what bounds it, nothing else.
  bool is_of_path(const bwe::EgressWish& wanted) const;
};

}  // namespace stoa::shard
