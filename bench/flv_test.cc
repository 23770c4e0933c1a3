#include "flv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

using Kind = FlvTag::Kind;

struct Tag {
  std::uint8_t kind;
  std::uint32_t time_ms;
  Buffer body;
};

Buffer write_flv(const std::vector<Tag>& tags) {
  ByteWriter out;
  out.text("FLV");
  out.u8(1);
  out.u8(5);
  out.u32(9);
  out.u32(0);
  for (const Tag& tag : tags) {
    out.u8(tag.kind);
    out.u24(static_cast<std::uint32_t>(tag.body.size()));
    out.u24(tag.time_ms & 0xFFFFFF);
    out.u8(static_cast<std::uint8_t>(tag.time_ms >> 24));
    out.u24(0);
    out.bytes(tag.body);
    out.u32(static_cast<std::uint32_t>(11 + tag.body.size()));
  }
  return out.take();
}

const std::vector<Tag> kTags = {
    {18, 0, {2}},          {9, 0, {0x17, 0, 0}},  {8, 0, {0xAF, 0}},     {9, 0, {0x17, 1, 5}},
    {8, 21, {0xAF, 1, 7}}, {9, 40, {0x27, 1, 6}}, {9, 80, {0x27, 1, 8}}, {9, 80, {0x17, 2, 0}},
};

TEST(Flv, tells_sequence_headers_from_frames) {
  auto file = parse_flv(write_flv(kTags));
  ASSERT_TRUE(file);
  std::vector<bool> config;
  for (const auto& tag : file->tags) config.push_back(tag.is_config);
  EXPECT_THAT(config, testing::ElementsAre(false, true, true, false, false, false, false));
  EXPECT_EQ(file->tags[4].kind, Kind::kAudio);
  EXPECT_EQ(file->tags[4].time_ms, 21u);
}

TEST(Flv, leaves_out_the_end_of_a_sequence) {
  auto file = parse_flv(write_flv(kTags));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->tags.size(), kTags.size() - 1);
}

TEST(Flv, makes_rounds_follow_each_other_at_the_frame_rate) {
  auto file = parse_flv(write_flv(kTags));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->round_ms, 120u);
}

TEST(Flv, uses_a_recording_that_was_cut_off) {
  Buffer bytes = write_flv(kTags);
  bytes.resize(bytes.size() - 20);
  auto file = parse_flv(bytes);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->tags.size(), 6u);
}

TEST(Flv, refuses_what_is_no_recording_of_video) {
  EXPECT_FALSE(parse_flv(as_bytes("RIFF")));
  EXPECT_FALSE(parse_flv(write_flv({{8, 0, {0xAF, 0}}})));
}

}  // namespace
}  // namespace stoa::bench
