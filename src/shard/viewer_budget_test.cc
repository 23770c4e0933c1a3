#include "shard/viewer_budget.h"

#include <gtest/gtest.h>

#include "session/webrtc/test_fan_out.h"

namespace stoa::shard {
namespace {

constexpr std::size_t kPicture = 3;  // An outlet.
const bwe::Sound kSound{.tracks = 1, .bits_per_second = 50'000};
const std::vector<bwe::Step> kLayers{{.layer = 0, .bits_per_second = 150'000},
                                     {.layer = 1, .bits_per_second = 500'000},
                                     {.layer = 2, .bits_per_second = 1'500'000}};

// A viewer who is looked at once a second.
class Viewer {
 public:
  explicit Viewer(bool may_tell = true) : budget(may_tell) {}

  void look(Duration time = Duration::seconds(1)) {
    for (const Timestamp end = now + time; now < end;) {
      now += Duration::seconds(1);
      if (path)
        budget.handle_target(now, {.bits_per_second = *path, .is_told = is_told, .is_silent = is_silent});
      budget.set_claims(now, {{.track = kPicture, .steps = layers}}, sound);
    }
  }
  ViewerBudget::Share share() const { return budget.share_of(kPicture); }

  Timestamp now;
  ViewerBudget budget;
  std::optional<std::uint64_t> path;
  bool is_told = true, is_silent = false;
  std::vector<bwe::Step> layers = kLayers;
  bwe::Sound sound = kSound;
};

TEST(ViewerBudget, gives_the_least_layer_until_something_is_known) {
  Viewer viewer;
  EXPECT_EQ(viewer.share().layer_max, 0);
  viewer.look();  // Not connected.
  EXPECT_EQ(viewer.share().layer_max, 0);
  EXPECT_FALSE(viewer.budget.take_demand());
  viewer.layers.clear();
  viewer.path = 3'000'000;
  viewer.look();
  EXPECT_EQ(viewer.share().layer_max, 0) << "what the layers take is not known";
  EXPECT_FALSE(viewer.budget.take_demand()) << "nothing is worth probing for yet, and nothing forbidden";
  viewer.layers = kLayers;
  viewer.look();
  EXPECT_EQ(viewer.share().layer_max, 2);
}

TEST(ViewerBudget, gives_what_the_path_carries) {
  Viewer viewer;
  viewer.path = 700'000;
  viewer.look();
  EXPECT_EQ(viewer.share().layer_max, 1);
  EXPECT_TRUE(viewer.budget.is_bounded());
  const auto demand = viewer.budget.take_demand();
  ASSERT_TRUE(demand);
  EXPECT_EQ(demand->sends_bits_per_second, 550'000u);
  EXPECT_EQ(demand->next_bits_per_second, 50'000u + 1'725'000u);
  EXPECT_FALSE(viewer.budget.take_demand()) << "told once";

  viewer.path = 3'000'000;
  viewer.look(Duration::seconds(3));
  EXPECT_EQ(viewer.share().layer_max, 2);
  EXPECT_FALSE(viewer.budget.is_bounded());
  EXPECT_TRUE(viewer.budget.take_news());
  viewer.path = 300'000;
  viewer.budget.handle_target(viewer.now, {.bits_per_second = 300'000, .is_told = true});
  EXPECT_EQ(viewer.share().layer_max, 0) << "down at once";
  EXPECT_TRUE(viewer.budget.take_news());
  EXPECT_FALSE(viewer.budget.take_news());
}

TEST(ViewerBudget, tells_no_demand_that_is_hardly_less) {
  Viewer viewer;
  viewer.path = 700'000;
  viewer.look();
  ASSERT_TRUE(viewer.budget.take_demand());
  auto demand_at = [&](std::uint64_t top) {
    viewer.layers[2].bits_per_second = top;
    viewer.look();
    return viewer.budget.take_demand();
  };
  EXPECT_FALSE(demand_at(1'490'000));
  EXPECT_FALSE(demand_at(1'440'000));
  EXPECT_FALSE(demand_at(1'500'000));
  const auto more = demand_at(1'510'000);
  ASSERT_TRUE(more) << "what is not looked for is not found";
  EXPECT_EQ(more->next_bits_per_second, 50'000u + 1'736'500u);
  EXPECT_TRUE(demand_at(1'400'000));
  viewer.path = 3'000'000;
  viewer.look(Duration::seconds(3));
  const auto none = viewer.budget.take_demand();
  ASSERT_TRUE(none);
  EXPECT_EQ(none->next_bits_per_second, 0u);
}

TEST(ViewerBudget, pauses_pictures_for_the_sound_and_brings_them_back) {
  Viewer viewer;
  viewer.path = 3'000'000;
  viewer.look();
  viewer.path = 100'000;
  viewer.look();
  EXPECT_FALSE(viewer.share().is_paused) << "it may be over in a moment";
  viewer.look(Duration::seconds(3));
  EXPECT_TRUE(viewer.share().is_paused);
  EXPECT_TRUE(viewer.budget.is_paused());
  viewer.path = 3'000'000;
  viewer.look(Duration::seconds(6));
  EXPECT_EQ(viewer.share(), ViewerBudget::Share{.layer_max = 2});
  EXPECT_FALSE(viewer.budget.is_paused());
}

TEST(ViewerBudget, is_back_at_once_after_an_outage) {
  Viewer viewer;
  viewer.path = 700'000;
  viewer.look();
  viewer.path = 3'000'000;
  viewer.look(Duration::seconds(3));
  ASSERT_EQ(viewer.share().layer_max, 2);
  viewer.is_silent = true;
  viewer.path = 100'000;
  viewer.look(Duration::seconds(3));
  ASSERT_TRUE(viewer.share().is_paused);
  viewer.is_silent = false;
  viewer.path = 3'000'000;
  viewer.look(Duration::seconds(2));
  EXPECT_EQ(viewer.share().layer_max, 2);
}

TEST(ViewerBudget, pauses_no_picture_where_there_is_no_sound) {
  Viewer viewer;
  viewer.sound = {};
  viewer.path = 100'000;
  viewer.look(Duration::seconds(5));
  EXPECT_EQ(viewer.share(), ViewerBudget::Share{.layer_max = 0});
  EXPECT_FALSE(viewer.budget.is_paused());
}

TEST(ViewerBudget, does_not_bound_who_cannot_tell_or_does_not) {
  Viewer mute(false);
  EXPECT_EQ(mute.share(), ViewerBudget::Share{});
  mute.path = 100'000;
  mute.is_told = false;
  mute.look(Duration::seconds(5));
  EXPECT_EQ(mute.share(), ViewerBudget::Share{});
  mute.is_told = true;  // By REMB.
  mute.look(Duration::seconds(5));
  EXPECT_TRUE(mute.share().is_paused);

  Viewer silent;
  silent.path = 300'000;
  silent.is_told = false;
  silent.look();
  EXPECT_EQ(silent.share().layer_max, 0);
  silent.look(Duration::seconds(2));
  EXPECT_EQ(silent.share(), ViewerBudget::Share{});
  EXPECT_TRUE(silent.budget.take_news());
}

TEST(ViewerBudget, tells_of_layers_that_flow_alone) {
  webrtc::FanOutWorld world;
  payload::RtpTrack track{.layers = 3};
  const webrtc::StreamId stream = world.fan_out.add_stream(track);
  LayerRates rates;
  auto steps = [&] {
    rates.measure(world.now, world.fan_out, stream, track);
    return steps_of(world.now, world.fan_out, stream, track, rates);
  };
  EXPECT_TRUE(steps().empty());
  world.now += Duration::seconds(1);
  world.frame(stream, {.is_keyframe = true});
  const auto known = steps();
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].layer, 0);
  EXPECT_EQ(known[0].bits_per_second, rates.bits_per_second(0));
}

}  // namespace
}  // namespace stoa::shard
