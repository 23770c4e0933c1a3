#include "control/per_title.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace stoa::control {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Complexity kStill{6, 0}, kTalk{4, 0.3}, kMoving{8, 3};

// What each rung takes, as a part of its usual cap, and how complex it is.
struct Clip {
  double share;
  std::optional<Complexity> complexity;
};
constexpr Clip kSlides{0.1, kStill}, kInterview{0.2, kTalk}, kSports{1.2, kMoving};

class PerTitleTest : public ::testing::Test {
 protected:
  static LadderPlan usual() {
    LadderPlan plan;
    for (auto [height, rate] :
         {std::pair(720u, 3'000'000u), {480u, 1'630'000u}, {360u, 1'060'000u}, {240u, 580'000u}})
      plan.rungs.push_back({.id = static_cast<media::RungId>(plan.rungs.size()),
                            .name = std::to_string(height) + "p30",
                            .bitrate_mean = rate / 2,
                            .bitrate_max = rate,
                            .width = height * 16 / 9,
                            .height = height});
    plan.rungs.push_back({.id = 4, .name = "aac0", .codec = media::Codec::kAac, .bitrate_max = 128'000});
    return plan;
  }
  void begin() { make({}); }
  // As ladder.cc does: what was there before stays as it was.
  void make(const LadderPlan& before) {
    LadderPlan plan = before;
    for (media::Rung& rung : usual().rungs) {
      if (std::ranges::find(plan.rungs, rung.name, &media::Rung::name) != plan.rungs.end()) continue;
      if (!before.rungs.empty()) rung.id = static_cast<media::RungId>(10 + rung.id);
      plan.rungs.push_back(rung);
    }
    title_.apply(plan, before, options_);
    plan_ = plan;
  }
  // A second each; those in which something changed. Encoders hold caps.
  std::vector<int> watch(int seconds, const Clip& clip) {
    std::vector<int> changes;
    for (int i = 1; i <= seconds; ++i) {
      now_ += Duration::seconds(1);
      WorkerNumbers numbers{.complexity = clip.complexity};
      for (const media::Rung& rung : plan_.rungs) {
        const double wanted = clip.share * title_.usual_bitrate(rung);
        numbers.rungs.push_back(
            {.rung = rung.name,
             .bitrate = static_cast<std::uint32_t>(std::min<double>(wanted, rung.bitrate_max))});
      }
      const char* why = title_.handle_report(now_, plan_, numbers, options_);
      if (!why) continue;
      changes.push_back(i);
      why_ = why;
      make(plan_);
    }
    return changes;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const media::Rung& rung : plan_.rungs) names.push_back(rung.name);
    return names;
  }
  std::vector<std::uint32_t> caps() const {
    std::vector<std::uint32_t> caps;
    for (const media::Rung& rung : plan_.rungs) caps.push_back(rung.bitrate_max / 1'000);
    return caps;
  }
  void begin_next() {
    title_ = PerTitle(title_.title());
    begin();
  }

  PerTitle title_;
  PerTitle::Options options_{.is_on = true};
  Timestamp now_ = Timestamp::from_ns(1'000'000'000'000);
  LadderPlan plan_;
  std::string why_;
};

TEST_F(PerTitleTest, pictures_with_more_in_them_are_more_effort) {
  EXPECT_GT(effort_of({0, 0}), 0);
  EXPECT_LT(effort_of(kStill), effort_of(kTalk));
  EXPECT_LT(effort_of(kTalk), effort_of(kMoving));
  EXPECT_LT(effort_of(kMoving), effort_of({40, 20}));
}

TEST_F(PerTitleTest, changes_nothing_unless_it_is_asked_to) {
  options_.is_on = false;
  begin();
  EXPECT_THAT(watch(100, kSlides), IsEmpty());
  EXPECT_EQ(plan_, usual());
  begin_next();
  EXPECT_EQ(plan_, usual());
}

TEST_F(PerTitleTest, lowers_caps_to_several_times_what_busy_seconds_take) {
  begin();
  EXPECT_EQ(plan_, usual());
  EXPECT_THAT(watch(200, kInterview), ElementsAre(33))
      << "half a minute, after what a new worker makes at once";
  EXPECT_THAT(caps(), ElementsAre(1'500, 820, 530, 290, 128)) << "and sound as it was";
  EXPECT_EQ(plan_.rungs[0].bitrate_mean, 750'000u);
  EXPECT_EQ(why_, "by what the busier seconds take");
  EXPECT_EQ(title_.usual_bitrate(plan_.rungs[0]), 3'000'000u);
}

TEST_F(PerTitleTest, lowers_no_cap_to_less_than_a_third) {
  begin();
  EXPECT_THAT(watch(200, kSlides), ElementsAre(33));
  EXPECT_THAT(caps(), ElementsAre(1'000, 540, 350, 190, 128));
}

TEST_F(PerTitleTest, leaves_complex_pictures_their_usual_caps) {
  begin();
  EXPECT_THAT(watch(200, kSports), IsEmpty());
  EXPECT_THAT(watch(200, {0.7, kMoving}), IsEmpty());
  EXPECT_EQ(plan_, usual());
}

TEST_F(PerTitleTest, single_seconds_decide_nothing) {
  begin();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(watch(29, kSlides), SizeIs(i == 1 ? 1 : 0));
    EXPECT_THAT(watch(1, kSports), IsEmpty());
  }
}

TEST_F(PerTitleTest, gives_usual_caps_back_at_once_when_rungs_take_all_that_they_may) {
  begin();
  watch(100, kSlides);
  EXPECT_THAT(watch(100, kSports), ElementsAre(3)) << "the third busy second of a minute";
  EXPECT_EQ(plan_, usual());
  // And of one that is simple again it is soon known what it takes.
  EXPECT_THAT(watch(100, kSlides), ElementsAre(34));
}

TEST_F(PerTitleTest, holds_what_it_decided_for_half_a_minute) {
  begin();
  watch(33, kSlides);
  EXPECT_THAT(watch(100, kSports), ElementsAre(30));
  // A title that comes and goes.
  int changes = 0;
  for (int i = 0; i < 60; ++i) changes += static_cast<int>(watch(10, i % 2 ? kSlides : kSports).size());
  EXPECT_LE(changes, 600 / 30);
}

TEST_F(PerTitleTest, finds_out_without_a_word_of_complexity) {
  begin();
  EXPECT_THAT(watch(100, {0.1, {}}), ElementsAre(33));
  EXPECT_THAT(watch(100, {1.2, {}}), ElementsAre(3));
  EXPECT_EQ(plan_, usual());
}

TEST_F(PerTitleTest, learns_nothing_while_nothing_is_made) {
  begin();
  watch(20, kSlides);
  for (int i = 0; i < 100; ++i) {
    now_ += Duration::seconds(1);
    EXPECT_EQ(title_.handle_report(now_, plan_, {.complexity = kStill}, options_), nullptr);
  }
  title_.handle_worker_started();
  EXPECT_THAT(watch(20, kSlides), ElementsAre(16)) << "three of a new worker, and 13";
}

TEST_F(PerTitleTest, leaves_out_what_buys_nothing_when_the_next_broadcast_begins) {
  begin();
  watch(100, kSlides);
  EXPECT_THAT(names(), SizeIs(5)) << "somebody may watch them";
  begin_next();
  // What 720p30 takes at most fits through where 480p30 and 360p30 should; the smallest stays.
  EXPECT_THAT(names(), ElementsAre("720p30", "240p30", "aac0"));
  EXPECT_THAT(caps(), ElementsAre(1'000, 190, 128));
  EXPECT_THAT(title_.left_out(), ElementsAre("360p30", "480p30"));
  EXPECT_THAT(watch(100, kSlides), IsEmpty());
  const LadderPlan plan = plan_;
  make(plan_);
  EXPECT_EQ(plan_, plan) << "a word of the source changes nothing";
  begin_next();
  EXPECT_THAT(names(), ElementsAre("720p30", "240p30", "aac0")) << "nor does it need to be measured again";
}

TEST_F(PerTitleTest, makes_what_was_left_out_when_it_buys_something) {
  begin();
  watch(100, kSlides);
  begin_next();
  // No cap was changed in this broadcast, so none is held.
  EXPECT_THAT(watch(100, kSports), ElementsAre(8)) << "long before it is known what they take";
  EXPECT_EQ(why_, "the pictures have become more complex");
  EXPECT_THAT(names(), ElementsAre("720p30", "240p30", "aac0", "480p30", "360p30"));
  EXPECT_THAT(caps(), ElementsAre(3'000, 580, 128, 1'630, 1'060));
  EXPECT_THAT(title_.left_out(), IsEmpty());
  EXPECT_THAT(watch(100, kSlides), SizeIs(1));
  EXPECT_THAT(names(), SizeIs(5)) << "what is there never goes";
}

TEST_F(PerTitleTest, makes_everything_of_what_needs_it) {
  begin();
  watch(100, {0.3, kTalk});
  begin_next();
  EXPECT_THAT(names(), ElementsAre("720p30", "480p30", "360p30", "240p30", "aac0"))
      << "2,250 kbit/s are more than 1,630";
}

TEST_F(PerTitleTest, who_shows_one_codec_is_not_sent_to_another) {
  begin();
  watch(100, kSlides);
  LadderPlan plan = usual();
  for (media::Rung& rung : plan.rungs)
    if (rung.name == "480p30" || rung.name == "240p30") rung.codec = media::Codec::kAv1;
  title_ = PerTitle(title_.title());
  title_.apply(plan, {}, options_);
  EXPECT_EQ(plan.rungs.size(), 5u) << "two of each: the largest and the smallest";
}

TEST_F(PerTitleTest, is_turned_off_in_mid_broadcast) {
  begin();
  watch(100, kSlides);
  begin_next();
  options_.is_on = false;
  make(plan_);
  EXPECT_THAT(caps(), ElementsAre(3'000, 580, 128, 1'630, 1'060));
  options_.is_on = true;
  make(plan_);
  EXPECT_THAT(caps(), ElementsAre(1'000, 190, 128, 540, 350));
}

}  // namespace
}  // namespace stoa::control
