#include "bwe/egress_budget.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace stoa::bwe {
namespace {

TEST(EgressBudget, gives_all_where_it_fits_or_there_is_no_limit) {
  EXPECT_TRUE(share_egress(1'000, {100, 1'000}).is_whole());
  EXPECT_TRUE(share_egress(0, {100, 1'000'000}).is_whole());
  EXPECT_TRUE(share_egress(1'000, {}).is_whole());
}

TEST(EgressBudget, keeps_the_least_and_cuts_the_rest) {
  const EgressShare share = share_egress(1'500, {1'000, 2'000});
  EXPECT_EQ(egress_of({600, 600}, share), 600u) << "who has only that keeps it";
  EXPECT_EQ(egress_of({400, 1'400}, share), 900u);
}

TEST(EgressBudget, cuts_the_least_when_nothing_else_is_left) {
  const EgressShare share = share_egress(500, {1'000, 9'000});
  EXPECT_EQ(egress_of({600, 5'000}, share), 300u);
  EXPECT_EQ(egress_of({400, 4'000}, share), 200u);
}

TEST(EgressBudget, of_two_takes_the_tighter) {
  const EgressShare both = tighter({.of_least = 1, .of_rest = 0.5}, {.of_least = 0.5, .of_rest = 0});
  EXPECT_EQ(both, (EgressShare{.of_least = 0.5, .of_rest = 0}));
}

TEST(EgressBudget, forgets_who_wants_nothing) {
  EgressBudget budget(1'000);
  budget.set(0, {100, 900});
  budget.set(1, {100, 900});
  EXPECT_FALSE(budget.share().is_whole());
  budget.set(1, {});
  EXPECT_TRUE(budget.share().is_whole());
  EXPECT_EQ(budget.members().size(), 1u);
  budget.set(0, {50, 60});
  EXPECT_EQ(budget.sum(), (EgressWish{50, 60}));
}

TEST(EgressBudget, is_never_overdrawn_and_used_up_and_fair) {
  Rng rng(1);
  for (int round = 0; round < 2'000; ++round) {
    const std::uint64_t limit = 1 + rng.below(20'000'000);
    EgressBudget node(limit);
    std::vector<EgressWish> receivers(1 + rng.below(30));
    std::vector<EgressWish> shards(4);
    for (std::size_t i = 0; i < receivers.size(); ++i) {
      receivers[i].least_bits_per_second = rng.below(300'000);
      receivers[i].all_bits_per_second = receivers[i].least_bits_per_second + rng.below(2'000'000);
      shards[i % 4] += receivers[i];
    }
    for (std::uint32_t i = 0; i < 4; ++i) node.set(i, shards[i]);
    const EgressShare share = node.share();
    std::uint64_t used = 0;
    for (const EgressWish& one : receivers) {
      const std::uint64_t egress = egress_of(one, share);
      EXPECT_LE(egress, one.all_bits_per_second);
      // The least before the rest, for everybody.
      if (share.of_rest > 0) {
        EXPECT_GE(egress, one.least_bits_per_second);
      }
      used += egress;
    }
    EXPECT_LE(used, limit);
    // But for what rounding takes of each.
    if (!share.is_whole()) {
      EXPECT_GE(used + receivers.size() + 1, limit);
    }
  }
}

}  // namespace
}  // namespace stoa::bwe
