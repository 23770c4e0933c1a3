#include "media/hevc.h"

#include <gmock/gmock.h>

#include "media/codec_vectors.h"
#include "media/hevc_sets.h"

namespace stoa::media {
namespace {

using namespace vectors;
using testing::ElementsAreArray;

std::shared_ptr<const Format> format_of(std::string_view hex) {
  auto format = make_format(Codec::kHevc, shared(hex));
  return format ? *format : nullptr;
}

struct Expected {
  const char* name;
  std::string_view config;
  const char* codec_string;
  std::uint32_t width, height, numerator, denominator;
};

class HevcFormats : public testing::TestWithParam<Expected> {};

TEST_P(HevcFormats, are_what_ffprobe_says) {
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
    RealEncoders, HevcFormats,
    testing::Values(
        Expected{"main", kHevcMainConfig, "hvc1.1.6.L30.90", 64, 48, 30, 1},
        Expected{"main_10_cropped_1080", kHevcMain10Config, "hvc1.2.4.L123.90", 1920, 1080, 60000, 1001},
        Expected{"cropped_with_scaling_lists", kHevcInBandConfig, "hvc1.1.6.L30.90", 70, 50, 25, 1},
        Expected{"range_extensions", kHevc422Config, "hvc1.4.10.L30.99.8", 64, 64, 24, 1},
        Expected{"high_tier_two_layers", kHevcHighTierConfig, "hvc1.2.4.H153.90", 130, 70, 50, 1}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(HevcFormat, tells_range_and_shape_of_pixels) {
  EXPECT_EQ(video_range_of(*format_of(kHevcMain10Config)), VideoRange::kPq);
  EXPECT_EQ(video_range_of(*format_of(kHevcHighTierConfig)), VideoRange::kHlg);
  EXPECT_EQ(video_range_of(*format_of(kHevcMainConfig)), VideoRange::kSdr);
  auto picture = read_picture(*format_of(kHevc422Config));
  EXPECT_EQ(picture->pixel_width, 4u);
  EXPECT_EQ(picture->pixel_height, 3u);
}

TEST(HevcFormat, spells_profile_space_compatibility_and_constraints) {
  // Main, compatible with 1 and 2, progressive and frames only.
  EXPECT_EQ(hevc_codec_string({0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93}), "hvc1.1.6.L93.B0");
  // Space B, high tier, no constraint.
  EXPECT_EQ(hevc_codec_string({0xa2, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 150}), "hvc1.B2.4.H150");
  EXPECT_EQ(hevc_codec_string({0x04, 0x08, 0, 0, 1, 0x9d, 0, 0x08, 0, 0, 0, 120}),
            "hvc1.4.80000010.L120.9D.0.8");
}

TEST(HevcFormat, refuses_a_record_cut_short) {
  Buffer whole = from_hex(kHevcMainConfig);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    auto format = make_format(Codec::kHevc, SharedBytes::copy_of(Bytes(whole).first(length)));
    ASSERT_FALSE(format.has_value()) << length;
    EXPECT_EQ(format.error(), CodecRefusal::kTruncated) << length;
  }
}

TEST(HevcFormat, refuses_values_that_the_standard_forbids) {
  Buffer version = from_hex(kHevcMainConfig), length_size = version, set_type = version;
  version[0] = 0;
  length_size[21] = (length_size[21] & 0xfc) | 2;
  set_type[28] = 0x42;  // A sequence parameter set in the array of video parameter sets.
  for (const Buffer& config : {version, length_size, set_type}) {
    EXPECT_EQ(make_format(Codec::kHevc, SharedBytes::copy_of(config)).error(), CodecRefusal::kBadValue);
  }
}

TEST(HevcFormat, refuses_a_record_without_parameter_sets) {
  Buffer config = from_hex(kHevcMainConfig);
  config.resize(23);
  config[22] = 0;
  EXPECT_EQ(make_format(Codec::kHevc, SharedBytes(std::move(config))).error(), CodecRefusal::kUnsupported);
}

TEST(HevcAccessUnit, is_a_key_frame_for_idr_and_for_clean_random_access) {
  auto format = format_of(kHevcMainConfig);
  EXPECT_TRUE(inspect(*format, from_hex(kHevcMainFirst))->is_keyframe);
  EXPECT_TRUE(inspect(*format, from_hex(kHevcMainCra))->is_keyframe);
  EXPECT_FALSE(inspect(*format, from_hex(kHevcMainSecond))->is_keyframe);
}

TEST(HevcAccessUnit, is_a_key_frame_for_every_irap_type_and_no_other) {
  auto format = format_of(kHevcMainConfig);
  for (std::uint8_t type = 0; type < 32; ++type) {
    Buffer unit = {0, 0, 0, 4, static_cast<std::uint8_t>(type << 1), 1, 0x80, 0x80};
    EXPECT_EQ(inspect(*format, unit)->is_keyframe, type >= 16 && type <= 21) << int{type};
  }
  Buffer other_layer = {0, 0, 0, 4, 19 << 1, 1 << 3 | 1, 0x80, 0x80};
  EXPECT_FALSE(inspect(*format, other_layer)->is_keyframe);
}

TEST(HevcAccessUnit, makes_nothing_of_repeated_identical_parameter_sets) {
  auto format = format_of(kHevcInBandConfig);
  for (std::string_view unit : {kHevcInBandFirst, kHevcInBandThird}) {
    auto facts = inspect(*format, from_hex(unit));
    ASSERT_TRUE(facts.has_value());
    EXPECT_TRUE(facts->is_keyframe);
    EXPECT_FALSE(facts->new_config.has_value());
  }
}

TEST(HevcAccessUnit, gives_a_new_configuration_when_its_parameter_sets_differ) {
  auto facts = inspect(*format_of(kHevcMainConfig), from_hex(kHevcInBandFirst));
  ASSERT_TRUE(facts.has_value());
  ASSERT_TRUE(facts->new_config.has_value());
  auto encoder = format_of(kHevcInBandConfig);
  EXPECT_EQ(facts->new_format->codec_string, encoder->codec_string);
  EXPECT_EQ(facts->new_format->width, 70u);
  EXPECT_EQ(facts->new_format->height, 50u);
  EXPECT_EQ(facts->new_format->frame_rate_numerator, 25u);
  EXPECT_FALSE(inspect(*facts->new_format, from_hex(kHevcInBandThird))->new_config.has_value());
  // The head of the record as the encoder's own says it: profile, tier, compatibility, constraints, level.
  Bytes ours = facts->new_config->bytes().first(13), theirs = encoder->config.bytes().first(13);
  EXPECT_THAT(Buffer(ours.begin(), ours.end()), ElementsAreArray(theirs));
  EXPECT_EQ(facts->new_config->bytes()[21], encoder->config.bytes()[21]);
}

TEST(HevcAccessUnit, refuses_what_does_not_add_up) {
  auto format = format_of(kHevcMainConfig);
  auto refusal = [&](const Buffer& unit) { return inspect(*format, unit).error(); };
  EXPECT_EQ(refusal({}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0, 0, 0, 1, 0x26}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0, 0, 0, 2, 0xa6, 1}), CodecRefusal::kBadValue);
  EXPECT_EQ(refusal({0, 0, 0, 2, 0x26, 0}), CodecRefusal::kBadValue);  // Temporal id 0 is forbidden.
  Buffer sets;
  for (int i = 0; i < 65; ++i) sets.insert(sets.end(), {0, 0, 0, 4, 34 << 1, 1, 0xc0, 0x80});
  EXPECT_EQ(refusal(sets), CodecRefusal::kUnsupported);
}

TEST(HevcPicture, says_how_many_frames_are_shown_out_of_the_order_of_decoding) {
  auto format = make_format(Codec::kHevc, shared(kHevcMainConfig));
  ASSERT_TRUE(format);
  EXPECT_EQ(read_picture(**format)->reorder_frames, 2u);
}

TEST(HevcRecord, is_marked_complete_for_the_sample_entry) {
  Buffer config = from_hex(kHevcMainConfig);
  Buffer open = config;
  open[23] &= 0x7f;
  EXPECT_THAT(with_complete_hevc_arrays(open), ElementsAreArray(with_complete_hevc_arrays(config)));
  EXPECT_EQ(with_complete_hevc_arrays(open)[23], 0x80 | kHevcVps);
  EXPECT_THAT(with_complete_hevc_arrays(Buffer{1, 2, 3}), ElementsAreArray(Buffer{1, 2, 3}));
}

}  // namespace
}  // namespace stoa::media
