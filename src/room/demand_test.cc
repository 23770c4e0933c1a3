#include "room/demand.h"

#include <gtest/gtest.h>

namespace stoa::room {
namespace {

Timestamp at(double seconds) { return Timestamp() + Duration::from_seconds(seconds); }

TEST(Demand, tells_of_more_at_once) {
  Demand demand;
  demand.set(at(0), 1, Quality::kLow);
  EXPECT_EQ(demand.take_news(at(0)), std::nullopt);
  EXPECT_EQ(demand.take_news(at(5)), Quality::kLow);
  demand.set(at(6), 2, Quality::kMedium);
  EXPECT_EQ(demand.take_news(at(6)), Quality::kMedium);
  demand.set(at(6), 1, Quality::kHigh);
  EXPECT_EQ(demand.take_news(at(6)), Quality::kHigh);
  EXPECT_EQ(demand.told(), Quality::kHigh);
}

TEST(Demand, tells_of_less_only_when_it_lasted) {
  Demand demand;
  demand.set(at(0), 1, Quality::kHigh);
  EXPECT_EQ(demand.next_deadline(), Timestamp::never());
  demand.set(at(10), 1, Quality::kLow);
  EXPECT_EQ(demand.next_deadline(), at(15));
  EXPECT_EQ(demand.take_news(at(14.9)), std::nullopt);
  EXPECT_EQ(demand.take_news(at(15)), Quality::kLow);
  EXPECT_EQ(demand.take_news(at(30)), std::nullopt);
  EXPECT_EQ(demand.next_deadline(), Timestamp::never());
}

TEST(Demand, forgets_a_lull) {
  Demand demand;
  demand.set(at(0), 1, Quality::kHigh);
  demand.set(at(1), 1, Quality::kLow);
  demand.set(at(5), 2, Quality::kHigh);
  EXPECT_EQ(demand.take_news(at(6)), std::nullopt);
  demand.remove(at(7), 2);
  EXPECT_EQ(demand.take_news(at(11.9)), std::nullopt);
  EXPECT_EQ(demand.take_news(at(12)), Quality::kLow);
}

TEST(Demand, is_off_when_nobody_is_left_or_wants_any) {
  Demand demand;
  demand.set(at(0), 1, Quality::kMedium);
  demand.set(at(0), 2, Quality::kOff);
  demand.remove(at(0), 1);
  demand.remove(at(0), 77);
  EXPECT_EQ(demand.take_news(at(5)), Quality::kOff);
  demand.remove(at(6), 2);
  EXPECT_EQ(demand.take_news(at(60)), std::nullopt);
  demand.set(at(61), 3, Quality::kLow);
  EXPECT_EQ(demand.take_news(at(61)), Quality::kLow);
}

TEST(Demand, is_off_when_nobody_ever_came) {
  Demand demand;
  EXPECT_EQ(demand.take_news(at(0)), std::nullopt);
  EXPECT_EQ(demand.take_news(at(5)), Quality::kOff);
}

}  // namespace
}  // namespace stoa::room
