#include "media/av1.h"

#include <gmock/gmock.h>

#include "media/codec_vectors.h"

namespace stoa::media {
namespace {

using namespace vectors;

std::shared_ptr<const Format> format_of(std::string_view hex) {
  auto format = make_format(Codec::kAv1, shared(hex));
  return format ? *format : nullptr;
}

struct Expected {
  const char* name;
  std::string_view config;
  const char* codec_string;
  std::uint32_t width, height, numerator, denominator;
};

class Av1Formats : public testing::TestWithParam<Expected> {};

TEST_P(Av1Formats, are_what_ffprobe_says) {
  const Expected& expected = GetParam();
  auto format = format_of(expected.config);
  ASSERT_NE(format, nullptr);
  EXPECT_EQ(format->codec_string, expected.codec_string);
  EXPECT_EQ(format->width, expected.width);
  EXPECT_EQ(format->height, expected.height);
  EXPECT_EQ(format->frame_rate_numerator, expected.numerator);
  EXPECT_EQ(format->frame_rate_denominator, expected.denominator);
}

INSTANTIATE_TEST_SUITE_P(
    RealEncoders, Av1Formats,
    testing::Values(Expected{"aom", kAv1MainConfig, "av01.0.00M.08", 66, 50, 0, 1},
                    Expected{"svt", kAv1SvtConfig, "av01.0.00M.08", 64, 64, 0, 1},
                    Expected{"rav1e_with_timing", kAv1TimingConfig, "av01.0.31M.08", 64, 48, 25, 1},
                    Expected{"hdr_10", kAv1Main10Config, "av01.0.00M.10.0.110.09.16.09.0", 66, 82, 0, 1},
                    Expected{"high_444", kAv1HighConfig, "av01.1.00M.08.0.000.01.01.01.0", 64, 48, 0, 1},
                    Expected{"pro_422", kAv1ProfessionalConfig, "av01.2.00M.10.0.100.01.01.01.0", 64, 48, 0,
                             1},
                    Expected{"gray", kAv1GrayConfig, "av01.0.00M.08.1.110.02.02.02.1", 64, 48, 0, 1},
                    Expected{"rgb", kAv1RgbConfig, "av01.1.00M.08.0.000.01.13.00.1", 64, 48, 0, 1}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Av1Format, tells_the_range) {
  EXPECT_EQ(video_range_of(*format_of(kAv1Main10Config)), VideoRange::kPq);
  EXPECT_EQ(video_range_of(*format_of(kAv1MainConfig)), VideoRange::kSdr);
}

TEST(Av1Format, leaves_the_size_open_until_a_sequence_header_comes) {
  Buffer bare = from_hex(kAv1MainConfig);
  bare.resize(4);
  auto format = make_format(Codec::kAv1, SharedBytes(std::move(bare)));
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ((*format)->width, 0u);
  EXPECT_EQ((*format)->codec_string, "av01.0.00M.08");
  auto facts = inspect(**format, from_hex(kAv1MainFirst));
  ASSERT_TRUE(facts.has_value());
  ASSERT_NE(facts->new_format, nullptr);
  EXPECT_TRUE(facts->new_format->is_same_as(*format_of(kAv1MainConfig)));
  EXPECT_EQ(facts->new_format->width, 66u);
}

TEST(Av1Format, refuses_broken_records) {
  Buffer whole = from_hex(kAv1MainConfig);
  for (std::size_t length : {0, 1, 3, 5, 8, 15}) {
    EXPECT_EQ(make_format(Codec::kAv1, SharedBytes::copy_of(Bytes(whole).first(length))).error(),
              CodecRefusal::kTruncated)
        << length;
  }
  Buffer version = whole, profile = whole, forbidden_bit = whole;
  version[0] = 0x82;
  profile[1] = 0x60;
  forbidden_bit[4] |= 0x80;
  for (const Buffer& config : {version, profile, forbidden_bit}) {
    EXPECT_EQ(make_format(Codec::kAv1, SharedBytes::copy_of(config)).error(), CodecRefusal::kBadValue);
  }
}

TEST(Av1Format, refuses_pictures_larger_than_the_limit) {
  // Reduced still picture of profile 0, level 0: 16-bit sides, width 65,536.
  Buffer config = {0x81, 0, 0x0c, 0, 0x0a, 11, 0x18, 0x3f, 0xff, 0xff, 0xf8, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(make_format(Codec::kAv1, SharedBytes(std::move(config))).error(), CodecRefusal::kUnsupported);
}

TEST(Av1TemporalUnit, is_a_key_frame_with_sequence_header_and_shown_key_frame) {
  auto format = format_of(kAv1MainConfig);
  for (std::string_view key : {kAv1MainFirst, kAv1MainThird}) {
    auto facts = inspect(*format, from_hex(key));
    ASSERT_TRUE(facts.has_value());
    EXPECT_TRUE(facts->is_keyframe);
    EXPECT_FALSE(facts->new_config.has_value());
  }
  EXPECT_FALSE(inspect(*format, from_hex(kAv1MainSecond))->is_keyframe);
}

TEST(Av1TemporalUnit, is_no_key_frame_without_its_sequence_header) {
  Buffer unit = from_hex(kAv1MainFirst);
  unit.erase(unit.begin(), unit.begin() + 12);  // Type, size and ten bytes of sequence header.
  auto facts = inspect(*format_of(kAv1MainConfig), unit);
  ASSERT_TRUE(facts.has_value());
  EXPECT_FALSE(facts->is_keyframe);
}

TEST(Av1TemporalUnit, may_hold_a_temporal_delimiter_and_a_last_unit_without_size) {
  auto format = format_of(kAv1MainConfig);
  Buffer unit = from_hex(kAv1MainFirst);
  unit.insert(unit.begin(), {0x12, 0x00});
  EXPECT_TRUE(inspect(*format, unit)->is_keyframe);
  Buffer shown_existing = {0x18, 0x80};  // Frame header without size: shows a frame sent before.
  auto facts = inspect(*format, shown_existing);
  ASSERT_TRUE(facts.has_value());
  EXPECT_FALSE(facts->is_keyframe);
}

TEST(Av1TemporalUnit, gives_a_new_configuration_when_its_sequence_header_differs) {
  auto facts = inspect(*format_of(kAv1TimingConfig), from_hex(kAv1MainFirst));
  ASSERT_TRUE(facts.has_value());
  ASSERT_TRUE(facts->new_config.has_value());
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_TRUE(facts->new_format->is_same_as(*format_of(kAv1MainConfig)));
}

TEST(Av1TemporalUnit, follows_an_encoder_whose_record_was_written_before_it_settled) {
  auto facts = inspect(*format_of(kAv1SvtConfig), from_hex(kAv1SvtFirst));
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->is_keyframe);
  ASSERT_TRUE(facts->new_config.has_value());
  EXPECT_EQ(facts->new_format->width, 64u);
  EXPECT_FALSE(inspect(*facts->new_format, from_hex(kAv1SvtFirst))->new_config.has_value());
  EXPECT_FALSE(inspect(*facts->new_format, from_hex(kAv1SvtSecond))->is_keyframe);
}

TEST(Av1TemporalUnit, is_refused_when_it_does_not_add_up) {
  auto format = format_of(kAv1MainConfig);
  auto refusal = [&](const Buffer& unit) { return inspect(*format, unit).error(); };
  EXPECT_EQ(refusal({}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0x32, 5, 0}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0x32, 0x80}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0x92, 0}), CodecRefusal::kBadValue);
  EXPECT_EQ(refusal({0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}), CodecRefusal::kBadValue);
  Buffer many;
  for (int i = 0; i < 4097; ++i) many.insert(many.end(), {0x12, 0});
  EXPECT_EQ(refusal(many), CodecRefusal::kUnsupported);
}

}  // namespace
}  // namespace stoa::media
