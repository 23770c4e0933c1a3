#include "room/layer_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace stoa::room {
namespace {

std::vector<VideoLayer> three_layers() {
  return {{Quality::kLow, 320, 180, 150'000},
          {Quality::kMedium, 640, 360, 500'000},
          {Quality::kHigh, 1280, 720, 1'700'000}};
}
TrackWish size(std::uint32_t width, std::uint32_t height) {
  TrackWish wish;
  wish.width = width;
  wish.height = height;
  return wish;
}

TEST(QualityOf, takes_the_smallest_layer_that_covers_the_size) {
  auto layers = three_layers();
  EXPECT_EQ(quality_of(size(320, 180), layers), Quality::kLow);
  EXPECT_EQ(quality_of(size(321, 180), layers), Quality::kMedium);
  EXPECT_EQ(quality_of(size(640, 361), layers), Quality::kHigh);
  std::swap(layers[0], layers[2]);
  EXPECT_EQ(quality_of(size(100, 100), layers), Quality::kLow);
}

TEST(QualityOf, takes_the_largest_layer_where_none_covers_the_size) {
  auto layers = three_layers();
  EXPECT_EQ(quality_of(size(1920, 1080), layers), Quality::kHigh);
  layers.pop_back();
  EXPECT_EQ(quality_of(size(1920, 1080), layers), Quality::kMedium);
}

TEST(QualityOf, turns_a_size_to_the_layers_side) {
  EXPECT_EQ(quality_of(size(180, 320), three_layers()), Quality::kLow);
  EXPECT_EQ(quality_of(size(360, 640), three_layers()), Quality::kMedium);
}

TEST(QualityOf, goes_by_the_one_side_that_is_said) {
  EXPECT_EQ(quality_of(size(0, 300), three_layers()), Quality::kMedium);
  EXPECT_EQ(quality_of(size(641, 0), three_layers()), Quality::kHigh);
}

TEST(QualityOf, goes_by_quality_where_no_size_is_known) {
  TrackWish wish;
  wish.quality = Quality::kMedium;
  EXPECT_EQ(quality_of(wish, three_layers()), Quality::kMedium);
  wish.width = 5'000;
  EXPECT_EQ(quality_of(wish, {}), Quality::kMedium);
  EXPECT_EQ(quality_of(wish, std::vector<VideoLayer>{{Quality::kHigh, 0, 0}}), Quality::kMedium);
}

TEST(QualityOf, is_off_when_disabled_whatever_the_size) {
  TrackWish wish = size(1280, 720);
  wish.is_disabled = true;
  EXPECT_EQ(quality_of(wish, three_layers()), Quality::kOff);
}

TEST(PriorityOf, puts_a_shared_screen_before_a_camera_unless_told) {
  EXPECT_GT(priority_of({}, TrackSource::kScreenShare), priority_of({}, TrackSource::kCamera));
  TrackWish wish;
  wish.priority = 7;
  EXPECT_EQ(priority_of(wish, TrackSource::kScreenShare), 7u);
  wish.priority = 100'000;
  EXPECT_EQ(priority_of(wish, TrackSource::kCamera), kPriorityMax);
}

TEST(AtMost, takes_off_for_the_lowest) {
  EXPECT_EQ(at_most(Quality::kHigh, Quality::kMedium), Quality::kMedium);
  EXPECT_EQ(at_most(Quality::kLow, Quality::kMedium), Quality::kLow);
  EXPECT_EQ(at_most(Quality::kLow, Quality::kOff), Quality::kOff);
  EXPECT_EQ(at_most(Quality::kOff, Quality::kHigh), Quality::kOff);
}

TEST(LayerOf, is_the_highest_that_is_wanted) {
  EXPECT_EQ(layer_of(Quality::kHigh, three_layers()), 2);
  EXPECT_EQ(layer_of(Quality::kMedium, three_layers()), 1);
  EXPECT_EQ(layer_of(Quality::kLow, three_layers()), 0);
}

TEST(LayerOf, is_the_lowest_when_all_are_above_the_wish) {
  auto layers = three_layers();
  layers.erase(layers.begin());
  EXPECT_EQ(layer_of(Quality::kLow, layers), 0);
  EXPECT_EQ(layer_of(Quality::kLow, {}), 0);
}

}  // namespace
}  // namespace stoa::room
