#include "bwe/allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/rng.h"
#include "bwe/test_claims.h"

namespace stoa::bwe {
namespace {

using ::testing::ElementsAre;

constexpr Sound kVoice{.tracks = 1, .bits_per_second = 30'000};  // kSoundFloor is kept for it.

// An allocator, and what its receiver sees over time.
class Viewer {
 public:
  explicit Viewer(std::vector<Claim> wanted, Sound sound = kVoice)
      : claims(std::move(wanted)), sound_(sound) {}

  void want() { allocator.set_claims(now, claims, sound_); }
  void budget(std::uint64_t pictures) { allocator.set_budget(now, pictures + kSoundFloor); }
  std::vector<Rung> given() const { return {allocator.given().begin(), allocator.given().end()}; }
  // With an estimate (of pictures alone) each 100 ms, and bitrates each 500 ms. Returns how often something
  // changed.
  int run(Duration duration, const std::function<std::uint64_t()>& estimate) {
    int changes = 0;
    for (const Timestamp end = now + duration; now < end; now += Duration::milliseconds(100)) {
      const std::vector<Rung> before = given();
      while (allocator.next_deadline() <= now) {
        const Timestamp due = allocator.next_deadline();
        allocator.handle_deadline(now);
        EXPECT_GT(allocator.next_deadline(), due) << "wakes for nothing";
      }
      if ((now - Timestamp()).ms() % 500 == 0) {
        if (on_rates) on_rates();
        want();
      }
      budget(estimate());
      if (given() != before) ++changes;
    }
    return changes;
  }
  int run(Duration duration, std::uint64_t estimate) {
    return run(duration, [&] { return estimate; });
  }

  // Until the only picture has risen to its second step; then a path that does not carry that.
  void rise() {
    while (given()[0] < 2) run(Duration::milliseconds(100), 700'000);
  }
  void fall() { run(Duration::milliseconds(100), 300'000); }

  std::vector<Claim> claims;
  Timestamp now = Timestamp() + Duration::seconds(1);
  Allocator allocator;
  std::function<void()> on_rates;

 private:
  Sound sound_;
};

// A value that wanders around 1, as estimates do.
class Wander {
 public:
  Wander(std::uint64_t seed, double most) : rng_(seed), most_(most) {}
  double next() {
    at_ = std::clamp(at_ * 0.9 + (rng_.unit() - 0.5) * 0.6, -1.0, 1.0);
    return 1 + at_ * most_;
  }

 private:
  Rng rng_;
  double most_, at_ = 0;
};

TEST(Allocator, gives_all_where_there_is_no_limit) {
  Viewer viewer({camera(1), camera(2)});
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(3, 3));
  EXPECT_EQ(viewer.allocator.demand().sends_bits_per_second, 3'430'000u);
  EXPECT_EQ(viewer.allocator.demand().next_bits_per_second, 0u);
}

TEST(Allocator, goes_down_at_once) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(1'700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(3)) << "it fits";
  viewer.budget(1'699'999);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
  viewer.budget(499'999);
  EXPECT_THAT(viewer.given(), ElementsAre(1));
  EXPECT_EQ(viewer.allocator.counters().falls, 2u);
}

TEST(Allocator, goes_down_when_what_is_sent_takes_more) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(1'750'000);
  viewer.claims[0].steps[2].bits_per_second = 1'800'000;
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, begins_with_what_fits_with_something_to_spare) {
  Viewer viewer({camera(1)});
  viewer.budget(500'000);
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(1));
  Viewer other({camera(1)});
  other.budget(575'000);
  other.want();
  EXPECT_THAT(other.given(), ElementsAre(2));
}

TEST(Allocator, goes_up_when_there_was_something_to_spare_for_a_time) {
  Viewer viewer({camera(1)});
  viewer.budget(200'000);
  viewer.want();
  viewer.run(Duration::seconds(30), 574'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "fits, with too little to spare";
  viewer.run(Duration::milliseconds(900), 576'000);
  viewer.run(Duration::milliseconds(100), 574'000);
  viewer.run(Duration::milliseconds(900), 576'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "not long enough on end";
  viewer.run(Duration::milliseconds(300), 576'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, goes_up_by_all_that_fits) {
  Viewer viewer({camera(1), camera(2)});
  viewer.budget(400'000);
  viewer.want();
  EXPECT_EQ(viewer.run(Duration::milliseconds(1'300), 5'000'000), 1);
  EXPECT_THAT(viewer.given(), ElementsAre(3, 3));
}

TEST(Allocator, does_not_rest_when_there_comes_to_be_a_limit) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(1'000'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
  viewer.run(Duration::milliseconds(1'300), 2'000'000);
  EXPECT_THAT(viewer.given(), ElementsAre(3));
}

TEST(Allocator, rests_after_it_went_down) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.run(Duration::seconds(60), 2'500'000);
  viewer.run(Duration::milliseconds(100), 600'000);
  viewer.run(kDownRest - Duration::milliseconds(200), 2'500'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
  viewer.run(Duration::milliseconds(400), 2'500'000);
  EXPECT_THAT(viewer.given(), ElementsAre(3));
}

TEST(Allocator, rests_twice_as_long_after_each_rise_that_failed) {
  Viewer viewer({camera(1)});
  viewer.budget(200'000);
  viewer.want();
  std::vector<std::int64_t> rests;
  for (int i = 0; i < 7; ++i) {
    viewer.rise();
    viewer.run(Duration::seconds(2), 700'000);
    viewer.fall();
    const Timestamp fell = viewer.now;
    ASSERT_THAT(viewer.given(), ElementsAre(1));
    viewer.rise();
    rests.push_back(((viewer.now - fell).ms() + 500) / 1'000);
  }
  EXPECT_THAT(rests, ElementsAre(10, 20, 40, 60, 60, 60, 60));
  EXPECT_EQ(viewer.allocator.counters().failed_rises, 7u);
  // One that stood makes good again.
  viewer.run(kUpStands, 700'000);
  viewer.fall();
  viewer.run(kDownRest + Duration::milliseconds(200), 700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, rests_from_nothing_that_takes_little_of_the_budget) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.run(Duration::seconds(60), 2'500'000);
  viewer.run(Duration::seconds(1), 10'000);  // While a queue is drained.
  ASSERT_THAT(viewer.given(), ElementsAre(1));
  const std::uint64_t middle = viewer.claims[0].steps[1].bits_per_second;
  viewer.run(kUpHold + Duration::milliseconds(300), 2 * middle - 10'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "more than half";
  viewer.run(kUpHold + Duration::milliseconds(300), 2 * middle + 10'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, rests_no_longer_on_a_path_that_carries_much_more_than_what_failed) {
  Viewer viewer({camera(1)});
  viewer.budget(200'000);
  viewer.want();
  for (int i = 0; i < 3; ++i) {
    viewer.rise();
    viewer.run(Duration::seconds(2), 700'000);
    viewer.fall();
  }
  ASSERT_EQ(viewer.allocator.counters().failed_rises, 3u);
  viewer.run(kDownRest + kUpHold, 700'000);
  viewer.run(Duration::milliseconds(100), 800'000);
  viewer.run(Duration::seconds(2), 700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "once is not often enough";
  viewer.run(kUpHold + Duration::milliseconds(200), 800'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, takes_no_outage_for_a_rise_that_failed) {
  Viewer viewer({camera(1)});
  viewer.budget(200'000);
  viewer.want();
  while (viewer.given()[0] < 3) viewer.run(Duration::milliseconds(100), 2'500'000);
  viewer.run(Duration::seconds(10), 2'500'000);
  viewer.allocator.set_silent(viewer.now, true);
  viewer.run(Duration::seconds(10), std::uint64_t{0});
  EXPECT_TRUE(viewer.allocator.is_audio_only());
  viewer.allocator.set_silent(viewer.now, false);
  viewer.run(kUpHold + Duration::milliseconds(200), 2'500'000);
  EXPECT_THAT(viewer.given(), ElementsAre(3));
  EXPECT_EQ(viewer.allocator.counters().failed_rises, 0u);
  // What falls after it has failed.
  viewer.fall();
  EXPECT_EQ(viewer.allocator.counters().failed_rises, 1u);
  viewer.run(kDownRest + kUpHold, 2'500'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, remembers_in_an_outage_that_a_rise_has_stood) {
  Viewer viewer({camera(1)});
  viewer.budget(200'000);
  viewer.want();
  for (int i = 0; i < 3; ++i) {
    viewer.rise();
    viewer.fall();
  }
  viewer.rise();
  viewer.run(kUpStands, 700'000);
  viewer.allocator.set_silent(viewer.now, true);
  viewer.allocator.set_silent(viewer.now, false);
  viewer.fall();
  viewer.run(kDownRest + Duration::milliseconds(200), 700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, waits_for_nothing_when_there_is_no_limit_any_more) {
  Viewer viewer({camera(1)});
  viewer.budget(200'000);
  viewer.want();
  viewer.budget(700'000);
  EXPECT_LT(viewer.allocator.next_deadline(), Timestamp::never());
  viewer.allocator.set_budget(viewer.now, std::nullopt);
  EXPECT_EQ(viewer.allocator.next_deadline(), Timestamp::never());
  EXPECT_THAT(viewer.given(), ElementsAre(3));
}

// ---- What the receiver asks.

TEST(Allocator, gives_what_is_asked_for_at_once_where_it_fits) {
  Viewer viewer({camera(1, 1, 1)});
  viewer.budget(900'000);
  viewer.want();
  viewer.claims[0] = camera(1, 1, 2);
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(2));
}

TEST(Allocator, makes_room_for_who_comes) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(600'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2));
  viewer.claims.push_back(camera(2));
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(1, 1)) << "also while it rests";
}

TEST(Allocator, lets_who_comes_in_while_it_rests_and_nobody_up) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(2'000'000);
  viewer.budget(200'000);
  viewer.budget(2'000'000);
  viewer.claims.push_back(camera(2));
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(1, 1));
}

TEST(Allocator, passes_on_what_somebody_leaves) {
  Viewer viewer({camera(1), camera(2)});
  viewer.want();
  viewer.budget(2'300'000);
  EXPECT_THAT(viewer.given(), ElementsAre(3, 2));
  viewer.claims.erase(viewer.claims.begin());
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(3)) << "as much as was sent may be sent";
}

TEST(Allocator, goes_over_to_who_speaks_without_taking_more) {
  Viewer viewer({camera(1), camera(2)});
  viewer.claims[0].is_speaking = true;
  viewer.want();
  viewer.budget(700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2, 1));
  std::swap(viewer.claims[0].is_speaking, viewer.claims[1].is_speaking);
  viewer.run(Duration::milliseconds(900), 700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2, 1)) << "who says a word only";
  viewer.run(Duration::milliseconds(600), 700'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1, 2));
}

TEST(Allocator, keeps_what_was_given_when_layers_come_and_go) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(600'000);
  ASSERT_THAT(viewer.given(), ElementsAre(2));
  viewer.claims[0].steps.insert(viewer.claims[0].steps.begin(), {0, 2, 100'000, 320 * 180});
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(3));
  viewer.claims[0].steps.resize(1);
  viewer.want();
  EXPECT_THAT(viewer.given(), ElementsAre(1));
}

// ---- Sound.

TEST(Allocator, keeps_the_part_of_sound_apart) {
  Viewer viewer({camera(1)}, {.tracks = 0, .bits_per_second = 0});
  viewer.want();
  viewer.allocator.set_budget(viewer.now, 500'000);
  EXPECT_THAT(viewer.given(), ElementsAre(2)) << "there is no sound";
  viewer.allocator.set_claims(viewer.now, viewer.claims, {.tracks = 1});
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "somebody may speak";
  viewer.allocator.set_budget(viewer.now, 150'000 + 3 * kSoundFloor);
  viewer.allocator.set_claims(viewer.now, viewer.claims, {.tracks = 50});
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "of many a few speak at a time";
  viewer.allocator.set_budget(viewer.now, 550'000);
  viewer.allocator.set_claims(viewer.now, viewer.claims, {.tracks = 2, .bits_per_second = 400'000});
  EXPECT_EQ(viewer.allocator.demand().sends_bits_per_second, 550'000u) << "as much as flows";
}

TEST(Allocator, leaves_sound_alone_when_no_picture_fits_for_long) {
  Viewer viewer({camera(1), camera(2, 9)});
  viewer.want();
  viewer.run(Duration::milliseconds(1'900), 100'000);
  EXPECT_THAT(viewer.given(), ElementsAre(0, 1)) << "the first stays for a while";
  EXPECT_FALSE(viewer.allocator.is_audio_only());
  viewer.run(Duration::milliseconds(300), 100'000);
  EXPECT_THAT(viewer.given(), ElementsAre(0, 0));
  EXPECT_TRUE(viewer.allocator.is_audio_only());
  EXPECT_EQ(viewer.allocator.demand().sends_bits_per_second, kVoice.bits_per_second);
  EXPECT_EQ(viewer.allocator.demand().next_bits_per_second, kSoundFloor + 172'500);
  viewer.run(Duration::seconds(60), 149'000);
  EXPECT_TRUE(viewer.allocator.is_audio_only());
  viewer.run(Duration::milliseconds(900), 151'000);
  EXPECT_TRUE(viewer.allocator.is_audio_only()) << "not long enough";
  viewer.run(Duration::milliseconds(400), 151'000);
  EXPECT_THAT(viewer.given(), ElementsAre(0, 1));
  EXPECT_FALSE(viewer.allocator.is_audio_only());
}

TEST(Allocator, does_not_flap_between_sound_and_the_only_picture) {
  Viewer viewer({screen(1)});
  viewer.claims[0].steps.resize(1);
  const std::uint64_t least = viewer.claims[0].steps[0].bits_per_second;
  viewer.want();
  Wander estimate(3, 0.1);
  const int switches = viewer.run(Duration::seconds(600), [&] {
    return static_cast<std::uint64_t>(static_cast<double>(least) * estimate.next());
  });
  EXPECT_LE(switches, 26);
  viewer.run(kDownRestMax + Duration::seconds(2), least * 102 / 100);
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "no margin is to be seen on it";
}

TEST(Allocator, does_not_pause_the_last_picture_for_a_short_dip) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.run(Duration::seconds(10), 600'000);
  viewer.run(Duration::milliseconds(1'800), 40'000);
  viewer.run(Duration::seconds(2), 200'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1));
  viewer.run(Duration::milliseconds(1'800), 40'000);
  EXPECT_THAT(viewer.given(), ElementsAre(1)) << "each dip counts for itself";
}

TEST(Allocator, is_not_left_with_sound_alone_where_no_picture_is_wanted) {
  Viewer viewer({camera(1, 1, 0)});
  viewer.budget(0);
  viewer.run(Duration::seconds(10), std::uint64_t{0});
  EXPECT_FALSE(viewer.allocator.is_audio_only());
  EXPECT_EQ(viewer.allocator.demand().next_bits_per_second, 0u);
}

// ---- What it would need.

TEST(Allocator, says_the_least_and_all_whatever_the_budget) {
  Viewer viewer({camera(1), camera(2, 1, 2), camera(3, 1, 0)});
  viewer.budget(0);
  viewer.want();
  EXPECT_EQ(viewer.allocator.wish(), (EgressWish{kSoundFloor + 300'000, kSoundFloor + 2'200'000}));
}

TEST(Allocator, has_news_when_something_changed) {
  Viewer viewer({camera(1)});
  viewer.want();
  EXPECT_TRUE(viewer.allocator.take_news());
  viewer.want();
  viewer.budget(3'000'000);
  EXPECT_FALSE(viewer.allocator.take_news());
  viewer.budget(600'000);
  EXPECT_TRUE(viewer.allocator.take_news());
}

TEST(Allocator, says_what_the_next_step_needs) {
  Viewer viewer({camera(1), camera(2)});
  viewer.budget(600'000);
  viewer.want();
  ASSERT_THAT(viewer.given(), ElementsAre(1, 1));
  const Demand demand = viewer.allocator.demand();
  EXPECT_EQ(demand.sends_bits_per_second, 330'000u);
  EXPECT_EQ(demand.next_bits_per_second, kSoundFloor + 747'500);
  EXPECT_EQ(demand.all_bits_per_second, kSoundFloor + 3'910'000);
  viewer.run(Duration::milliseconds(1'300), demand.next_bits_per_second - kSoundFloor);
  EXPECT_THAT(viewer.given(), ElementsAre(2, 1)) << "and with that it goes up";
}

TEST(Allocator, needs_nothing_more_when_all_is_sent) {
  Viewer viewer({camera(1)});
  viewer.want();
  viewer.budget(9'000'000);
  EXPECT_EQ(viewer.allocator.demand().next_bits_per_second, 0u);
  EXPECT_EQ(viewer.allocator.demand().all_bits_per_second, kSoundFloor + 1'700'000);
}

// ---- Over time.

TEST(AllocatorOverTime, does_not_switch_on_a_stable_noisy_estimate) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed)
    for (std::uint64_t level = 400'000; level < 6'000'000; level += 200'000) {
      // Estimate and bitrates wander, and not together.
      Viewer viewer({camera(1), camera(2), camera(3)});
      Wander estimate(seed, 0.05), rates(seed + 1'000, 0.025);
      viewer.on_rates = [&, plain = viewer.claims] {
        for (std::size_t i = 0; i < plain.size(); ++i)
          for (std::size_t step = 0; step < plain[i].steps.size(); ++step)
            viewer.claims[i].steps[step].bits_per_second = static_cast<std::uint64_t>(
                static_cast<double>(plain[i].steps[step].bits_per_second) * rates.next());
      };
      auto noisy = [&] { return static_cast<std::uint64_t>(static_cast<double>(level) * estimate.next()); };
      viewer.budget(300'000);
      viewer.run(Duration::seconds(20), noisy);
      // What needs all its luck to fit may come late. It stays then.
      EXPECT_LE(viewer.run(Duration::seconds(600), noisy), 1) << seed << ", " << level;
      EXPECT_EQ(viewer.allocator.counters().falls, 0u) << seed << ", " << level;
      if (level == 2'800'000) {
        EXPECT_EQ(viewer.allocator.counters().rises, 1u) << seed;
      }
    }
}

TEST(AllocatorOverTime, hardly_switches_at_the_boundary) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    for (std::uint64_t begin : {std::uint64_t{300'000}, std::uint64_t{3'000'000}}) {
      Viewer viewer({camera(1)});
      Wander estimate(seed, 0.08);
      viewer.budget(begin);
      viewer.want();
      const int switches = viewer.run(Duration::seconds(600), [&] {
        return static_cast<std::uint64_t>(1.02 * 1'700'000 * estimate.next());
      });
      EXPECT_LE(switches, 20) << seed;
    }
}

// A path that shows its limit only to who exceeds it: an estimate that grows with what is not tried.
TEST(AllocatorOverTime, learns_from_rises_that_fail) {
  Viewer viewer({camera(1)});
  viewer.budget(700'000);
  viewer.want();
  double estimate = 700'000;
  const int switches = viewer.run(Duration::seconds(600), [&] {
    const bool is_over = viewer.given()[0] == 3;
    estimate = is_over ? estimate * 0.9 : std::min(estimate * 1.02, 2'500'000.0);
    return static_cast<std::uint64_t>(estimate);
  });
  EXPECT_LE(switches, 26);
  EXPECT_GE(switches, 12) << "and goes on trying";
}

TEST(AllocatorOverTime, recovers_after_an_outage) {
  Viewer viewer({camera(1), screen(2)});
  viewer.want();
  viewer.run(Duration::seconds(60), 5'000'000);
  viewer.run(Duration::seconds(10), std::uint64_t{0});
  EXPECT_TRUE(viewer.allocator.is_audio_only());
  double estimate = 50'000;
  const Timestamp back = viewer.now;
  while (viewer.given() != std::vector<Rung>{3, 4} && viewer.now - back < Duration::seconds(20)) {
    // Probes double it.
    viewer.run(Duration::milliseconds(100), [&] {
      estimate = std::min(estimate * 1.25, 5'000'000.0);
      return static_cast<std::uint64_t>(estimate);
    });
  }
  EXPECT_LE(viewer.now - back, Duration::seconds(4));
}

TEST(AllocatorOverTime, keeps_its_promises_whatever_comes) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    Viewer viewer(any_claims(rng, false)), twin(viewer.claims);
    double estimate = 1'000'000;
    std::optional<Timestamp> over_since;
    for (int i = 0; i < 300; ++i) {
      if (rng.chance(0.05)) viewer.claims = any_claims(rng, false);
      if (rng.chance(0.02)) estimate = static_cast<double>(rng.below(8'000'000));
      estimate *= 0.9 + 0.21 * rng.unit();
      const auto budget = static_cast<std::uint64_t>(estimate);
      const bool has_wishes = rng.chance(0.2), is_free = rng.chance(0.02);
      for (Viewer* one : {&viewer, &twin}) {
        one->now += Duration::milliseconds(100);
        one->allocator.handle_deadline(one->now);
        ASSERT_GT(one->allocator.next_deadline(), one->now) << seed;
        one->claims = viewer.claims;
        if (has_wishes || i == 0) one->want();
        if (is_free) one->allocator.set_budget(one->now, std::nullopt);
        one->budget(budget);
      }
      if (is_free) over_since.reset();
      ASSERT_EQ(viewer.given(), twin.given()) << "the same each time";
      const auto claims = viewer.allocator.claims();
      const std::uint64_t cost = cost_of(claims, viewer.given());
      std::size_t pictures = 0, least = 0;
      for (std::size_t track = 0; track < claims.size(); ++track) {
        ASSERT_LE(viewer.given()[track], claims[track].steps.size());
        pictures += viewer.given()[track] > 0;
        least += viewer.given()[track] == 1;
      }
      if (cost <= budget) {
        over_since.reset();
      } else {
        if (!over_since) over_since = viewer.now;
        ASSERT_EQ(pictures, 1u) << seed;
        ASSERT_EQ(least, 1u) << seed;
        ASSERT_LE(viewer.now - *over_since, kAudioOnlyAfter) << seed;
      }
      const Demand demand = viewer.allocator.demand();
      ASSERT_LE(demand.sends_bits_per_second, demand.all_bits_per_second);
      if (demand.next_bits_per_second != 0) {
        ASSERT_LE(demand.next_bits_per_second, demand.all_bits_per_second);
      }
    }
    // In the end whoever has enough gets all.
    viewer.want();
    viewer.run(kDownRestMax + Duration::seconds(2), 30'000'000);
    for (std::size_t track = 0; track < viewer.claims.size(); ++track)
      EXPECT_EQ(viewer.given()[track], viewer.claims[track].steps.size()) << seed;
  }
}

}  // namespace
}  // namespace stoa::bwe
