#include "shard/seat_budget.h"

#include <gtest/gtest.h>

namespace stoa::shard {
namespace {

TEST(RecentSpeakers, are_known_for_a_while_after_they_fell_silent) {
  RecentSpeakers speakers;
  Timestamp now;
  speakers.note(now, {{{"anna", 0.5f, true}, {"ben", 0, false}}});
  EXPECT_TRUE(speakers.has(now + Duration::seconds(3'600), "anna"));
  EXPECT_FALSE(speakers.has(now, "ben"));
  speakers.note(now, {{{"anna", 0, false}}});
  EXPECT_TRUE(speakers.has(now + RecentSpeakers::kKept - Duration::milliseconds(1), "anna"));
  EXPECT_FALSE(speakers.has(now + RecentSpeakers::kKept, "anna"));
}

TEST(SeatLimits, count_the_tightest) {
  const bwe::EgressWish wanted{100'000, 1'100'000};
  SeatLimits limits;
  EXPECT_FALSE(limits.total(wanted));
  limits.path = 900'000;
  EXPECT_EQ(limits.total(wanted), 900'000u);
  EXPECT_TRUE(limits.is_of_path(wanted));
  limits.room = {.of_least = 1, .of_rest = 0.5};
  EXPECT_EQ(limits.total(wanted), 500'000u) << "of what the path lets it have";
  EXPECT_FALSE(limits.is_of_path(wanted));
  limits.node = {.of_least = 0.5, .of_rest = 0};
  EXPECT_EQ(limits.total(wanted), 50'000u);
  limits.asked = 40'000;
  EXPECT_EQ(limits.total(wanted), 20'000u);
}

}  // namespace
}  // namespace stoa::shard
