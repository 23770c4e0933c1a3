#include "control/load_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::control {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Duration ms(std::int64_t count) { return Duration::milliseconds(count); }

class LoadRuleTest : public ::testing::Test {
 protected:
  LoadRuleTest() {
    for (std::uint32_t height : {720u, 480u, 360u, 240u}) {
      media::Rung rung{.id = static_cast<media::RungId>(plan_.rungs.size()),
                       .name = std::to_string(height) + "p30",
                       .width = height * 16 / 9,
                       .height = height};
      plan_.rungs.push_back(rung);
    }
    plan_.rungs.push_back({.id = 4, .name = "aac0", .codec = media::Codec::kAac});
  }
  // One report, a second after the one before: of each rung at work, how long pictures wait for it; and how
  // much of its one core the worker had.
  std::string report(Duration wait, double load, int dropped = 0) {
    now_ += ms(1'000);
    numbers_.cpu_time += Duration::from_seconds(load);
    numbers_.frames_dropped += static_cast<std::uint64_t>(dropped);
    numbers_.rungs.clear();
    LadderPlan plan = plan_;
    rule_.apply(plan);
    for (const media::Rung& rung : plan.rungs_at_work())
      numbers_.rungs.push_back({.rung = rung.name, .oldest_wait = wait, .speed = 10});
    auto change = rule_.handle_report(now_, plan, numbers_, 1, options_);
    if (!change) return "";
    constexpr const char* kSigns[] = {"-", "+", "!"};
    return kSigns[static_cast<int>(change->kind)] + plan_.rungs.at(change->rung).name;
  }
  // What changed in the reports of so many seconds.
  std::vector<std::string> run(int seconds, Duration wait, double load, int dropped = 0) {
    std::vector<std::string> changes;
    for (int i = 0; i < seconds; ++i) {
      std::string change = report(wait, load, dropped);
      if (!change.empty()) changes.push_back(std::move(change));
    }
    return changes;
  }
  // Seconds until something changes.
  int wait_for(const std::string& change, Duration wait, double load) {
    for (int seconds = 1; seconds <= 2'000; ++seconds) {
      const std::string got = report(wait, load);
      if (got.empty()) continue;
      EXPECT_EQ(got, change);
      return seconds;
    }
    ADD_FAILURE() << "never " << change;
    return 0;
  }
  std::vector<media::RungId> resting() const {
    LadderPlan plan = plan_;
    rule_.apply(plan);
    return plan.resting;
  }

  LadderPlan plan_;
  LoadRule rule_;
  LoadRule::Options options_;
  WorkerNumbers numbers_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
};

TEST_F(LoadRuleTest, leaves_a_worker_alone_that_keeps_up) {
  EXPECT_THAT(run(100, ms(300), 0.99), IsEmpty());
  EXPECT_THAT(run(100, ms(0), 0.1), IsEmpty());
}

TEST_F(LoadRuleTest, lets_the_lowest_rest_first_and_never_the_last_nor_sound) {
  run(5, ms(0), 0.9);
  EXPECT_EQ(report(ms(301), 1), "");
  EXPECT_EQ(report(ms(301), 1), "-240p30");
  EXPECT_THAT(resting(), ElementsAre(3));
  EXPECT_THAT(run(100, ms(400), 1), ElementsAre("-360p30", "-480p30", "!720p30"));
  EXPECT_THAT(resting(), ElementsAre(3, 2, 1));
  EXPECT_TRUE(rule_.is_reduced());
}

TEST_F(LoadRuleTest, says_once_that_nothing_is_left_until_that_is_over) {
  run(5, ms(0), 0.9);
  plan_.rungs.erase(plan_.rungs.begin() + 1, plan_.rungs.begin() + 4);
  EXPECT_THAT(run(100, ms(900), 1), ElementsAre("!720p30"));
  EXPECT_TRUE(rule_.is_exhausted());
  rule_.handle_worker_started();
  EXPECT_THAT(run(100, ms(900), 1), IsEmpty());
  run(20, ms(0), 0.1);
  EXPECT_THAT(run(100, ms(900), 1), IsEmpty()) << "that was no time";
  run(35, ms(0), 0.1);
  EXPECT_FALSE(rule_.is_exhausted());
  EXPECT_THAT(run(100, ms(900), 1), ElementsAre("!720p30"));
  // It need not be calm for that.
  run(35, ms(0), 0.8);
  EXPECT_FALSE(rule_.is_exhausted());
  EXPECT_THAT(run(100, ms(900), 1), ElementsAre("!720p30"));
}

TEST_F(LoadRuleTest, asks_for_two_reports_running) {
  run(5, ms(0), 0.9);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(report(ms(900), 1), "");
    EXPECT_EQ(report(ms(100), 1), "");
  }
}

TEST_F(LoadRuleTest, takes_frames_that_were_dropped_for_waiting_ones) {
  run(5, ms(0), 0.9);
  EXPECT_EQ(report(ms(0), 1, 3), "");
  EXPECT_EQ(report(ms(0), 1, 1), "-240p30");
  EXPECT_THAT(run(50, ms(0), 1), IsEmpty()) << "no more were";
}

TEST_F(LoadRuleTest, minds_no_sound) {
  plan_.rungs.erase(plan_.rungs.begin(), plan_.rungs.begin() + 4);
  EXPECT_THAT(run(100, ms(900), 1, 1), IsEmpty());
}

TEST_F(LoadRuleTest, gives_a_new_worker_time_to_come_up) {
  EXPECT_EQ(report(ms(900), 1), "");
  EXPECT_EQ(report(ms(900), 1), "");
  EXPECT_EQ(report(ms(900), 1), "");
  EXPECT_EQ(report(ms(900), 1), "-240p30") << "at 2 s and 3 s";
  EXPECT_EQ(report(ms(900), 1), "");
  rule_.handle_worker_started();
  EXPECT_THAT(run(3, ms(900), 1), IsEmpty());
  EXPECT_THAT(resting(), ElementsAre(3));
}

TEST_F(LoadRuleTest, brings_back_one_at_a_time_when_there_is_room) {
  EXPECT_EQ(run(20, ms(900), 1).size(), 4u);
  EXPECT_THAT(run(100, ms(0), 0.6), IsEmpty()) << "too busy for more";
  EXPECT_EQ(wait_for("+480p30", ms(0), 0.59), 31);
  EXPECT_EQ(wait_for("+360p30", ms(0), 0.59), 32) << "and until the change is done";
  run(10, ms(0), 0.5);
  EXPECT_EQ(report(ms(0), 0.7), "");
  EXPECT_EQ(wait_for("+240p30", ms(0), 0.5), 31) << "30 s, running";
  EXPECT_FALSE(rule_.is_reduced());
  EXPECT_THAT(run(1'000, ms(0), 0.1), IsEmpty());
}

TEST_F(LoadRuleTest, tries_less_and_less_often_what_is_too_much) {
  run(5, ms(0), 0.9);
  run(2, ms(900), 1);
  int before = wait_for("+240p30", ms(0), 0.1);
  EXPECT_LE(before, 33);
  for (int i = 0; i < 3; ++i) {
    wait_for("-240p30", ms(900), 1);
    const int waited = wait_for("+240p30", ms(0), 0.1);
    EXPECT_GT(waited, before * 3 / 2);
    before = waited;
  }
  for (int i = 0; i < 4; ++i) {
    wait_for("-240p30", ms(900), 1);
    before = wait_for("+240p30", ms(0), 0.1);
  }
  EXPECT_NEAR(before, 600, 5);
  run(700, ms(0), 0.1);
  wait_for("-240p30", ms(900), 1);
  EXPECT_LE(wait_for("+240p30", ms(0), 0.1), 33) << "that was long ago";
}

TEST_F(LoadRuleTest, judges_load_by_encoders_and_by_processors) {
  WorkerNumbers before, now;
  now.cpu_time = ms(1'500);
  EXPECT_EQ(LoadRule::load_of(before, now, ms(1'000), 2), std::nullopt) << "nothing was made";
  now.rungs.push_back({.rung = "720p30", .speed = 4});
  EXPECT_DOUBLE_EQ(*LoadRule::load_of(before, now, ms(1'000), 2), 0.75);
  now.rungs.push_back({.rung = "480p30", .speed = 1.25});
  EXPECT_DOUBLE_EQ(*LoadRule::load_of(before, now, ms(1'000), 2), 0.8);
  EXPECT_EQ(LoadRule::load_of(now, before, ms(1'000), 2), std::nullopt);
  EXPECT_EQ(LoadRule::load_of(before, now, ms(0), 2), std::nullopt);
}

TEST_F(LoadRuleTest, keeps_one_at_work_when_the_source_gets_smaller) {
  EXPECT_EQ(run(20, ms(900), 1).size(), 4u);
  plan_.resting = {0, 1};
  EXPECT_THAT(resting(), ElementsAre(0, 1, 3));
}

}  // namespace
}  // namespace stoa::control
