#include "media/payload/vp9.h"

#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

using media::vectors::kVp9First;
using media::vectors::kVp9Second;

// RFC 9628 §4.2, not flexible: picture id 0x1234, layer (TID 1, U, SID 2, D), TL0PICIDX 7, P, B, E, Z, and a
// structure of three layers with sizes and a group of two pictures.
const Buffer kFull = from_hex("ef 9234 35 07 58 014000b4 02800168 050002d0 02 00 34 01 aabb");

TEST(Vp9Descriptor, has_every_field_without_flexible_mode) {
  auto parsed = parse_vp9(kFull);
  ASSERT_TRUE(parsed);
  const Vp9Descriptor& descriptor = parsed->descriptor;
  EXPECT_EQ(descriptor.picture_id, 0x1234);
  EXPECT_TRUE(descriptor.is_inter_predicted && descriptor.starts_layer_frame && descriptor.ends_layer_frame);
  EXPECT_FALSE(descriptor.is_flexible || descriptor.is_upper_reference);
  EXPECT_EQ(descriptor.layer, (Vp9Descriptor::Layer{1, 2, true, true, 7}));
  ASSERT_TRUE(descriptor.structure);
  EXPECT_EQ(descriptor.structure->spatial_layers, 3);
  EXPECT_EQ(descriptor.structure->sizes[2], (Vp9Size{1280, 720}));
  ASSERT_EQ(descriptor.structure->group_size, 2);
  EXPECT_EQ(descriptor.structure->group[1],
            (Vp9GroupPicture{
                .temporal_id = 1, .is_switch_point = true, .picture_diffs = {1}, .reference_count = 1}));
  EXPECT_EQ(copy(parsed->body), from_hex("aabb"));
  PayloadList out;
  write_vp9_descriptor(descriptor, out);
  out.bytes(parsed->body);
  out.end_payload();
  EXPECT_EQ(copy(out[0]), kFull);
}

TEST(Vp9Descriptor, has_references_in_flexible_mode) {
  Buffer payload = from_hex("f8 05 20 03 0e aa");
  auto parsed = parse_vp9(payload);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->descriptor.picture_id, 5);
  EXPECT_EQ(parsed->descriptor.picture_id_bits, 7);
  EXPECT_FALSE(parsed->descriptor.layer->tl0_index);
  EXPECT_EQ(parsed->descriptor.reference_count, 2);
  EXPECT_EQ(parsed->descriptor.picture_diffs[0], 1);
  EXPECT_EQ(parsed->descriptor.picture_diffs[1], 7);
  PayloadList out;
  write_vp9_descriptor(parsed->descriptor, out);
  out.bytes(parsed->body);
  out.end_payload();
  EXPECT_EQ(copy(out[0]), payload);
}

TEST(Vp9Descriptor, with_a_fourth_reference_is_refused) {
  EXPECT_EQ(parse_vp9(from_hex("50 03 03 03 02")).error(), Refusal::kBadValue);
}

TEST(Vp9Descriptor, is_refused_when_it_ends_early) {
  for (std::size_t size = 0; size < kFull.size() - 2; ++size) {
    EXPECT_EQ(parse_vp9(Bytes(kFull).first(size)).error(), Refusal::kTruncated) << size;
  }
}

TEST(Vp9Descriptor, gets_new_ids_in_place) {
  Buffer payload = kFull;
  overwrite_vp9_ids(payload, *parse_vp9(payload), {.picture_id = 0x7fff, .tl0_index = 0xee});
  EXPECT_EQ(Buffer(payload.begin(), payload.begin() + 6), from_hex("efffff35ee58"));
}

TEST(Vp9Payload, comes_back_as_the_frame_it_was_cut_from) {
  Buffer key = from_hex(kVp9First), more = noise(2500);
  key.insert(key.end(), more.begin(), more.end());
  PayloadList out;
  ASSERT_TRUE(packetize_vp9(key, 77, 1000, out));
  ASSERT_EQ(out.size(), 3u);
  auto first = parse_vp9(out[0]);
  ASSERT_TRUE(first && first->descriptor.structure);
  EXPECT_EQ(first->descriptor.structure->sizes[0].width % 2, 0);
  EXPECT_GT(first->descriptor.structure->sizes[0].height, 0);
  EXPECT_TRUE(inspect_vp9_payload(out[0])->is_keyframe);
  EXPECT_TRUE(inspect_vp9_payload(out[0])->starts_frame);
  EXPECT_FALSE(inspect_vp9_payload(out[1])->starts_frame);
  Buffer frame;
  auto facts = assemble_vp9(views_of(buffers_of(out)), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_EQ(frame, key);
}

TEST(Vp9Payload, of_another_frame_refers_to_the_one_before) {
  PayloadList out;
  ASSERT_TRUE(packetize_vp9(from_hex(kVp9Second), 78, 1000, out));
  ASSERT_EQ(out.size(), 1u);
  auto parsed = parse_vp9(out[0]);
  EXPECT_TRUE(parsed->descriptor.is_inter_predicted && parsed->descriptor.is_flexible);
  EXPECT_EQ(parsed->descriptor.picture_diffs[0], 1);
  EXPECT_FALSE(inspect_vp9_payload(out[0])->is_keyframe);
}

TEST(Vp9Payload, makes_a_superframe_of_several_layer_frames) {
  Buffer key = from_hex(kVp9First);
  Buffer lower = from_hex("ac 8001 00 00"), upper_one = from_hex("a8 8001 03 00 a1");
  lower.insert(lower.end(), key.begin(), key.end());
  Buffer upper_two = from_hex("a4 8001 03 00 a2a3");
  Buffer frame;
  auto facts = assemble_vp9(views_of({lower, upper_one, upper_two}), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe);
  Buffer expected = key;
  std::uint8_t size = static_cast<std::uint8_t>(key.size());
  for (std::uint8_t byte : {0xa1, 0xa2, 0xa3, 0xc1, +size, 0x03, 0xc1}) expected.push_back(byte);
  EXPECT_EQ(frame, expected);
}

TEST(Vp9Payload, without_its_beginning_or_end_is_refused) {
  Buffer frame;
  EXPECT_EQ(assemble_vp9(views_of({from_hex("04 aa")}), frame).error(), Refusal::kBroken);
  EXPECT_EQ(assemble_vp9(views_of({from_hex("08 aa")}), frame).error(), Refusal::kBroken);
  EXPECT_EQ(assemble_vp9(views_of({from_hex("08 aa"), from_hex("0c aa")}), frame).error(), Refusal::kBroken);
}

TEST(Vp9Payload, tells_layers_and_switch_points) {
  auto facts = inspect_vp9_payload(kFull);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->spatial_layer, 2);
  EXPECT_EQ(facts->temporal_layer, 1);
  EXPECT_TRUE(facts->is_switch_point);
  EXPECT_FALSE(facts->starts_frame);  // A layer frame above the first.
}

TEST(Vp9Payload, tells_where_a_spatial_layer_begins_and_ends) {
  // Flags, a short picture id, layers: |TID|U| SID |D|, TL0PICIDX.
  const auto facts = [](const char* hex) { return *inspect_vp9_payload(from_hex(hex)); };
  EXPECT_TRUE(facts("a8 01 03 00 aa").is_spatial_switch_point) << "of a key picture, from the layer below";
  EXPECT_TRUE(facts("ac 01 02 00 aa").is_spatial_switch_point) << "from none";
  EXPECT_FALSE(facts("e8 01 03 00 aa").is_spatial_switch_point) << "it refers to pictures before";
  EXPECT_FALSE(facts("a0 01 03 00 aa").is_spatial_switch_point) << "in its middle";
  EXPECT_FALSE(facts("a8 01 00 00 aa").is_spatial_switch_point) << "the lowest";
  EXPECT_TRUE(facts("ac 01 02 00 aa").is_needed_above);
  EXPECT_FALSE(facts("ad 01 02 00 aa").is_needed_above) << "Z";
  EXPECT_TRUE(facts("ac 01 02 00 aa").ends_layer);
  EXPECT_TRUE(facts("a4 01 02 00 aa").ends_layer);
  EXPECT_FALSE(facts("a8 01 03 00 aa").ends_layer);
}

}  // namespace
}  // namespace stoa::payload
