// What fits: one budget for the pictures that a subscriber is sent, shared out over its tracks. Sound is not
// asked: it has its part before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "room/info.h"
#include "room/layer_choice.h"

namespace stoa::room {

// What sending a layer takes, measured where it flows, else as its publisher announced it. 0: not known.
struct BudgetStep {
  Quality quality = Quality::kHigh;
  std::uint64_t bits_per_second = 0;
};
// One track that a subscriber wants.
struct BudgetClaim {
  std::uint32_t priority = 0;  // The higher comes first.
  Quality wanted = Quality::kHigh;
  Quality given = Quality::kHigh;  // So far. kOff: it is paused.
  std::vector<BudgetStep> steps;   // By quality, the lowest first; one where there are no layers.
};

inline constexpr std::uint32_t kPriorityMax = 255;
// A layer that is not sent yet must fit with so much to spare, or it would go up and down at the edge.
inline constexpr double kBudgetMargin = 1.15;

// Of a wish that names none, by what the track shows.
std::uint32_t priority_of(const TrackWish& wish, TrackSource source);

// The quality that each claim may have, at most `wanted`; kOff pauses it. By priority, all get their lowest
// layer that is left to have; then, by priority again, those who are first get all that they want before
// others get more, and equals go up by turns. A layer of unknown bitrate counts as nothing.
std::vector<Quality> share_budget(std::uint64_t bits_per_second, std::span<const BudgetClaim> claims);

}  // namespace stoa::room
