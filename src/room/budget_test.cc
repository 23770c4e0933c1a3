#include "room/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace stoa::room {
namespace {

using ::testing::ElementsAre;
constexpr Quality kLow = Quality::kLow, kMedium = Quality::kMedium, kHigh = Quality::kHigh,
                  kOff = Quality::kOff;

BudgetClaim claim(std::uint32_t priority = 1, Quality wanted = kHigh, Quality given = kHigh) {
  return {priority, wanted, given, {{kLow, 150'000}, {kMedium, 500'000}, {kHigh, 1'700'000}}};
}
std::vector<Quality> share(std::uint64_t budget, std::vector<BudgetClaim> claims) {
  return share_budget(budget, claims);
}

TEST(Budget, gives_all_what_they_want_where_it_fits) {
  EXPECT_THAT(share(2'200'000, {claim(1, kMedium), claim()}), ElementsAre(kMedium, kHigh));
}

TEST(Budget, takes_the_highest_layers_first) {
  EXPECT_THAT(share(1'000'000, {claim(), claim()}), ElementsAre(kMedium, kMedium));
  EXPECT_THAT(share(999'999, {claim(), claim()}), ElementsAre(kMedium, kLow));
  EXPECT_THAT(share(300'000, {claim(), claim()}), ElementsAre(kLow, kLow));
}

TEST(Budget, pauses_what_does_not_fit_at_all) {
  EXPECT_THAT(share(299'999, {claim(), claim()}), ElementsAre(kLow, kOff));
  EXPECT_THAT(share(0, {claim(), claim()}), ElementsAre(kOff, kOff));
}

TEST(Budget, gives_everybody_something_before_the_first_gets_more) {
  EXPECT_THAT(share(650'000, {claim(1), claim(9)}), ElementsAre(kLow, kMedium));
  EXPECT_THAT(share(640'000, {claim(1), claim(9)}), ElementsAre(kLow, kLow));
  EXPECT_THAT(share(200'000, {claim(1), claim(9)}), ElementsAre(kOff, kLow));
}

TEST(Budget, gives_a_higher_priority_all_it_wants_before_others_get_more) {
  EXPECT_THAT(share(1'900'000, {claim(1), claim(2)}), ElementsAre(kLow, kHigh));
  EXPECT_THAT(share(2'200'000, {claim(1), claim(2)}), ElementsAre(kMedium, kHigh));
}

TEST(Budget, leaves_what_nobody_wants_to_others) {
  EXPECT_THAT(share(1'700'000, {claim(9, kOff), claim()}), ElementsAre(kOff, kHigh));
}

TEST(Budget, asks_for_something_to_spare_before_it_goes_up) {
  EXPECT_THAT(share(500'000, {claim(1, kHigh, kLow)}), ElementsAre(kLow));
  EXPECT_THAT(share(575'000, {claim(1, kHigh, kLow)}), ElementsAre(kMedium));
  EXPECT_THAT(share(500'000, {claim(1, kHigh, kMedium)}), ElementsAre(kMedium)) << "it has that already";
  EXPECT_THAT(share(150'000, {claim(1, kHigh, kOff)}), ElementsAre(kOff));
}

TEST(Budget, counts_an_unknown_bitrate_as_nothing) {
  BudgetClaim unknown{1, kHigh, kOff, {{kHigh, 0}}};
  EXPECT_THAT(share(0, {unknown}), ElementsAre(kHigh));
  EXPECT_THAT(share(0, {BudgetClaim{1, kMedium, kOff, {}}}), ElementsAre(kMedium));
}

TEST(Budget, gives_a_track_without_layers_whole_or_not_at_all) {
  BudgetClaim single{1, kLow, kHigh, {{kHigh, 1'000'000}}};
  EXPECT_THAT(share(1'000'000, {single}), ElementsAre(kHigh)) << "the only one there is";
  EXPECT_THAT(share(999'999, {single}), ElementsAre(kOff));
}

TEST(Budget, is_never_overdrawn_and_wastes_no_rung_that_fits) {
  Rng rng(1);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<BudgetClaim> claims;
    for (std::uint64_t i = rng.below(8); i-- > 0;) {
      claims.push_back(claim(static_cast<std::uint32_t>(rng.below(3)), static_cast<Quality>(rng.below(4)),
                             static_cast<Quality>(rng.below(4))));
      std::uint64_t rate = 1;
      for (BudgetStep& step : claims.back().steps) step.bits_per_second = rate += rng.below(1'000'000);
    }
    const std::uint64_t budget = rng.below(8'000'000);
    const std::vector<Quality> given = share_budget(budget, claims);
    std::uint64_t used = 0, cheapest = UINT64_MAX;
    for (std::size_t i = 0; i < claims.size(); ++i) {
      const std::size_t rung = given[i] == kOff ? 0 : static_cast<std::size_t>(given[i]) + 1;
      const std::size_t wanted =
          claims[i].wanted == kOff ? 0 : static_cast<std::size_t>(claims[i].wanted) + 1;
      EXPECT_LE(rung, wanted);
      const std::uint64_t has = rung == 0 ? 0 : claims[i].steps[rung - 1].bits_per_second;
      used += has;
      if (rung < wanted)
        cheapest = std::min(
            cheapest, static_cast<std::uint64_t>(static_cast<double>(claims[i].steps[rung].bits_per_second) *
                                                 kBudgetMargin) -
                          has);
    }
    EXPECT_LE(used, budget);
    // The margins of what went up are the most that may lie idle.
    if (cheapest == UINT64_MAX) continue;
    EXPECT_GT(static_cast<double>(used) * kBudgetMargin + static_cast<double>(cheapest),
              static_cast<double>(budget) * 0.999);
  }
}

TEST(Budget, puts_a_shared_screen_before_a_camera_unless_told) {
  EXPECT_GT(priority_of({}, TrackSource::kScreenShare), priority_of({}, TrackSource::kCamera));
  TrackWish wish;
  wish.priority = 7;
  EXPECT_EQ(priority_of(wish, TrackSource::kScreenShare), 7u);
  wish.priority = 100'000;
  EXPECT_EQ(priority_of(wish, TrackSource::kCamera), kPriorityMax);
}

}  // namespace
}  // namespace stoa::room
