#include "media/payload/vp8.h"

#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

// RFC 7741 §4.2 with every field: N, S; picture id 0x1234, TL0PICIDX 0x56, TID 2, Y, KEYIDX 9.
const Buffer kFull = from_hex("b0 f0 9234 56 a9 aabb");

TEST(Vp8Descriptor, has_every_field) {
  auto parsed = parse_vp8(kFull);
  ASSERT_TRUE(parsed);
  Vp8Descriptor expected{.is_non_reference = true, .starts_partition = true, .partition = 0};
  expected.picture_id = 0x1234;
  expected.tl0_index = 0x56;
  expected.temporal_id = 2;
  expected.is_layer_sync = true;
  expected.key_index = 9;
  EXPECT_EQ(parsed->descriptor, expected);
  EXPECT_EQ(parsed->descriptor_bytes, 6u);
  EXPECT_EQ(copy(parsed->body), from_hex("aabb"));
  PayloadList out;
  write_vp8_descriptor(parsed->descriptor, out);
  out.bytes(parsed->body);
  out.end_payload();
  EXPECT_EQ(copy(out[0]), kFull);
}

TEST(Vp8Descriptor, may_be_one_byte_or_have_a_short_picture_id) {
  Buffer payload = from_hex("10 00aa");
  auto bare = parse_vp8(payload);
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->is_keyframe_start());
  EXPECT_FALSE(bare->descriptor.picture_id);
  auto short_id = parse_vp8(from_hex("80 80 7f aa"));
  ASSERT_TRUE(short_id);
  EXPECT_EQ(short_id->descriptor.picture_id, 0x7f);
  EXPECT_EQ(short_id->descriptor.picture_id_bits, 7);
  // K without T: the byte is there, and its TID means nothing.
  auto key_only = parse_vp8(from_hex("80 10 e9 aa"));
  EXPECT_EQ(key_only->descriptor.key_index, 9);
  EXPECT_FALSE(key_only->descriptor.temporal_id);
}

TEST(Vp8Descriptor, is_refused_when_it_ends_early) {
  for (std::size_t size = 0; size < 6; ++size) {
    EXPECT_EQ(parse_vp8(Bytes(kFull).first(size)).error(), Refusal::kTruncated) << size;
  }
}

TEST(Vp8Descriptor, gets_new_ids_in_place) {
  Buffer payload = kFull;
  overwrite_vp8_ids(payload, *parse_vp8(payload), {.picture_id = 0x7fff, .tl0_index = 1, .key_index = 31});
  EXPECT_EQ(payload, from_hex("b0 f0 ffff 01 bf aabb"));
  Buffer narrow = from_hex("80 80 7f aa");
  overwrite_vp8_ids(narrow, *parse_vp8(narrow), {.picture_id = 0x1285});
  EXPECT_EQ(narrow, from_hex("80 80 05 aa"));
  Buffer bare = from_hex("10 00aa");
  overwrite_vp8_ids(bare, *parse_vp8(bare), {.picture_id = 1, .tl0_index = 2, .key_index = 3});
  EXPECT_EQ(bare, from_hex("10 00aa"));
}

TEST(Vp8Payload, comes_back_as_the_frame_it_was_cut_from) {
  Buffer key = noise(2500);
  key[0] = 0x10;
  PayloadList out;
  ASSERT_TRUE(packetize_vp8(key, 0x7ffe, false, 1000, out));
  ASSERT_EQ(out.size(), 3u);
  expect_even(out, 0);
  EXPECT_TRUE(inspect_vp8_payload(out[0])->starts_frame);
  EXPECT_TRUE(inspect_vp8_payload(out[0])->is_keyframe);
  EXPECT_FALSE(inspect_vp8_payload(out[1])->starts_frame);
  EXPECT_EQ(parse_vp8(out[2])->descriptor.picture_id, 0x7ffe);
  Buffer frame;
  auto facts = assemble_vp8(views_of(buffers_of(out)), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_EQ(frame, key);
}

TEST(Vp8Payload, takes_partitions_that_begin_anew) {
  std::vector<Buffer> payloads{from_hex("10 01aa"), from_hex("00 bb"), from_hex("11 cc")};
  Buffer frame;
  auto facts = assemble_vp8(views_of(payloads), frame);
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->is_keyframe);
  EXPECT_EQ(frame, from_hex("01aabbcc"));
}

TEST(Vp8Payload, without_its_beginning_or_with_two_is_refused) {
  Buffer frame;
  EXPECT_EQ(assemble_vp8(views_of({from_hex("00 bb")}), frame).error(), Refusal::kBroken);
  EXPECT_EQ(assemble_vp8(views_of({from_hex("10 bb"), from_hex("10 bb")}), frame).error(), Refusal::kBroken);
  PayloadList out;
  EXPECT_EQ(packetize_vp8({}, 0, false, 100, out).error(), Refusal::kTruncated);
}

}  // namespace
}  // namespace stoa::payload
