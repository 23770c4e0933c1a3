#include "session/webrtc/inbound_frames.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <optional>
#include <set>

namespace stoa::webrtc {
namespace {

constexpr std::uint8_t kOffset = 9;

// Three temporal layers, one template each.
rtp::DependencyStructure three_layers(std::uint8_t offset = kOffset) {
  rtp::DependencyStructure structure;
  structure.template_id_offset = offset;
  structure.decode_target_count = 3;
  structure.template_count = 3;
  for (std::uint8_t i = 0; i < 3; ++i) {
    structure.templates[i].temporal_id = i;
    for (std::size_t target = i; target < 3; ++target)
      structure.templates[i].indications[target] = rtp::DecodeTargetIndication::kRequired;
  }
  return structure;
}

class InboundFrames_ : public testing::Test {
 protected:
  // What is made of a packet that says nothing by itself.
  payload::PayloadFacts handle(std::uint16_t number, std::uint8_t layer,
                               std::initializer_list<std::uint16_t> references, bool has_structure = false,
                               std::uint8_t offset = kOffset) {
    const rtp::DependencyStructure known = three_layers(offset);
    rtp::DependencyDescriptor descriptor{.template_id = static_cast<std::uint8_t>((offset + layer) % 64),
                                         .frame_number = number,
                                         .frame = known.templates[layer]};
    if (has_structure) descriptor.structure = known;
    for (const std::uint16_t reference : references)
      descriptor.frame.frame_diffs[descriptor.frame.frame_diff_count++] =
          static_cast<std::uint16_t>(number - reference);
    const auto bytes = rtp::write_dependency_descriptor(descriptor, &known);
    EXPECT_TRUE(bytes);
    payload::PayloadFacts facts{.starts_frame = true, .is_keyframe = has_structure};
    frames.handle(0, *bytes, facts);
    return facts;
  }

  InboundFrames frames;
};

TEST_F(InboundFrames_, finds_temporal_layers_and_where_they_begin) {
  const auto key = handle(65'534, 0, {}, true);
  EXPECT_TRUE(key.is_switch_point);
  const auto top = handle(65'535, 2, {65'534}), middle = handle(0, 1, {65'534}),
             second = handle(1, 2, {0, 65'534});
  EXPECT_EQ(top.temporal_layer, 2);
  EXPECT_TRUE(top.is_switch_point);
  EXPECT_EQ(middle.temporal_layer, 1);
  EXPECT_TRUE(middle.is_switch_point);
  EXPECT_TRUE(second.is_switch_point);
  const auto base = handle(2, 0, {65'534});
  EXPECT_EQ(base.temporal_layer, 0);
  EXPECT_FALSE(base.is_switch_point);
  EXPECT_FALSE(handle(4, 1, {2, 0}).is_switch_point) << "its own layer is referred to";
  EXPECT_FALSE(handle(6, 2, {5}).is_switch_point) << "who knows what that is";
  EXPECT_TRUE(handle(257, 2, {2}).is_switch_point);
  handle(258, 0, {2});
  EXPECT_FALSE(handle(259, 2, {2}).is_switch_point) << "that is too long ago";
}

TEST_F(InboundFrames_, changes_nothing_that_it_cannot_read) {
  payload::PayloadFacts facts{.starts_frame = true, .is_switch_point = true, .temporal_layer = 2};
  const payload::PayloadFacts before = facts;
  frames.handle(0, {}, facts);
  frames.handle(0, Buffer{0x80}, facts);
  frames.handle(0, Buffer{0x80, 0, 1}, facts);  // Of a structure that did not come.
  EXPECT_EQ(facts, before);
  handle(1, 0, {}, true);
  frames.handle(0, Buffer{0x80 | 60, 0, 2}, facts);
  EXPECT_EQ(facts, before);
}

TEST_F(InboundFrames_, goes_by_the_newest_structure) {
  handle(100, 0, {}, true);
  handle(500, 0, {}, true, 30);
  EXPECT_EQ(handle(100, 0, {}, true).temporal_layer, 0);  // Sent again.
  EXPECT_EQ(handle(501, 2, {500}, false, 30).temporal_layer, 2);
  EXPECT_EQ(handle(502, 1, {500}, false, kOffset).temporal_layer, 0) << "the old one is over";
  handle(40'000, 0, {}, true, 50);  // Another source.
  EXPECT_EQ(handle(40'001, 1, {40'000}, false, 50).temporal_layer, 1);
}

// A spatial layer in two, with temporal layers in each: a key picture, and what follows.
TEST_F(InboundFrames_, finds_spatial_layers_and_where_they_begin) {
  using Indication = rtp::DecodeTargetIndication;
  rtp::DependencyStructure structure;
  structure.decode_target_count = 4;  // By layer: 0/0, 0/1, 1/0, 1/1.
  structure.template_count = 4;
  for (std::uint8_t i = 0; i < 4; ++i) {
    structure.templates[i].spatial_id = i / 2;
    structure.templates[i].temporal_id = i % 2;
    structure.templates[i].indications[i] = Indication::kSwitch;
    structure.templates[i].indications[i | 1u] = Indication::kSwitch;
  }
  const auto frame = [&](std::uint16_t number, std::uint8_t index, std::initializer_list<std::uint16_t> back,
                         Indication what = Indication::kSwitch) {
    rtp::DependencyDescriptor descriptor{
        .template_id = index, .frame_number = number, .frame = structure.templates[index]};
    if (number == 1) descriptor.structure = structure;
    descriptor.frame.indications[index | 1u] = what;
    for (const std::uint16_t reference : back)
      descriptor.frame.frame_diffs[descriptor.frame.frame_diff_count++] =
          static_cast<std::uint16_t>(number - reference);
    payload::PayloadFacts facts;
    const auto written = rtp::write_dependency_descriptor(descriptor, &structure);
    EXPECT_TRUE(written) << number;
    if (written) frames.handle(0, *written, facts);
    return facts;
  };
  EXPECT_FALSE(frame(1, 0, {}).is_spatial_switch_point) << "the lowest";
  const payload::PayloadFacts upper = frame(2, 2, {1});
  EXPECT_EQ(upper.spatial_layer, 1);
  EXPECT_TRUE(upper.is_spatial_switch_point);
  EXPECT_TRUE(upper.ends_layer);
  EXPECT_FALSE(upper.is_needed_above);
  EXPECT_TRUE(frame(3, 1, {1}).is_switch_point);
  const payload::PayloadFacts both = frame(4, 3, {2, 3});
  EXPECT_FALSE(both.is_spatial_switch_point) << "its own layer is referred to";
  EXPECT_TRUE(both.is_switch_point) << "but of its temporal layer only in the same picture";
  frame(5, 0, {1});
  EXPECT_TRUE(frame(6, 2, {5}).is_spatial_switch_point);
  EXPECT_FALSE(frame(7, 2, {5}, Indication::kRequired).is_spatial_switch_point) << "later ones look back";
  EXPECT_FALSE(frame(200, 2, {77}).is_spatial_switch_point) << "who knows what that is";
}

// A key picture and what follows it, of two spatial layers with two temporal layers each, `pieces` packets
// for each frame. `is_key`: layers refer to lower ones in keyframes alone.
class BrokenFrames : public testing::Test {
 protected:
  using Indication = rtp::DecodeTargetIndication;

  void begin(bool is_k_svc) {
    is_key = is_k_svc;
    structure = {};
    structure.decode_target_count = structure.template_count = 4;  // By layer: 0/0, 0/1, 1/0, 1/1.
    structure.chain_count = 2;
    structure.protected_by = {0, 0, 1, 1};
    for (std::uint8_t i = 0; i < 4; ++i) {
      structure.templates[i].spatial_id = i / 2;
      structure.templates[i].temporal_id = i % 2;
      for (std::size_t target = i; target < 4; ++target)
        if (target % 2 >= i % 2u && (target / 2 == i / 2u || !is_key))
          structure.templates[i].indications[target] = Indication::kRequired;
    }
  }
  // The next picture. A frame that is not to come is neither of use nor not.
  std::array<std::optional<bool>, 2> picture(std::array<bool, 2> comes = {true, true},
                                             bool is_keyframe = false) {
    const std::uint8_t temporal = is_keyframe ? 0 : pictures % 2;
    std::array<std::optional<bool>, 2> is_of_use;
    for (std::uint8_t s = 0; s < 2; ++s) {
      const auto number = static_cast<std::uint16_t>(first_frame + 2 * pictures + s);
      const auto index = static_cast<std::size_t>(2 * s + temporal);
      rtp::DependencyDescriptor descriptor{.template_id = static_cast<std::uint8_t>(index),
                                           .frame_number = number,
                                           .frame = structure.templates[index]};
      if (is_keyframe && s == 0) descriptor.structure = structure;
      auto refer = [&](std::uint16_t to) {
        descriptor.frame.frame_diffs[descriptor.frame.frame_diff_count++] =
            static_cast<std::uint16_t>(number - to);
      };
      if (s == 1 && (is_keyframe || !is_key)) refer(static_cast<std::uint16_t>(number - 1));
      if (!is_keyframe) refer(static_cast<std::uint16_t>(base + s));
      if (is_keyframe && s == 0) chains = {};
      for (std::uint8_t chain = 0; chain < 2; ++chain) {
        if (chains[chain])
          descriptor.frame.chain_diffs[chain] =
              static_cast<std::uint8_t>(static_cast<std::uint16_t>(number - *chains[chain]));
        if (temporal == 0 && (chain == s || (chain > s && (is_keyframe || !is_key)))) chains[chain] = number;
      }
      for (std::size_t piece = 0; piece < pieces; ++piece) {
        descriptor.is_frame_start = piece == 0;
        descriptor.is_frame_end = piece + 1 == pieces;
        if (piece > 0) descriptor.structure.reset();
        const auto bytes = rtp::write_dependency_descriptor(descriptor, &structure);
        EXPECT_TRUE(bytes);
        ++packets;
        if (!comes[s] || lost.contains(packets)) continue;
        payload::PayloadFacts facts{.is_keyframe = is_keyframe};
        is_of_use[s] = frames.handle(packets, refused.contains(packets) ? Buffer{0x80} : *bytes, facts);
      }
    }
    if (temporal == 0) base = static_cast<std::uint16_t>(first_frame + 2 * pictures);
    ++pictures;
    return is_of_use;
  }
  bool lose() { return frames.handle_lost(packets + 1); }

  static constexpr std::uint16_t first_frame = 65'530;  // Numbers wrap.
  static constexpr std::array<std::optional<bool>, 2> kBoth{true, true}, kLower{true, false},
      kUpper{false, true}, kNeither{false, false};
  bool is_key = false;
  std::uint16_t pictures = 0, base = 0;
  std::int64_t packets = 0;
  std::size_t pieces = 1;
  std::set<std::int64_t> lost, refused;  // Packets that do not come, or cannot be read.
  std::array<std::optional<std::uint16_t>, 2> chains{};
  rtp::DependencyStructure structure;
  InboundFrames frames;
};

TEST_F(BrokenFrames, need_no_keyframe_where_no_chain_is_broken) {
  begin(false);
  picture({true, true}, true);
  picture();
  picture();
  picture({false, true});  // Of the second temporal layer.
  picture();
  EXPECT_FALSE(lose());
  EXPECT_EQ(picture(), kBoth);
  EXPECT_FALSE(frames.is_highest_whole(0));
}

TEST_F(BrokenFrames, are_of_no_use_until_a_keyframe_and_layers_that_are_whole_go_on) {
  begin(false);
  picture({true, true}, true);
  picture();
  picture({true, false});
  EXPECT_EQ(picture(), kBoth) << "it may still come";
  EXPECT_EQ(picture(), kBoth);
  EXPECT_TRUE(lose());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(picture(), kLower) << i;
  EXPECT_TRUE(frames.is_highest_whole(0)) << "it ends pictures now";
  EXPECT_EQ(picture({true, true}, true), kBoth);
  EXPECT_EQ(picture(), kBoth);
  EXPECT_FALSE(frames.is_highest_whole(0));
}

TEST_F(BrokenFrames, take_all_with_them_that_refer_to_them) {
  for (const bool is_k_svc : {false, true}) {
    begin(is_k_svc);
    picture({true, true}, true);
    if (pictures % 2 == 1) picture();
    picture({false, true});
    picture();
    picture();
    EXPECT_TRUE(lose());
    EXPECT_EQ(picture(), is_k_svc ? kUpper : kNeither);
    EXPECT_EQ(picture(), is_k_svc ? kUpper : kNeither);
    EXPECT_EQ(picture({true, true}, true), kBoth);
  }
}

TEST_F(BrokenFrames, are_known_where_the_newest_has_a_gap) {
  for (const std::size_t pieces_come : {3u, 4u}) {  // Of four: whether its end came.
    frames = {};
    begin(false);
    pieces = 4;
    picture({true, true}, true);
    if (pictures % 2 == 1) picture();
    lost = {packets + 2};
    if (pieces_come == 3) lost.insert(packets + 4);
    const std::int64_t end = packets + static_cast<std::int64_t>(pieces_come) + 1;
    picture({true, false});
    EXPECT_TRUE(frames.handle_lost(end)) << pieces_come;
    for (int i = 0; i < 2; ++i) EXPECT_EQ(picture()[0], false) << "it refers to that";
    EXPECT_EQ(picture({true, true}, true), kBoth);
    EXPECT_EQ(picture(), kBoth);
  }
}

TEST_F(BrokenFrames, may_be_those_of_which_more_is_asked_for) {
  // What is lost, and what of it is given up: of the middle of a frame, its begin, and both a frame's end and
  // the next one's begin.
  struct Case {
    std::set<std::int64_t> lost;
    std::int64_t end;
    bool is_broken;
  };
  for (const Case& each : {Case{{2, 4}, 4, true}, Case{{1, 2}, 2, true}, Case{{5, 6}, 6, true},
                           Case{{4}, 4, false}, Case{{2, 10}, 10, true}}) {
    frames = {};
    begin(false);
    pieces = 5;
    picture({true, true}, true);
    if (pictures % 2 == 1) picture();
    lost.clear();
    for (const std::int64_t one : each.lost) lost.insert(packets + one);
    const std::int64_t end = packets + each.end;
    picture();
    picture();
    EXPECT_EQ(frames.handle_lost(end), each.is_broken) << each.end;
  }
}

TEST_F(BrokenFrames, are_not_known_behind_what_could_not_be_read) {
  begin(false);
  pieces = 3;
  picture({true, true}, true);
  picture();
  refused = {packets + 2};
  picture();
  picture();
  EXPECT_TRUE(lose()) << "who knows";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(picture(), kBoth) << "but nothing is known to be broken";
  picture({true, true}, true);
  picture();
  picture();
  EXPECT_FALSE(lose()) << "with the next structure it is over";
}

TEST_F(BrokenFrames, are_found_however_long_ago_the_structure_came) {
  begin(false);
  picture({true, true}, true);
  while (pictures < 32'766) ASSERT_EQ(picture(), kBoth) << pictures;
  picture({true, false});
  picture();
  picture();
  EXPECT_TRUE(lose());
  EXPECT_EQ(picture(), kLower);
  EXPECT_EQ(picture({true, true}, true), kBoth);
}

TEST_F(BrokenFrames, are_mended_by_a_keyframe_however_long_ago_the_last_came) {
  begin(false);
  picture({true, true}, true);
  while (pictures < 32'600) ASSERT_EQ(picture(), kBoth) << pictures;
  picture({true, false});
  picture();
  picture();
  EXPECT_TRUE(lose());
  EXPECT_TRUE(frames.is_highest_whole(0));
  EXPECT_EQ(picture({true, true}, true), kBoth);
  EXPECT_FALSE(frames.is_highest_whole(0));
  EXPECT_EQ(picture(), kBoth);
}

TEST_F(BrokenFrames, are_not_known_behind_the_newest_or_without_chains) {
  begin(false);
  EXPECT_TRUE(lose());
  picture({true, true}, true);
  picture({false, false});
  EXPECT_TRUE(lose());
  structure.chain_count = 0;
  picture({true, true}, true);
  EXPECT_TRUE(lose());
  EXPECT_EQ(picture(), kBoth);
}

}  // namespace
}  // namespace stoa::webrtc
