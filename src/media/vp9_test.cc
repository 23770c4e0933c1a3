#include "media/vp9.h"

#include <gmock/gmock.h>

#include "media/codec_vectors.h"

namespace stoa::media {
namespace {

using namespace vectors;
using testing::ElementsAreArray;

std::shared_ptr<const Format> format_of(std::string_view hex) {
  auto format = make_format(Codec::kVp9, shared(hex));
  return format ? *format : nullptr;
}

struct Expected {
  const char* name;
  std::string_view config, key_frame;
  const char* codec_string;
  std::uint32_t width, height;
};

class Vp9Formats : public testing::TestWithParam<Expected> {};

TEST_P(Vp9Formats, are_what_ffprobe_says_once_the_first_key_frame_came) {
  const Expected& expected = GetParam();
  auto format = format_of(expected.config);
  ASSERT_NE(format, nullptr);
  EXPECT_EQ(format->width, 0u);
  auto facts = inspect(*format, from_hex(expected.key_frame));
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->is_keyframe);
  ASSERT_TRUE(facts->new_config.has_value());
  ASSERT_NE(facts->new_format, nullptr);
  EXPECT_EQ(facts->new_format->codec_string, expected.codec_string);
  EXPECT_EQ(facts->new_format->width, expected.width);
  EXPECT_EQ(facts->new_format->height, expected.height);
  EXPECT_FALSE(format->is_same_as(*facts->new_format));
  EXPECT_FALSE(inspect(*facts->new_format, from_hex(expected.key_frame))->new_config.has_value());
}

INSTANTIATE_TEST_SUITE_P(
    RealEncoders, Vp9Formats,
    testing::Values(Expected{"profile_0", kVp9Config, kVp9First, "vp09.00.10.08", 66, 50},
                    Expected{"rgb", kVp9RgbConfig, kVp9RgbFirst, "vp09.01.10.08.03.02.02.00.01", 64, 48},
                    Expected{"hdr", kVp9HdrConfig, kVp9HdrFirst, "vp09.02.10.10.01.09.18.09.00", 64, 48},
                    Expected{"profile_3", kVp9Profile3Config, kVp9Profile3First,
                             "vp09.03.10.12.02.02.02.02.00", 64, 48}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Vp9Format, has_its_version_and_flags_whether_the_sender_wrote_them_or_not) {
  Buffer whole = from_hex(kVp9Config);
  auto format = make_format(Codec::kVp9, SharedBytes::copy_of(Bytes(whole).subspan(4)));
  ASSERT_TRUE(format.has_value());
  Bytes config = (*format)->config.bytes();
  EXPECT_THAT(Buffer(config.begin(), config.end()), ElementsAreArray(whole));
}

TEST(Vp9Format, names_a_level_by_the_size_when_the_record_says_none) {
  Buffer config = from_hex(kVp9Config);
  config[5] = 0;
  auto format = *make_format(Codec::kVp9, SharedBytes(std::move(config)));
  EXPECT_EQ(format->codec_string, "vp09.00.41.08");
  EXPECT_EQ(inspect(*format, from_hex(kVp9First))->new_format->codec_string, "vp09.00.10.08");
  Buffer frame = from_hex(kVp9First);
  // Width and height, 16 bits each, stand at bit 36.
  frame[4] = 0x20 | 0x0, frame[5] = 0xef, frame[6] = 0xf0, frame[7] = 0x86, frame[8] = 0xf0;
  auto large = inspect(*format, frame);
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(large->new_format->width, 3840u);
  EXPECT_EQ(large->new_format->height, 2160u);
  EXPECT_EQ(large->new_format->codec_string, "vp09.00.51.08");
}

TEST(Vp9Format, refuses_broken_records) {
  Buffer whole = from_hex(kVp9Config);
  for (std::size_t length : {0, 3, 7}) {
    EXPECT_EQ(make_format(Codec::kVp9, SharedBytes::copy_of(Bytes(whole).first(length))).error(),
              CodecRefusal::kTruncated);
  }
  Buffer profile = whole, depth = whole, chroma = whole, initialization = whole;
  profile[4] = 4;
  depth[6] = 0x92;
  chroma[6] = 0x8a;
  initialization[11] = 1;
  for (const Buffer& config : {profile, depth, chroma, initialization}) {
    EXPECT_EQ(make_format(Codec::kVp9, SharedBytes::copy_of(config)).error(), CodecRefusal::kBadValue);
  }
}

TEST(Vp9Frame, is_a_key_frame_when_its_header_says_so) {
  auto format = inspect(*format_of(kVp9Config), from_hex(kVp9First))->new_format;
  EXPECT_FALSE(inspect(*format, from_hex(kVp9Second))->is_keyframe);
  auto third = inspect(*format, from_hex(kVp9Third));
  EXPECT_TRUE(third->is_keyframe);
  EXPECT_FALSE(third->new_config.has_value());
  EXPECT_FALSE(inspect(*format, Buffer{0x88})->is_keyframe);  // Shows a frame sent before.
}

TEST(Vp9Frame, gives_a_new_format_when_the_size_changes) {
  auto format = inspect(*format_of(kVp9Config), from_hex(kVp9First))->new_format;
  auto facts = inspect(*format, from_hex(kVp9OtherSizeFirst));
  ASSERT_NE(facts->new_format, nullptr);
  EXPECT_EQ(facts->new_format->width, 80u);
  EXPECT_FALSE(format->is_same_as(*facts->new_format));
}

TEST(Vp9Frame, is_refused_when_its_header_is_broken) {
  auto format = format_of(kVp9Config);
  auto refusal = [&](const Buffer& frame) { return inspect(*format, frame).error(); };
  EXPECT_EQ(refusal({}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0x82, 0x49}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0x82, 0x49, 0x83, 0x42, 0x00}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0x40}), CodecRefusal::kBadValue);                          // Frame marker.
  EXPECT_EQ(refusal({0x82, 0x49, 0x83, 0x43, 0x00}), CodecRefusal::kBadValue);  // Sync code.
  EXPECT_EQ(refusal({0x82, 0x49, 0x83, 0x42, 0xe0}), CodecRefusal::kBadValue);  // RGB in profile 0.
  EXPECT_EQ(refusal({0x82, 0x49, 0x83, 0x42, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff}),
            CodecRefusal::kUnsupported);
}

}  // namespace
}  // namespace stoa::media
