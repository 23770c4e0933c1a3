#include "proto/rtp/dependency_descriptor.h"

#include <gtest/gtest.h>

#include "proto/rtp/test_bytes.h"

namespace stoa::rtp {
namespace {

using enum DecodeTargetIndication;

// Sent by Chromium for AV1 with three spatial and three temporal layers: the key frame's, then those that
// follow.
const Buffer kChromiumStructure = from_hex(
    "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941"
    "b8"
    "20ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d");
constexpr std::string_view kChromiumFrames[] = {"86017340fc", "46017340fc", "c3017540fc", "88017640fc",
                                                "48017640fc", "c2017840fc", "860173",     "460173",
                                                "8b0174",     "0b0174"};

TEST(DependencyDescriptor, reads_a_structure_of_chromium) {
  auto descriptor = parse_dependency_descriptor(kChromiumStructure, nullptr);
  ASSERT_TRUE(descriptor);
  EXPECT_TRUE(descriptor->is_frame_start);
  EXPECT_TRUE(descriptor->is_frame_end);
  EXPECT_EQ(descriptor->template_id, 1);
  EXPECT_EQ(descriptor->frame_number, 0x0172);
  ASSERT_TRUE(descriptor->structure);
  const DependencyStructure& structure = *descriptor->structure;
  EXPECT_EQ(structure.decode_target_count, 9);
  EXPECT_EQ(structure.chain_count, 3);
  EXPECT_EQ(structure.spatial_layers(), 3);
  EXPECT_EQ(descriptor->active_targets, 0x1ffu);
  ASSERT_EQ(structure.resolution_count, 3);
  EXPECT_EQ(structure.resolutions[2].width, 480u);
  EXPECT_EQ(structure.resolutions[2].height, 270u);
  EXPECT_EQ(structure.layer_of_target(0), (DependencyStructure::Layer{0, 0}));
  EXPECT_EQ(structure.layer_of_target(8), (DependencyStructure::Layer{2, 2}));
  EXPECT_EQ(descriptor->frame.spatial_id, 0);
  EXPECT_EQ(descriptor->frame.frame_diff_count, 0);
}

TEST(DependencyDescriptor, writes_what_chromium_wrote) {
  auto first = parse_dependency_descriptor(kChromiumStructure, nullptr);
  ASSERT_TRUE(first);
  EXPECT_EQ(*write_dependency_descriptor(*first, nullptr), kChromiumStructure);
  const DependencyStructure& structure = *first->structure;
  for (std::string_view hex : kChromiumFrames) {
    Buffer bytes = from_hex(hex);
    auto descriptor = parse_dependency_descriptor(bytes, &structure);
    ASSERT_TRUE(descriptor) << hex;
    EXPECT_FALSE(descriptor->structure);
    EXPECT_EQ(*write_dependency_descriptor(*descriptor, &structure), bytes) << hex;
  }
}

TEST(DependencyDescriptor, says_which_targets_are_active) {
  auto first = parse_dependency_descriptor(kChromiumStructure, nullptr);
  auto descriptor = parse_dependency_descriptor(from_hex("86017340fc"), &*first->structure);
  ASSERT_TRUE(descriptor);
  EXPECT_TRUE(descriptor->is_frame_start);
  EXPECT_FALSE(descriptor->is_frame_end);
  EXPECT_EQ(descriptor->active_targets, 0x3fu);
}

DependencyStructure two_temporal_layers() {
  DependencyStructure structure;
  structure.template_id_offset = 60;
  structure.decode_target_count = 2;
  structure.chain_count = 1;
  structure.template_count = 3;
  structure.templates[0].indications = {kSwitch, kSwitch};
  structure.templates[1].indications = {kRequired, kRequired};
  structure.templates[1].frame_diffs = {2};
  structure.templates[1].frame_diff_count = 1;
  structure.templates[1].chain_diffs = {2};
  structure.templates[2].temporal_id = 1;
  structure.templates[2].indications = {kNotPresent, kDiscardable};
  structure.templates[2].frame_diffs = {1};
  structure.templates[2].frame_diff_count = 1;
  structure.templates[2].chain_diffs = {1};
  return structure;
}

TEST(DependencyDescriptor, says_where_a_frame_differs_from_its_template) {
  DependencyStructure structure = two_temporal_layers();
  DependencyDescriptor descriptor{.template_id = 62, .frame_number = 7, .frame = structure.templates[2]};
  EXPECT_EQ(write_dependency_descriptor(descriptor, &structure)->size(), 3u);
  descriptor.frame.indications[1] = kSwitch;
  descriptor.frame.frame_diffs = {1, 16, 17, 256, 257, 4096};
  descriptor.frame.frame_diff_count = 6;
  descriptor.frame.chain_diffs[0] = 200;
  descriptor.active_targets = 1;
  auto bytes = write_dependency_descriptor(descriptor, &structure);
  ASSERT_TRUE(bytes);
  auto back = parse_dependency_descriptor(*bytes, &structure);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->frame, descriptor.frame);
  EXPECT_EQ(back->active_targets, 1u);
}

TEST(DependencyDescriptor, counts_template_ids_round_the_wrap) {
  DependencyStructure structure = two_temporal_layers();
  structure.template_id_offset = 63;
  DependencyDescriptor descriptor{.template_id = 1, .frame = structure.templates[2]};
  auto bytes = write_dependency_descriptor(descriptor, &structure);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(parse_dependency_descriptor(*bytes, &structure)->frame.temporal_id, 1);
}

TEST(DependencyDescriptor, needs_the_structure_that_it_refers_to) {
  EXPECT_EQ(parse_dependency_descriptor(from_hex("860173"), nullptr).error(), Refusal::kUnknownStructure);
  EXPECT_EQ(parse_dependency_descriptor(from_hex("86017340fc"), nullptr).error(), Refusal::kUnknownStructure);
  DependencyStructure structure = two_temporal_layers();
  EXPECT_EQ(parse_dependency_descriptor(from_hex("860173"), &structure).error(), Refusal::kUnknownStructure);
  auto start = parse_dependency_start(from_hex("860173"));
  ASSERT_TRUE(start);
  EXPECT_EQ(start->frame_number, 0x173);
  EXPECT_TRUE(parse_dependency_start(kChromiumStructure)->has_structure);
}

TEST(DependencyDescriptor, refuses_every_shorter_structure) {
  for (std::size_t size = 4; size < kChromiumStructure.size(); ++size) {
    EXPECT_EQ(parse_dependency_descriptor(Bytes(kChromiumStructure).first(size), nullptr).error(),
              Refusal::kTruncated)
        << size;
  }
  EXPECT_EQ(parse_dependency_descriptor(from_hex("8601"), nullptr).error(), Refusal::kTruncated);
}

TEST(DependencyDescriptor, refuses_more_layers_than_there_can_be) {
  // A structure whose templates go to a fifth spatial layer: next_layer_idc 2, four times.
  EXPECT_EQ(parse_dependency_descriptor(from_hex("800000 80 00 aa 00"), nullptr).error(), Refusal::kBadValue);
}

TEST(DependencyDescriptor, does_not_write_what_the_wire_cannot_say) {
  DependencyStructure structure = two_temporal_layers();
  structure.templates[1].frame_diffs[0] = 17;
  DependencyDescriptor descriptor{.template_id = 60, .structure = structure, .frame = structure.templates[0]};
  EXPECT_EQ(write_dependency_descriptor(descriptor, nullptr).error(), Refusal::kBadValue);
  descriptor.structure = two_temporal_layers();
  EXPECT_TRUE(write_dependency_descriptor(descriptor, nullptr));
  descriptor.structure->templates[1].spatial_id = 2;
  EXPECT_EQ(write_dependency_descriptor(descriptor, nullptr).error(), Refusal::kBadValue);
  descriptor.template_id = 0;
  EXPECT_EQ(write_dependency_descriptor(descriptor, nullptr).error(), Refusal::kUnknownStructure);
}

}  // namespace
}  // namespace stoa::rtp
