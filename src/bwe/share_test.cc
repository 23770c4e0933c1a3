#include "bwe/share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "bwe/test_claims.h"

namespace stoa::bwe {
namespace {

using ::testing::ElementsAre;

TEST(Share, gives_all_what_they_want_where_it_fits) {
  EXPECT_THAT(share(2'200'000, {{camera(1, 1, 2), camera(2)}}), ElementsAre(2, 3));
}

TEST(Share, of_equals_takes_the_highest_layers_first) {
  EXPECT_THAT(share(1'000'000, {{camera(1), camera(2)}}), ElementsAre(2, 2));
  EXPECT_THAT(share(999'999, {{camera(1), camera(2)}}), ElementsAre(2, 1));
  EXPECT_THAT(share(300'000, {{camera(1), camera(2)}}), ElementsAre(1, 1));
}

TEST(Share, pauses_what_does_not_fit_at_all) {
  EXPECT_THAT(share(299'999, {{camera(1), camera(2)}}), ElementsAre(1, 0));
  EXPECT_THAT(share(0, {{camera(1), camera(2)}}), ElementsAre(0, 0));
}

TEST(Share, gives_everybody_something_before_the_first_gets_more) {
  EXPECT_THAT(share(650'000, {{camera(1), camera(2, 9)}}), ElementsAre(1, 2));
  EXPECT_THAT(share(640'000, {{camera(1), camera(2, 9)}}), ElementsAre(1, 1));
  EXPECT_THAT(share(200'000, {{camera(1), camera(2, 9)}}), ElementsAre(0, 1));
}

TEST(Share, prefers_the_higher_priority_in_what_is_left) {
  EXPECT_THAT(share(1'900'000, {{camera(1), camera(2, 2)}}), ElementsAre(1, 3));
  EXPECT_THAT(share(2'200'000, {{camera(1), camera(2, 2)}}), ElementsAre(2, 3));
}

TEST(Share, leaves_what_nobody_wants_to_others) {
  EXPECT_THAT(share(1'700'000, {{camera(1, 9, 0), camera(2)}}), ElementsAre(0, 3));
}

TEST(Share, leaves_what_is_too_little_for_one_step_to_others) {
  Claim screen{.track = 1, .priority = 255, .steps = {{0, kAllFrames, 2'500'000, 1920 * 1080}}};
  EXPECT_THAT(share(1'000'000, {{screen, camera(2)}}), ElementsAre(0, 2));
  EXPECT_THAT(share(2'700'000, {{screen, camera(2)}}), ElementsAre(1, 1));
}

TEST(Share, counts_an_unknown_bitrate_as_nothing) {
  EXPECT_THAT(share(0, {{Claim{.track = 1, .steps = {{0, kAllFrames, 0, 0}}}}}), ElementsAre(1));
}

TEST(Share, counts_a_step_for_no_less_than_those_below_it) {
  Claim odd = camera(1);
  odd.steps[2].bits_per_second = 400'000;
  EXPECT_EQ(cost_of(odd, 3), 500'000u);
  EXPECT_THAT(share(499'999, {{odd}}), ElementsAre(1));
  EXPECT_THAT(share(500'000, {{odd}}), ElementsAre(3));
}

TEST(Share, gives_more_to_the_larger_tile) {
  Claim large = camera(1), small = camera(2);
  large.pixels = 1280 * 720;
  small.pixels = 320 * 180;
  EXPECT_THAT(share(650'000, {{small, large}}), ElementsAre(1, 2));
  EXPECT_THAT(share(150'000, {{small, large}}), ElementsAre(0, 1));
}

TEST(Share, gives_more_to_who_speaks) {
  Claim silent = camera(1), speaker = camera(2);
  speaker.is_speaking = true;
  EXPECT_THAT(share(650'000, {{silent, speaker}}), ElementsAre(1, 2));
  EXPECT_THAT(share(150'000, {{silent, speaker}}), ElementsAre(0, 1));
}

TEST(Share, of_a_screen_keeps_the_size_and_gives_up_frames) {
  const std::vector<Claim> claims = {screen(1)};
  EXPECT_THAT(share(1'500'000, claims), ElementsAre(4));
  EXPECT_THAT(share(900'000, claims), ElementsAre(3));
  EXPECT_THAT(share(600'000, claims), ElementsAre(2)) << "a quarter of its frames, all of its size";
  EXPECT_THAT(share(200'000, claims), ElementsAre(1));
}

TEST(Share, passes_a_poor_step_on_the_way_to_a_good_one) {
  Claim odd = camera(1), plain = camera(2);
  odd.steps[1].bits_per_second = 1'000'000;
  odd.steps[2].bits_per_second = 1'010'000;
  EXPECT_THAT(share(1'160'000, {{odd, plain}}), ElementsAre(3, 1));
}

TEST(Share, stays_below_what_it_is_told) {
  const std::vector<Rung> most = {1, 3};
  EXPECT_THAT(share(9'000'000, {{camera(1), camera(2)}}, most), ElementsAre(1, 3));
}

TEST(Share, is_better_where_the_first_has_something) {
  const std::vector<Claim> claims = {camera(1), camera(2, 9)};
  auto better = [&](std::vector<Rung> a, std::vector<Rung> b) { return is_better(claims, a, b); };
  EXPECT_TRUE(better({0, 1}, {3, 0}));
  EXPECT_FALSE(better({3, 0}, {0, 1}));
  EXPECT_TRUE(better({1, 2}, {2, 1}));
  EXPECT_FALSE(better({2, 2}, {2, 2}));
}

// ---- Of any claims.

TEST(ShareOfAny, is_never_overdrawn_and_the_same_each_time) {
  Rng rng(1);
  for (int round = 0; round < 3'000; ++round) {
    std::vector<Claim> claims = any_claims(rng, false);
    const std::uint64_t budget = rng.below(8'000'000);
    const std::vector<Rung> rungs = share(budget, claims);
    EXPECT_LE(cost_of(claims, rungs), budget);
    EXPECT_EQ(share(budget, claims), rungs);
    // Nor does it matter in which order they come.
    std::vector<Rung> turned(rungs.rbegin(), rungs.rend());
    std::reverse(claims.begin(), claims.end());
    EXPECT_EQ(share(budget, claims), turned);
  }
}

TEST(ShareOfAny, wastes_no_step_that_fits) {
  Rng rng(2);
  for (int round = 0; round < 3'000; ++round) {
    const std::vector<Claim> claims = any_claims(rng, false);
    const std::uint64_t budget = rng.below(8'000'000);
    const std::vector<Rung> rungs = share(budget, claims);
    const std::uint64_t left = budget - cost_of(claims, rungs);
    for (std::size_t i = 0; i < claims.size(); ++i) {
      if (rungs[i] == claims[i].steps.size()) continue;
      EXPECT_GT(cost_of(claims[i], rungs[i] + 1) - cost_of(claims[i], rungs[i]), left);
    }
  }
}

TEST(ShareOfAny, is_no_worse_for_more) {
  Rng rng(3);
  for (int round = 0; round < 3'000; ++round) {
    const std::vector<Claim> claims = any_claims(rng, true);
    const std::uint64_t less = rng.below(6'000'000), more = less + rng.below(round % 2 ? 50'000 : 2'000'000);
    EXPECT_FALSE(is_better(claims, share(less, claims), share(more, claims))) << less << " and " << more;
  }
}

TEST(ShareOfAny, gives_who_comes_first_no_less_than_one_who_is_alike) {
  Rng rng(4);
  for (int round = 0; round < 3'000; ++round) {
    std::vector<Claim> claims = any_claims(rng, false);
    if (claims.empty()) continue;
    Claim first = claims[0];
    first.track = 1'000;
    switch (rng.below(3)) {
      case 0: first.priority += 1 + static_cast<std::uint32_t>(rng.below(5)); break;
      case 1: claims[0].is_speaking = false, first.is_speaking = true; break;
      default: first.track = 0; break;
    }
    claims.push_back(first);
    const std::vector<Rung> rungs = share(rng.below(8'000'000), claims);
    EXPECT_GE(rungs.back(), rungs.front());
  }
}

}  // namespace
}  // namespace stoa::bwe
