#include "bwe/loss_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace stoa::bwe {
namespace {

struct Sender {
  LossModel model;
  Rng rng{1};
  Timestamp now;

  // Packets of 1,200 bytes, of which so many are lost.
  void send(double seconds, double bits_per_second, double loss) {
    Duration gap = Duration::from_seconds(1200 * 8 / bits_per_second);
    for (Timestamp end = now + Duration::from_seconds(seconds); now < end; now += gap) {
      model.add(now, 1200, rng.chance(loss));
      model.update();
    }
  }
};

TEST(LossModel, says_nothing_of_a_path_without_loss) {
  Sender sender;
  sender.send(10, 2e6, 0);
  EXPECT_FALSE(sender.model.bound());
  EXPECT_EQ(sender.model.loss(), 0);
}

TEST(LossModel, takes_loss_at_every_rate_for_the_paths_own) {
  for (double loss : {0.02, 0.1}) {
    Sender sender;
    int bounded = 0;
    for (int i = 0; i < 200; ++i) {
      sender.send(0.5, 1e6 + 1e6 * sender.rng.unit(), loss);
      bounded += sender.model.bound().has_value();
    }
    EXPECT_LE(bounded, 10) << loss;
    EXPECT_NEAR(sender.model.inherent(), loss, 0.03);
    EXPECT_NEAR(sender.model.loss(), loss, 0.06);
  }
}

TEST(LossModel, finds_the_edge_of_a_policer) {
  Sender sender;
  for (double rate = 0.8e6; rate < 1.3e6; rate += 0.05e6)
    sender.send(0.5, rate, std::max(0.0, 1 - 1e6 / rate));
  ASSERT_TRUE(sender.model.bound());
  EXPECT_NEAR(*sender.model.bound(), 1e6, 0.1e6);
  EXPECT_LT(sender.model.inherent(), 0.02);
}

TEST(LossModel, forgets_within_seconds) {
  Sender sender;
  for (double rate = 0.8e6; rate < 1.3e6; rate += 0.05e6)
    sender.send(0.5, rate, std::max(0.0, 1 - 1e6 / rate));
  sender.send(12, 0.9e6, 0);
  EXPECT_FALSE(sender.model.bound());
}

TEST(LossModel, takes_back_what_arrived_late) {
  Sender sender;
  for (int i = 0; i < 200; ++i) {
    sender.model.add(sender.now += Duration::milliseconds(5), 1200, i % 5 == 0);
    if (i % 5 == 3) sender.model.take_back();
    sender.model.update();
  }
  EXPECT_LT(sender.model.loss(), 0.03);
}

TEST(LossModel, follows_reports_as_gcc_does) {
  EXPECT_EQ(follow_report(1e6, 0.01), 1.05e6);
  EXPECT_EQ(follow_report(1e6, 0.05), 1e6);
  EXPECT_EQ(follow_report(1e6, 0.2), 0.9e6);
  EXPECT_EQ(follow_report(1e6, 7), 0.5e6);
}

}  // namespace
}  // namespace stoa::bwe
