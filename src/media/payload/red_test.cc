#include "media/payload/red.h"

#include <gmock/gmock.h>

#include "media/payload/test_payloads.h"
#include "media/payload/test_red.h"

namespace stoa::payload {
namespace {

using testing::ElementsAreArray;

constexpr std::uint8_t kType = 111;

Refusal refusal_of(const Buffer& payload) {
  auto red = parse_red(payload, kType);
  EXPECT_FALSE(red);
  return red ? Refusal::kLate : red.error();
}

TEST(Red, takes_a_payload_apart_into_headers_earlier_frames_and_the_frame) {
  // Two frames of 20 and 40 ms before, of two bytes and one.
  const Buffer payload = from_hex("ef 1e0002 ef 0f0001 6f aabb cc ddeeff");
  auto red = parse_red(payload, kType);
  ASSERT_TRUE(red);
  EXPECT_EQ(red->earlier_count(), 2u);
  EXPECT_THAT(red->headers, ElementsAreArray(from_hex("ef1e0002ef0f00016f")));
  EXPECT_THAT(red->earlier, ElementsAreArray(from_hex("aabbcc")));
  EXPECT_THAT(red->primary, ElementsAreArray(from_hex("ddeeff")));
  RedBlock block = take_oldest(*red);
  EXPECT_EQ(block.timestamp_offset, 1920);
  EXPECT_THAT(block.frame, ElementsAreArray(from_hex("aabb")));
  block = take_oldest(*red);
  EXPECT_EQ(block.timestamp_offset, 960);
  EXPECT_THAT(block.frame, ElementsAreArray(from_hex("cc")));
  EXPECT_EQ(red->earlier_count(), 0u);
  EXPECT_TRUE(red->earlier.empty());
}

TEST(Red, reads_the_largest_offset_and_length_that_there_are) {
  const Buffer earlier = noise(1023), frame = noise(7, 2);
  const Buffer payload = make_red(kType, {{16'383, earlier}}, frame);
  auto red = parse_red(payload, kType);
  ASSERT_TRUE(red);
  EXPECT_THAT(red->primary, ElementsAreArray(frame));
  const RedBlock block = take_oldest(*red);
  EXPECT_EQ(block.timestamp_offset, 16'383);
  EXPECT_THAT(block.frame, ElementsAreArray(earlier));
}

TEST(Red, is_a_byte_longer_than_the_frame_when_that_is_alone) {
  const Buffer payload = from_hex("6f 0102");
  auto red = parse_red(payload, kType);
  ASSERT_TRUE(red);
  EXPECT_EQ(red->earlier_count(), 0u);
  EXPECT_THAT(red->primary, ElementsAreArray(from_hex("0102")));
}

TEST(Red, may_have_frames_of_no_bytes) {
  const Buffer payload = from_hex("ef 0f0000 6f");
  auto red = parse_red(payload, kType);
  ASSERT_TRUE(red);
  EXPECT_TRUE(red->primary.empty());
  EXPECT_TRUE(take_oldest(*red).frame.empty());
}

TEST(Red, is_refused_where_it_ends_inside_a_field_or_a_frame) {
  const Buffer whole = from_hex("ef 1e0002 ef 0f0001 6f aabb cc");
  ASSERT_TRUE(parse_red(whole, kType));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(refusal_of(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
              Refusal::kTruncated)
        << size;
}

TEST(Red, is_refused_with_frames_of_another_payload_type) {
  EXPECT_EQ(refusal_of(from_hex("6e 01")), Refusal::kUnsupported);
  EXPECT_EQ(refusal_of(from_hex("ee 0f0001 6f aa bb")), Refusal::kUnsupported);
  EXPECT_EQ(refusal_of(from_hex("ef 0f0001 6e aa bb")), Refusal::kUnsupported);
}

TEST(Red, is_refused_with_more_frames_than_its_limit) {
  std::vector<Earlier> earlier(kRedBlocksMax - 1, {960, {1}});
  const Buffer most = make_red(kType, earlier, {2});
  ASSERT_TRUE(parse_red(most, kType));
  EXPECT_EQ(parse_red(most, kType)->headers.size(), kRedHeadersBytesMax);
  earlier.push_back({960, {1}});
  EXPECT_EQ(refusal_of(make_red(kType, earlier, {2})), Refusal::kTooLarge);
  EXPECT_EQ(refusal_of(Buffer(2'000, 0x80 | kType)), Refusal::kTooLarge);
}

TEST(Red, is_written_for_another_payload_type_with_nothing_else_changed) {
  const std::vector<Earlier> earlier = {{1920, noise(300)}, {960, noise(5)}};
  const Buffer ours = make_red(kType, earlier, {9}), theirs = make_red(96, earlier, {9});
  auto red = parse_red(ours, kType);
  ASSERT_TRUE(red);
  Buffer headers(red->headers.size());
  write_red_headers(red->headers, 96, headers.data());
  EXPECT_THAT(headers, ElementsAreArray(Bytes(theirs).first(headers.size())));
}

}  // namespace
}  // namespace stoa::payload
