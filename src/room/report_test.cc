#include "room/report.h"

#include <gtest/gtest.h>

namespace stoa::room {
namespace {

Timestamp at(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

TEST(Readings, tell_rates_since_the_older_of_two) {
  Readings readings;
  readings.add({.at = at(1000), .bytes = 5'000, .frames = 10, .expected = 50, .lost = 5});
  readings.add({.at = at(3000), .bytes = 90'000, .frames = 30, .expected = 70, .lost = 5});
  auto rates = readings.rates({.at = at(5000), .bytes = 105'000, .frames = 130, .expected = 250, .lost = 15});
  ASSERT_TRUE(rates);
  EXPECT_EQ(rates->interval, Duration::seconds(4));
  EXPECT_EQ(rates->bits_per_second, 200'000u);
  EXPECT_DOUBLE_EQ(rates->frames_per_second, 30);
  EXPECT_DOUBLE_EQ(rates->loss, 0.05);
  // And so they forget the one before.
  readings.add({.at = at(5000), .bytes = 105'000});
  EXPECT_EQ(readings.rates({.at = at(6000), .bytes = 105'000, .frames = 30, .expected = 70})->bits_per_second,
            40'000u);
}

TEST(Readings, tell_nothing_after_too_short_a_time) {
  Readings readings;
  EXPECT_FALSE(readings.rates({.at = at(9000)}));
  readings.add({.at = at(1000)});
  EXPECT_FALSE(readings.rates({.at = at(1499), .bytes = 100}));
  EXPECT_TRUE(readings.rates({.at = at(1500), .bytes = 100}));
}

TEST(Readings, tell_nothing_when_counters_began_anew) {
  Readings readings;
  readings.add({.at = at(1000), .bytes = 1000, .frames = 10, .expected = 100});
  EXPECT_FALSE(readings.rates({.at = at(2000), .bytes = 999, .frames = 10, .expected = 100}));
  EXPECT_FALSE(readings.rates({.at = at(2000), .bytes = 1000, .frames = 9, .expected = 100}));
  EXPECT_FALSE(readings.rates({.at = at(2000), .bytes = 1000, .frames = 10, .expected = 99}));
}

TEST(Readings, take_more_duplicates_than_losses_for_no_loss) {
  Readings readings;
  readings.add({.at = at(1000), .expected = 100, .lost = 3});
  EXPECT_EQ(readings.rates({.at = at(2000), .expected = 200, .lost = -2})->loss, 0);
}

}  // namespace
}  // namespace stoa::room
