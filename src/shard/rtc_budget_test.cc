// What viewers over WHEP are sent when their path does not carry all of it.
#include <gtest/gtest.h>

#include "shard/test_rtc_town.h"

namespace stoa::shard {
namespace {

ShardConfig controlled(std::uint64_t start_bits_per_second) {
  ShardConfig config;
  config.rtc.port.fan_out.congestion = bwe::Config{.start_bits_per_second = start_bits_per_second};
  return config;
}

// A publisher of three sizes, of 0.64, 1.28 and 1.92 Mb/s with all headers, and viewers who say themselves
// what their path carries (REMB).
class Narrow : public ::testing::Test {
 protected:
  RtcParty& watch(ShardIndex shard = 0) {
    RtcParty& viewer = town.watch("news", shard);
    paths[&viewer] = 3'000'000;
    return viewer;
  }
  template <typename Condition>
  bool carry_until(Condition&& is_met, Duration most = Duration::seconds(20)) {
    for (const Timestamp end = town.time.now() + most; town.time.now() < end;) {
      for (auto& [viewer, bits_per_second] : paths) viewer->client->send_remb(bits_per_second);
      if (town.run_until(is_met, Duration::milliseconds(200))) return true;
    }
    return is_met();
  }
  void carry(Duration duration) {
    carry_until([] { return false; }, duration);
  }
  static std::size_t count(const RtcParty& viewer, std::size_t layer) {
    return static_cast<std::size_t>(std::ranges::count(viewer.client->pictures, layer, &webrtc::Told::layer));
  }
  bool comes_to(const RtcParty& viewer, std::size_t layer) {
    const std::size_t before = count(viewer, layer);
    return carry_until([&] { return count(viewer, layer) > before + 25; });
  }

  RtcTown town{2, controlled(1'000'000)};
  std::map<RtcParty*, std::uint64_t> paths;
};

TEST_F(Narrow, viewers_get_the_layer_that_fits_and_sound_before_pictures) {
  town.publish("news", 0, {.layers = 3});
  RtcParty& viewer = watch();
  ASSERT_TRUE(comes_to(viewer, 2));
  EXPECT_EQ(viewer.client->pictures.front().layer, 0u) << "what is there soonest";
  EXPECT_EQ(town.metric("stoa_whep_viewers_bounded"), 0);

  for (const auto& [bits_per_second, layer] : {std::pair{1'600'000u, 1u}, std::pair{900'000u, 0u}}) {
    paths[&viewer] = bits_per_second;
    carry(Duration::seconds(3));
    const std::size_t all = viewer.client->pictures.size(), before = count(viewer, layer);
    carry(Duration::seconds(2));
    EXPECT_GE(count(viewer, layer), before + 45);
    EXPECT_EQ(viewer.client->pictures.size() - all, count(viewer, layer) - before) << "and no other";
    EXPECT_EQ(town.metric("stoa_whep_viewers_bounded"), 1);
  }
  EXPECT_TRUE(TestClient::is_gapless(viewer.client->pictures)) << "layers change without a missing picture";

  paths[&viewer] = 300'000;
  carry(Duration::seconds(4));
  EXPECT_EQ(town.metric("stoa_whep_viewers_audio_only"), 1);
  const std::size_t pictures = viewer.client->pictures.size(), sounds = viewer.client->sounds.size();
  carry(Duration::seconds(3));
  EXPECT_EQ(viewer.client->pictures.size(), pictures);
  EXPECT_GE(viewer.client->sounds.size(), sounds + 145);
  EXPECT_TRUE(TestClient::is_gapless(viewer.client->sounds));

  paths[&viewer] = 3'000'000;
  const Timestamp back = town.time.now();
  ASSERT_TRUE(comes_to(viewer, 2));
  EXPECT_LE(town.time.now() - back, Duration::seconds(8));
  EXPECT_EQ(town.metric("stoa_whep_viewers_audio_only"), 0);
  EXPECT_EQ(viewer.client->damaged, 0u);
}

TEST_F(Narrow, each_viewer_has_what_his_own_path_carries) {
  town.publish("news", 0, {.layers = 3});
  RtcParty &wide = watch(0), &narrow = watch(0), &elsewhere = watch(1);
  paths[&narrow] = 900'000;
  carry(Duration::seconds(5));
  auto newest = [](const RtcParty& viewer) { return viewer.client->pictures.back().layer; };
  EXPECT_EQ(newest(wide), 2u);
  EXPECT_EQ(newest(narrow), 0u);
  EXPECT_EQ(newest(elsewhere), 2u);
  EXPECT_EQ(count(narrow, 2), 0u);
}

TEST_F(Narrow, a_picture_without_sound_is_not_paused) {
  town.publish("news", 0, {.has_audio = false, .layers = 3});
  RtcParty& viewer = watch();
  ASSERT_TRUE(comes_to(viewer, 2));
  paths[&viewer] = 300'000;
  carry(Duration::seconds(5));
  EXPECT_TRUE(comes_to(viewer, 0));
}

TEST_F(Narrow, a_source_of_one_layer_is_paused_and_comes_back) {
  town.publish("news", 0);
  RtcParty& viewer = watch();
  carry(Duration::seconds(3));
  EXPECT_TRUE(TestClient::is_gapless(viewer.client->pictures));
  EXPECT_GE(viewer.client->pictures.size(), 70u);
  paths[&viewer] = 300'000;
  carry(Duration::seconds(4));
  const std::size_t paused = viewer.client->pictures.size();
  carry(Duration::seconds(2));
  EXPECT_EQ(viewer.client->pictures.size(), paused);
  paths[&viewer] = 3'000'000;
  EXPECT_TRUE(comes_to(viewer, 0));
}

TEST_F(Narrow, a_source_of_one_layer_comes_back_where_it_just_fits) {
  town.publish("news", 0);
  RtcParty& viewer = watch();
  carry(Duration::seconds(3));
  paths[&viewer] = 300'000;
  carry(Duration::seconds(4));
  EXPECT_EQ(town.metric("stoa_whep_viewers_audio_only"), 1);
  paths[&viewer] = 750'000;
  EXPECT_TRUE(comes_to(viewer, 0));
  EXPECT_EQ(town.metric("stoa_whep_viewers_audio_only"), 0);
}

TEST(Wide, viewers_have_all_at_once_where_congestion_is_not_controlled) {
  RtcTown town(1);
  town.publish("news", 0, {.layers = 3});
  RtcParty& viewer = town.watch("news", 0);
  town.run_for(Duration::seconds(2));
  for (const webrtc::Told& picture : viewer.client->pictures) EXPECT_EQ(picture.layer, 2u);
  EXPECT_GE(viewer.client->pictures.size(), 40u);
}

}  // namespace
}  // namespace stoa::shard
