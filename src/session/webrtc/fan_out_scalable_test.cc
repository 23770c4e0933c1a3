// Receivers of one stream with spatial and temporal layers get those that they are to have, and notice
// nothing else.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>

#include "session/webrtc/fan_out.h"
#include "session/webrtc/test_fan_out.h"
#include "session/webrtc/test_scalable.h"

namespace stoa::webrtc {
namespace {

using Counts = ScalableView::Counts;
using payload::Encoding;

constexpr Duration kPicture = Duration::from_ticks(3000, 90'000);
constexpr bwe::PacerConfig kUnpaced{
    .bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000};

struct Stage {
  explicit Stage(Encoding codec = Encoding::kVp9, Scalability mode = {})
      : encoding(codec), stream(world.add_stream(codec)), source(world, stream, codec, mode) {}

  ScalableView& add_view(payload::LayerIndex layer = payload::kLayersMax - 1) {
    OutletConfig config = FanOutWorld::video(encoding);
    config.extensions.set(rtp::ExtensionKind::kDependencyDescriptor, 5);
    Peer& peer = world.add_peer({config}, kUnpaced);
    ScalableView& view = views.emplace_back(peer);
    set_layer(view, layer);
    world.set_source(peer, stream);
    return view;
  }
  void set_layer(ScalableView& view, payload::LayerIndex layer) {
    world.fan_out.set_layer_max(world.now, view.peer.id, 0, layer, world.out);
  }
  void want_frames(ScalableView& view, std::uint32_t frames) {
    world.fan_out.set_frames_wanted(view.peer.id, 0, frames);
  }
  void check() {
    for (ScalableView& view : views) {
      view.check(source);
      if (source.has_descriptors() && !testing::Test::HasFatalFailure()) view.check_targets();
    }
    EXPECT_EQ(world.fan_out.totals().refused, 0u);
    EXPECT_TRUE(world.refusals.empty());
  }

  FanOutWorld world;
  Encoding encoding;
  StreamId stream;
  ScalableSource source;
  std::deque<ScalableView> views;
};

constexpr std::array kModes{Scalability{3, 3, true, false}, Scalability{3, 3, true, true},
                            Scalability{3, 3, false, false}, Scalability{2, 1, true, true},
                            Scalability{2, 2, false, true}};
constexpr std::array kCodecs{Encoding::kVp9, Encoding::kAv1};

// What who is sent up to this layer has of so many pictures, so many keyframes among them: of layers that
// refer to lower ones in keyframes alone these have the lower ones.
Counts expected_of(const Scalability& mode, std::size_t layer, std::size_t pictures, std::size_t keyframes) {
  const std::size_t top = std::min<std::size_t>(layer, mode.spatial - 1u);
  Counts expected{.pictures = pictures};
  for (std::size_t s = 0; s < top; ++s) expected.with[s] = mode.is_key ? keyframes : pictures;
  expected.with[top] = pictures;
  return expected;
}

template <typename Run>
void for_each_mode(Run run) {
  for (const Encoding encoding : kCodecs) {
    for (const Scalability& mode : kModes) {
      SCOPED_TRACE(testing::Message() << payload::name_of(encoding) << " L" << int{mode.spatial} << 'T'
                                      << int{mode.temporal} << (mode.is_key ? "_KEY" : ""));
      run(encoding, mode);
      if (testing::Test::HasFatalFailure() || testing::Test::HasNonfatalFailure()) return;
    }
  }
}

TEST(FanOutScalable, sends_each_receiver_its_layers_without_a_hole) {
  for_each_mode([](Encoding encoding, Scalability mode) {
    Stage stage(encoding, mode);
    for (payload::LayerIndex layer = 0; layer < 4; ++layer) stage.add_view(layer);
    stage.source.play(40, true);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(stage.views[i].counts_since(0), expected_of(mode, i, 40, 1)) << i;
    }
    stage.check();
  });
}

TEST(FanOutScalable, sends_fewer_frames_of_fewer_layers) {
  for (const Encoding encoding : kCodecs) {
    Stage stage(encoding);
    ScalableView &small = stage.add_view(0), &middle = stage.add_view(1), &large = stage.add_view();
    stage.want_frames(small, 8);
    stage.want_frames(middle, 15);
    stage.want_frames(large, 8);
    stage.source.play(120, true);
    const std::uint32_t from = stage.source.picture;
    stage.source.play(240);
    EXPECT_EQ(small.counts_since(from), (Counts{60, {60}}));
    EXPECT_EQ(middle.counts_since(from), (Counts{120, {0, 120}}));
    EXPECT_EQ(large.counts_since(from), (Counts{60, {0, 0, 60}}));
    stage.check();
  }
}

TEST(FanOutScalable, goes_down_at_the_next_picture_if_it_can_and_up_at_a_keyframe_that_it_asks_for) {
  for_each_mode([](Encoding encoding, Scalability mode) {
    Stage stage(encoding, mode);
    const auto top = static_cast<payload::LayerIndex>(mode.spatial - 1);
    ScalableView &view = stage.add_view(), &other = stage.add_view();
    stage.source.play(30, true);
    stage.world.take_wanted();
    std::uint32_t from = stage.source.picture;
    stage.set_layer(view, 0);
    if (mode.is_key) {
      // It lacks what the lower layer refers to.
      EXPECT_EQ(stage.world.take_wanted().size(), 1u);
      stage.source.play(8);
      const std::size_t least = mode.temporal == 3 ? 2 : 8;
      EXPECT_EQ(view.counts_since(from), expected_of(mode, top, least, 0)) << "fewer frames, till then";
      from = stage.source.picture;
      stage.source.play(1, true);
      EXPECT_EQ(other.counts_since(from), expected_of(mode, top, 1, 1));
      stage.source.play(29);
    } else {
      stage.source.play(30);
    }
    EXPECT_EQ(view.counts_since(from), (Counts{30, {30}})) << "at once";
    EXPECT_TRUE(stage.world.take_wanted().empty());
    from = stage.source.picture;
    stage.set_layer(view, top);
    const auto wanted = stage.world.take_wanted();
    ASSERT_EQ(wanted.size(), 1u);
    EXPECT_EQ(wanted[0].stream, stage.stream);
    stage.set_layer(other, 0);
    stage.source.play(5);
    stage.set_layer(other, top);
    EXPECT_TRUE(stage.world.take_wanted().empty()) << "it was asked a moment ago";
    EXPECT_EQ(view.counts_since(from), (Counts{5, {5}})) << "the layer that it has goes on";
    from = stage.source.picture;
    stage.source.play(20, true);
    const Counts all = expected_of(mode, top, 20, 1);
    EXPECT_EQ(view.counts_since(from), all);
    EXPECT_EQ(other.counts_since(from), all);
    stage.world.pass(Duration::seconds(2));
    EXPECT_TRUE(stage.world.take_wanted().empty()) << "nothing is wanted any more";
    stage.check();
  });
}

TEST(FanOutScalable, asks_again_for_a_keyframe_that_does_not_come) {
  Stage stage;
  ScalableView& view = stage.add_view(0);
  stage.source.play(10, true);
  stage.world.take_wanted();
  stage.set_layer(view, 2);
  EXPECT_EQ(stage.world.take_wanted().size(), 1u);
  std::size_t asked = 0;
  for (int i = 0; i < 90; ++i) {
    stage.source.play(1);
    asked += stage.world.take_wanted().size();
  }
  EXPECT_GE(asked, 2u);
  EXPECT_LE(asked, 4u) << "in three seconds";
  stage.check();
}

TEST(FanOutScalable, goes_up_where_a_layer_begins_within_a_picture) {
  for (const Encoding encoding : kCodecs) {
    for (const bool comes_whole : {true, false}) {
      Stage stage(encoding, {3, 3, false, true});
      ScalableView& view = stage.add_view(0);
      const auto play = [&](std::uint8_t begins) {
        for (const auto& made : stage.source.picture_of(2, stage.source.picture == 0, begins)) {
          stage.source.append(made);
          if (!comes_whole) stage.world.drain();
        }
        stage.world.drain();
        stage.world.pass(kPicture);
      };
      for (int i = 0; i < 40; ++i) play(i % 8 == 4 ? 1 : 0xff);
      stage.world.take_wanted();
      stage.set_layer(view, 1);
      EXPECT_TRUE(stage.world.take_wanted().empty()) << "the stream lets one in often enough";
      const std::uint32_t from = stage.source.picture;
      for (int i = 40; i < 56; ++i) play(i % 8 == 4 ? 1 : 0xff);
      // What ends a picture is told with its packet: where the next did not come yet, it was the last.
      EXPECT_EQ(view.counts_since(from).with[1], comes_whole ? 12u : 0u);
      EXPECT_EQ(view.counts_since(from).with[2], 0u);
      const std::uint32_t then = stage.source.picture;
      stage.set_layer(view, 2);
      for (int i = 56; i < 72; ++i) play(i % 8 == 4 ? 1 : 0xff);
      EXPECT_EQ(view.counts_since(then).with[2], comes_whole ? 12u : 0u);
      stage.check();
    }
  }
}

// Who had it was not sent what the layers below refer to.
TEST(FanOutScalable, asks_for_a_keyframe_where_a_layer_ends_that_goes_without_those_below) {
  for (const Encoding encoding : kCodecs) {
    Stage stage(encoding);
    ScalableView &all = stage.add_view(), &middle = stage.add_view(1);
    stage.source.play(30, true);
    stage.world.take_wanted();
    std::uint32_t from = stage.source.picture;
    stage.source.active = 2;
    stage.source.play(3);
    EXPECT_TRUE(stage.world.take_wanted().empty()) << "encoders leave out frames now and then";
    stage.source.play(5);
    stage.world.pass(Duration::milliseconds(1));
    EXPECT_EQ(stage.world.take_wanted().size(), 1u);
    EXPECT_EQ(all.counts_since(from), Counts{}) << "nothing that it could not decode";
    EXPECT_EQ(middle.counts_since(from), (Counts{8, {0, 8}}));
    from = stage.source.picture;
    stage.source.play(10, true);
    EXPECT_EQ(all.counts_since(from), (Counts{10, {1, 10}}));
    stage.source.active = 3;
    from = stage.source.picture;
    stage.source.play(10, true);
    EXPECT_EQ(all.counts_since(from), (Counts{10, {1, 1, 10}}));
    stage.check();
  }
}

TEST(FanOutScalable, lets_nobody_fall_to_what_it_cannot_decode_where_a_layer_ends) {
  for (const Encoding encoding : kCodecs) {
    for (const int pictures_before : {0, 20}) {
      Stage stage(encoding);
      ScalableView &all = stage.add_view(), &middle = stage.add_view(1);
      stage.source.play(30, true);
      stage.source.active = 2;
      const std::uint32_t from = stage.source.picture;
      stage.source.play(pictures_before);
      stage.set_layer(all, 1);
      stage.source.play(30);
      EXPECT_EQ(all.counts_since(from), Counts{}) << pictures_before;
      EXPECT_FALSE(stage.world.take_wanted().empty());
      const std::uint32_t then = stage.source.picture;
      stage.source.play(10, true);
      EXPECT_EQ(all.counts_since(then), (Counts{10, {1, 10}}));
      EXPECT_EQ(middle.counts_since(then), (Counts{10, {1, 10}}));
      stage.check();
    }
  }
}

TEST(FanOutScalable, takes_up_a_layer_that_its_publisher_begins) {
  for (const Encoding encoding : kCodecs) {
    Stage stage(encoding, {3, 3, false, false});
    stage.source.active = 1;
    ScalableView &all = stage.add_view(), &middle = stage.add_view(1), &small = stage.add_view(0);
    stage.source.play(32, true);
    stage.source.active = 3;
    const std::uint32_t from = stage.source.picture;
    stage.source.play(30);
    EXPECT_EQ(all.counts_since(from), (Counts{30, {30, 30, 30}}));
    EXPECT_EQ(middle.counts_since(from), (Counts{30, {30, 30}}));
    EXPECT_EQ(small.counts_since(from), (Counts{30, {30}}));
    stage.source.active = 1;
    stage.source.play(30);
    // Of what does not come nothing is asked for.
    stage.world.take_wanted();
    stage.set_layer(small, 2);
    stage.source.play(60);
    EXPECT_TRUE(stage.world.take_wanted().empty());
    const std::uint32_t then = stage.source.picture;
    stage.source.active = 2;
    stage.source.play(20);
    EXPECT_EQ(small.counts_since(then), (Counts{20, {20, 20}}));
    stage.check();
  }
}

TEST(FanOutScalable, answers_nacks_with_what_went_under_the_number) {
  for (const Encoding encoding : kCodecs) {
    Stage stage(encoding, {3, 3, false, true});
    ScalableView& view = stage.add_view();
    stage.source.play(20, true);
    stage.set_layer(view, 1);
    stage.source.play(4);
    stage.set_layer(view, 0);
    stage.source.play(4);
    stage.set_layer(view, 1);
    for (const auto& made : stage.source.picture_of(2, false, 1)) stage.source.append(made);
    stage.source.play(4);
    view.take();
    std::vector<std::uint16_t> numbers;
    const std::int64_t newest = view.pieces.rbegin()->first;
    for (std::int64_t i = newest - 59; i <= newest; ++i) numbers.push_back(static_cast<std::uint16_t>(i));
    stage.world.nack(view.peer, numbers);
    stage.world.drain();
    view.take();
    EXPECT_EQ(view.again, 60u);
    EXPECT_EQ(stage.world.fan_out.stats(view.peer.id, 0).nacked_unknown, 0u);
    stage.check();
  }
}

TEST(FanOutScalable, says_which_decode_targets_are_left) {
  for_each_mode([](Encoding encoding, Scalability mode) {
    if (mode.spatial != 3) return;
    Stage stage(encoding, mode);
    stage.source.with_descriptor = true;
    ScalableView &view = stage.add_view(1), &all = stage.add_view();
    stage.source.play(8, true);
    stage.set_layer(view, 0);
    stage.source.play(8);
    stage.source.play(8, true);
    stage.want_frames(view, 8);
    stage.source.play(120);
    stage.set_layer(view, 2);
    stage.source.play(4, true);
    stage.want_frames(view, 0);
    stage.source.play(8);
    stage.check();
    const rtp::DependencyStructure known = stage.source.structure();
    // VP9 lets in to both higher temporal layers at once.
    std::vector<std::uint32_t> said, expected{0b000'111'111, 0b000'000'111, 0b000'000'001, 0b001'001'001};
    if (mode.is_key) expected = {0b000'111'000, 0b000'001'000, 0b000'000'111, 0b000'000'001, 0b001'000'000};
    const std::uint32_t of_top = mode.is_key ? 0b111'000'000 : 0b111'111'111;
    if (encoding == Encoding::kAv1) expected.push_back(of_top & 0b011'011'011);
    expected.push_back(of_top);
    for (const auto& [sequence, piece] : view.pieces)
      if (const auto active = ScalableView::active_of(piece, known))
        if (said.empty() || said.back() != *active) said.push_back(*active);
    EXPECT_EQ(said, expected);
    said.clear();
    for (const auto& [sequence, piece] : all.pieces)
      if (const auto active = ScalableView::active_of(piece, known)) said.push_back(*active);
    EXPECT_EQ(said, (std::vector<std::uint32_t>{of_top, of_top, of_top})) << "with the structures alone";
  });
}

TEST(FanOutScalable, tells_no_target_active_that_its_publisher_told_is_not) {
  Stage stage(Encoding::kAv1, {3, 3, false, false});
  ScalableView& view = stage.add_view(1);
  stage.source.play(8, true);
  // The publisher sends no third temporal layer from here on, and says so.
  const rtp::DependencyStructure known = stage.source.structure();
  auto made = stage.source.picture_of(1, false);
  auto parsed = rtp::parse_dependency_descriptor(made[0].descriptor, &known);
  ASSERT_TRUE(parsed);
  parsed->active_targets = 0b011'011'011;
  made[0].descriptor = *rtp::write_dependency_descriptor(*parsed, &known);
  for (const auto& one : made) stage.source.append(one);
  stage.world.drain();
  view.take();
  EXPECT_EQ(ScalableView::active_of(std::prev(view.pieces.end(), 2)->second, known), 0b000'011'011u);
  stage.set_layer(view, 0);
  stage.source.play(1);
  view.take();
  EXPECT_EQ(ScalableView::active_of(std::prev(view.pieces.end(), 2)->second, known), 0b000'000'011u);
}

// Nobody knew what it was when the numbers behind it went out.
TEST(FanOutScalable, fills_the_number_of_a_late_packet_that_the_level_leaves_out) {
  for_each_mode([](Encoding encoding, Scalability mode) {
    if (mode.spatial != 3) return;
    Stage stage(encoding, mode);
    ScalableView &small = stage.add_view(0), &all = stage.add_view();
    stage.source.play(10, true);
    auto made = stage.source.picture_of(2, false);
    for (std::size_t i = 0; i < made.size(); ++i)
      if (i != 1 && i != 3) stage.source.append(made[i]);
    stage.source.play(4);
    small.take();
    EXPECT_EQ(small.missing().size(), 2u);
    stage.source.append(made[1]);  // Of the lowest layer: it ends the picture, as far as that is sent.
    stage.source.append(made[3]);
    stage.world.drain();
    stage.check();
    EXPECT_EQ(small.fillers(), 1u);
    EXPECT_EQ(all.fillers(), mode.is_key ? 2u : 0u);
  });
}

TEST(FanOutScalable, ends_a_picture_of_which_the_layers_in_between_are_missing) {
  Stage stage;
  ScalableView& view = stage.add_view(1);
  stage.source.play(10, true);
  // An encoder may leave a layer out now and then: here the one that the receiver has as its highest.
  auto made = stage.source.picture_of(2, false);
  std::int64_t sequence = made[0].packet.sequence;
  for (const std::size_t i : {0u, 1u, 4u, 5u}) {
    made[i].packet.sequence = sequence++;
    stage.source.append(made[i]);
  }
  stage.source.sequence = sequence;
  stage.world.drain();
  view.take();
  EXPECT_TRUE(view.pieces.rbegin()->second.marker);
}

TEST(FanOutScalable, takes_the_layer_for_one_of_simulcast_where_there_are_such) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(Encoding::kVp9, 3);
  ScalableSource source(world, stream, Encoding::kVp9, {2, 1, true, true});
  Peer& peer = world.add_peer({FanOutWorld::video(Encoding::kVp9)}, kUnpaced);
  world.fan_out.set_layer_max(world.now, peer.id, 0, 0, world.out);
  world.set_source(peer, stream);
  source.play(10, true);
  ScalableView view(peer);
  EXPECT_EQ(view.counts_since(0), (Counts{10, {1, 10}})) << "the whole of its first layer";
}

TEST(FanOutScalable, measures_what_each_level_takes) {
  Stage stage;
  stage.source.play(40, true);
  const History& history = *stage.world.fan_out.history(stage.stream, 0);
  std::uint64_t sum = 0;
  for (const auto& by_rate : history.level_bytes())
    for (const std::uint64_t bytes : by_rate) sum += bytes;
  const auto keyframe = static_cast<std::uint64_t>(history.appended_bytes() / 40 / 3);
  EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(history.appended_bytes() + 3 * keyframe), 10)
      << "each layer is of one level, but for the keyframe, which two need as well, or one";
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_GT(history.level_bytes()[s][0], 0u);
    EXPECT_EQ(history.level_bytes()[s][3], 0u);
    EXPECT_EQ(history.level_bytes()[s][2], history.level_bytes()[2][2]) << "two of four pictures";
  }
  EXPECT_EQ(history.spatial_layers(stage.world.now), 3);
  stage.source.active = 2;
  stage.source.play(10);
  EXPECT_EQ(history.spatial_layers(stage.world.now), 3) << "perhaps it is only late";
  stage.source.play(10);
  EXPECT_EQ(history.spatial_layers(stage.world.now), 2);
}

// Packets are late, in another order, and lost for good now and then; wishes change; receivers ask again.
TEST(FanOutScalable, holds_whatever_happens) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Stage stage(kCodecs[seed % 2], kModes[rng.below(kModes.size())]);
    stage.source.with_descriptor = rng.chance(0.5);
    for (int i = 0; i < 4; ++i) stage.add_view();
    std::multimap<Timestamp, ScalableSource::Made> delayed;
    const bool loses = seed % 3 == 0;
    std::int64_t lost = 0;
    bool is_key_wanted = false;
    for (int i = 0; i < 600; ++i) {
      for (const StreamKeyframeWanted& wanted : stage.world.take_wanted())
        is_key_wanted |= wanted.stream == stage.stream;
      const bool is_keyframe = i == 0 || rng.chance(0.003) || (is_key_wanted && rng.chance(0.2));
      if (is_keyframe) is_key_wanted = false;
      const std::uint8_t begins =
          stage.source.mode.is_key || !rng.chance(0.05) ? 0xff : static_cast<std::uint8_t>(1 + rng.below(2));
      if (rng.chance(0.01) && (is_keyframe || !stage.source.mode.is_key))
        stage.source.active = static_cast<std::uint8_t>(1 + rng.below(stage.source.mode.spatial));
      for (const auto& one : stage.source.picture_of(1 + rng.below(3), is_keyframe, begins)) {
        const bool can_be_hurt = i > 5 && i < 580;
        if (can_be_hurt && loses && rng.chance(0.003)) {
          ++lost;
        } else if (can_be_hurt && rng.chance(0.04)) {
          delayed.emplace(stage.world.now + kPicture * static_cast<std::int64_t>(rng.below(12)), one);
        } else {
          stage.source.append(one);
        }
        if (rng.chance(0.1)) stage.world.drain();
      }
      while (!delayed.empty() && delayed.begin()->first <= stage.world.now) {
        stage.source.append(delayed.begin()->second);
        delayed.erase(delayed.begin());
      }
      if (rng.chance(0.9)) stage.world.drain();
      stage.world.pass(kPicture);
      for (std::size_t v = 1; v < stage.views.size(); ++v) {
        if (rng.chance(0.03)) stage.set_layer(stage.views[v], static_cast<payload::LayerIndex>(rng.below(4)));
        if (rng.chance(0.03))
          stage.want_frames(stage.views[v], std::array<std::uint32_t, 4>{0, 8, 15, 30}[rng.below(4)]);
      }
      if (i % 5 == 0)
        for (ScalableView& view : stage.views) {
          view.take();
          auto numbers = view.missing(30);
          if (numbers.empty()) continue;
          stage.world.nack(view.peer, numbers);
          stage.world.drain();
        }
    }
    for (ScalableView& view : stage.views) {
      view.take();
      const auto unanswered = static_cast<std::int64_t>(view.missing(10'000).size());
      if (loses) {
        EXPECT_LE(unanswered, lost);
      } else {
        view.check(stage.source);
        if (stage.source.has_descriptors() && !testing::Test::HasFatalFailure()) view.check_targets();
      }
    }
    if (testing::Test::HasFatalFailure() || testing::Test::HasNonfatalFailure()) return;
    EXPECT_EQ(stage.world.fan_out.totals().refused, 0u);
    EXPECT_TRUE(stage.world.refusals.empty());
    EXPECT_TRUE(stage.source.mode.is_key || stage.views[0].fillers() == 0);
  }
}

}  // namespace
}  // namespace stoa::webrtc
