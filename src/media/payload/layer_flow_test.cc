#include "media/payload/layer_flow.h"

#include <gtest/gtest.h>

namespace stoa::payload {
namespace {

constexpr Duration kSilence = Duration::milliseconds(200);

class Flow : public testing::Test {
 protected:
  // A frame of each of `layers`, a thirtieth of a second after the one before.
  void frame(std::initializer_list<std::size_t> layers) {
    now_ += Duration::milliseconds(33);
    for (const std::size_t layer : layers) flow_.note(now_, layer, ++frames_[layer]);
  }
  bool is_given_up(std::size_t layer) const { return flow_.is_given_up(now_, layer, kSilence); }

  LayerFlow flow_;
  Timestamp now_ = Timestamp() + Duration::seconds(10);
  std::array<std::uint64_t, kLayersMax> frames_{};
};

TEST_F(Flow, gives_up_what_is_silent_while_others_go_on) {
  for (int i = 0; i < 10; ++i) frame({0, 1});
  for (int i = 0; i < 6; ++i) frame({0});
  EXPECT_FALSE(is_given_up(1));
  frame({0});
  EXPECT_TRUE(is_given_up(1));
  EXPECT_FALSE(is_given_up(0));
  frame({0, 1});
  EXPECT_FALSE(is_given_up(1));
}

TEST_F(Flow, bears_silence_of_all) {
  frame({0, 1});
  now_ += Duration::seconds(20);
  EXPECT_FALSE(is_given_up(0) || is_given_up(1));
  frame({0});
  frame({0});
  EXPECT_FALSE(is_given_up(1));
  frame({0});
  EXPECT_TRUE(is_given_up(1));
}

// A screen at three frames a second, beside its small picture at thirty.
TEST_F(Flow, waits_for_a_slow_layer_beside_a_fast_one) {
  for (int i = 0; i < 60; ++i) {
    frame({0});
    if (i % 10 == 0) frame({1});
    EXPECT_FALSE(i >= 10 && is_given_up(1)) << i;
  }
  for (int i = 0; i < 20; ++i) frame({0});
  EXPECT_TRUE(is_given_up(1));
}

// A line that became narrow brings the frames of all later.
TEST_F(Flow, waits_no_longer_where_all_became_slow) {
  for (int i = 0; i < 10; ++i) frame({0, 1});
  for (int i = 0; i < 5; ++i) {
    now_ += Duration::milliseconds(300);
    frame({0, 1});
  }
  for (int i = 0; i < 7; ++i) frame({0});
  EXPECT_TRUE(is_given_up(1));
}

// It was given up, came back and is given up again.
TEST_F(Flow, takes_a_pause_for_no_slow_layer) {
  for (int i = 0; i < 10; ++i) frame({0, 1});
  for (int i = 0; i < 60; ++i) frame({0});
  frame({0, 1});
  for (int i = 0; i < 25; ++i) frame({0});
  EXPECT_TRUE(is_given_up(1));
}

TEST_F(Flow, forgets_that_a_layer_was_slow) {
  for (int i = 0; i < 30; ++i) {
    frame({0});
    if (i % 10 == 0) frame({1});
  }
  for (int i = 0; i < 20; ++i) frame({0, 1});
  for (int i = 0; i < 7; ++i) frame({0});
  EXPECT_TRUE(is_given_up(1));
}

TEST_F(Flow, says_nothing_of_layers_that_never_came) {
  for (int i = 0; i < 30; ++i) frame({2});
  EXPECT_FALSE(is_given_up(0) || is_given_up(1) || is_given_up(3));
}

}  // namespace
}  // namespace stoa::payload
