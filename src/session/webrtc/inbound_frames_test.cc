#include "session/webrtc/inbound_frames.h"

#include <gtest/gtest.h>

#include <initializer_list>

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
    frames.handle(*bytes, facts);
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
  frames.handle({}, facts);
  frames.handle(Buffer{0x80}, facts);
  frames.handle(Buffer{0x80, 0, 1}, facts);  // Of a structure that did not come.
  EXPECT_EQ(facts, before);
  handle(1, 0, {}, true);
  frames.handle(Buffer{0x80 | 60, 0, 2}, facts);
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

}  // namespace
}  // namespace stoa::webrtc
