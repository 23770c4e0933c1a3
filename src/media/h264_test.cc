#include "media/h264.h"

#include <gmock/gmock.h>

#include "media/codec_vectors.h"

namespace stoa::media {
namespace {

using namespace vectors;
using testing::ElementsAreArray;

std::shared_ptr<const Format> format_of(std::string_view hex) {
  auto format = make_format(Codec::kH264, shared(hex));
  return format ? *format : nullptr;
}
CodecRefusal refusal_of(Buffer config) {
  auto format = make_format(Codec::kH264, SharedBytes(std::move(config)));
  EXPECT_FALSE(format.has_value());
  return format ? CodecRefusal{255} : format.error();
}

struct Expected {
  const char* name;
  std::string_view config;
  const char* codec_string;
  std::uint32_t width, height, numerator, denominator;
};

class H264Formats : public testing::TestWithParam<Expected> {};

TEST_P(H264Formats, are_what_ffprobe_says) {
  const Expected& expected = GetParam();
  auto format = format_of(expected.config);
  ASSERT_NE(format, nullptr);
  EXPECT_EQ(format->codec_string, expected.codec_string);
  EXPECT_EQ(format->width, expected.width);
  EXPECT_EQ(format->height, expected.height);
  EXPECT_EQ(format->frame_rate_numerator, expected.numerator);
  EXPECT_EQ(format->frame_rate_denominator, expected.denominator);
  EXPECT_THAT(Buffer(format->config.bytes().begin(), format->config.bytes().end()),
              ElementsAreArray(from_hex(expected.config)));
}

INSTANTIATE_TEST_SUITE_P(
    RealEncoders, H264Formats,
    testing::Values(Expected{"high", kH264HighConfig, "avc1.64000a", 64, 48, 30000, 1001},
                    Expected{"cropped_1080", kH264Cropped1080Config, "avc1.42c02a", 1920, 1080, 50, 1},
                    Expected{"baseline", kH264BaselineConfig, "avc1.42c00a", 62, 46, 25, 1},
                    Expected{"interlaced", kH264InterlacedConfig, "avc1.4d4028", 1920, 1080, 25, 1},
                    Expected{"high_10", kH264High10Config, "avc1.6e000a", 64, 48, 30000, 1001},
                    Expected{"high_422", kH264High422Config, "avc1.7a000a", 64, 48, 24, 1},
                    Expected{"odd_444_with_scaling_lists", kH264High444Config, "avc1.f4000a", 65, 49, 24, 1},
                    Expected{"full_range", kH264ColourConfig, "avc1.64000a", 64, 48, 60000, 1001},
                    Expected{"tick_is_no_rate", kH264VariableRateConfig, "avc1.640015", 64, 48, 0, 1}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(H264Format, tells_the_shape_and_colour_of_pixels) {
  auto picture = read_picture(*format_of(kH264ColourConfig));
  ASSERT_TRUE(picture.has_value());
  EXPECT_EQ(picture->pixel_width, 8u);
  EXPECT_EQ(picture->pixel_height, 9u);
  EXPECT_EQ(picture->colour, (Colour{1, 1, 1, true}));
  picture = read_picture(*format_of(kH264High444Config));
  EXPECT_EQ(picture->pixel_width, 16u);
  EXPECT_EQ(picture->pixel_height, 15u);
  picture = read_picture(*format_of(kH264HighConfig));
  EXPECT_EQ(picture->pixel_width, 1u);
  EXPECT_FALSE(picture->colour.has_value());
}

TEST(H264Format, takes_profile_and_level_from_the_parameter_set_and_not_from_the_record) {
  Buffer config = from_hex(kH264HighConfig);
  config[1] = 66, config[2] = 0xc0, config[3] = 51;
  auto format = make_format(Codec::kH264, SharedBytes(std::move(config)));
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ((*format)->codec_string, "avc1.64000a");
}

TEST(H264Format, takes_a_record_without_the_fields_of_the_high_profiles) {
  Buffer config = from_hex(kH264HighConfig);
  config.erase(config.end() - 4, config.end());
  EXPECT_TRUE(make_format(Codec::kH264, SharedBytes(std::move(config))).has_value());
}

TEST(H264Format, refuses_a_record_that_ends_anywhere_before_its_last_parameter_set) {
  Buffer whole = from_hex(kH264HighConfig);
  for (std::size_t length = 0; length < whole.size() - 4; ++length) {
    EXPECT_EQ(refusal_of(Buffer(whole.begin(), whole.begin() + static_cast<long>(length))),
              CodecRefusal::kTruncated)
        << length;
  }
}

TEST(H264Format, refuses_values_that_the_standard_forbids) {
  Buffer version = from_hex(kH264HighConfig), length_size = version, set_type = version;
  version[0] = 2;
  length_size[4] = 0xfe;
  set_type[8] = 0x68;
  for (const Buffer& config : {version, length_size, set_type}) {
    EXPECT_EQ(refusal_of(config), CodecRefusal::kBadValue);
  }
}

TEST(H264Format, refuses_what_no_player_takes) {
  Buffer extended = from_hex(kH264HighConfig), scalable = extended, no_set = extended;
  extended[9] = 88;
  scalable[9] = 83;
  no_set = {1, 100, 0, 10, 0xff, 0xe0, 0};
  for (const Buffer& config : {extended, scalable, no_set}) {
    EXPECT_EQ(refusal_of(config), CodecRefusal::kUnsupported);
  }
}

TEST(H264Format, refuses_pictures_larger_than_the_limit) {
  // Baseline, level 62, ids and counts 0, then a width of 1,025 macroblocks: one over 16,384 pixels.
  // ue: id 1, frame_num 1, poc type 2 = 011, refs 1, gaps 0, width-1 = 1024 = 0^10 10000000001, height-1 = 0
  // = 1. 1 1 011 1 0 | 0000000000 10000000001 | 1 | frames_only 1 | direct 1 | crop 0 | vui 0 | stop 1
  Buffer sps = {0x67, 66, 0xc0, 62, 0b11011100, 0b00000000, 0b01000000, 0b00011110, 0b01000000};
  Buffer config = {1, 66, 0xc0, 62, 0xff, 0xe1, 0, static_cast<std::uint8_t>(sps.size())};
  config.insert(config.end(), sps.begin(), sps.end());
  config.push_back(0);
  EXPECT_EQ(refusal_of(config), CodecRefusal::kUnsupported);
  config[8 + 7] = 0b00001110;  // width-1 = 1023: as wide as may be.
  auto format = make_format(Codec::kH264, SharedBytes(std::move(config)));
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ((*format)->width, kPictureSideMax);
  EXPECT_EQ((*format)->height, 16u);
}

TEST(H264AccessUnit, is_a_key_frame_when_it_holds_an_idr_picture) {
  auto format = format_of(kH264HighConfig);
  EXPECT_TRUE(inspect(*format, from_hex(kH264HighFirst))->is_keyframe);
  for (std::string_view other : {kH264HighSecond, kH264HighThird, kH264HighFourth}) {
    auto facts = inspect(*format, from_hex(other));
    ASSERT_TRUE(facts.has_value());
    EXPECT_FALSE(facts->is_keyframe);
    EXPECT_FALSE(facts->new_config.has_value());
  }
}

TEST(H264AccessUnit, is_no_key_frame_at_a_recovery_point) {
  auto facts = inspect(*format_of(kH264OpenGopConfig), from_hex(kH264OpenGopRecoveryPoint));
  ASSERT_TRUE(facts.has_value());
  EXPECT_FALSE(facts->is_keyframe);
}

TEST(H264AccessUnit, makes_nothing_of_repeated_identical_parameter_sets) {
  auto format = format_of(kH264InBandConfig);
  for (std::string_view unit : {kH264InBandFirst, kH264InBandThird}) {
    auto facts = inspect(*format, from_hex(unit));
    ASSERT_TRUE(facts.has_value());
    EXPECT_TRUE(facts->is_keyframe);
    EXPECT_FALSE(facts->new_config.has_value());
    EXPECT_EQ(facts->new_format, nullptr);
  }
  EXPECT_FALSE(inspect(*format, from_hex(kH264InBandSecond))->is_keyframe);
}

TEST(H264AccessUnit, makes_nothing_of_repeated_sets_with_zeros_behind_them) {
  auto format = format_of(kH264InBandConfig);
  Buffer record = from_hex(kH264InBandConfig);
  std::size_t sps_bytes = record[7];
  Buffer unit = {0, 0, 0, static_cast<std::uint8_t>(sps_bytes + 2)};
  unit.insert(unit.end(), record.begin() + 8, record.begin() + 8 + static_cast<long>(sps_bytes));
  unit.insert(unit.end(), {0, 0});
  auto facts = inspect(*format, unit);
  ASSERT_TRUE(facts.has_value());
  EXPECT_FALSE(facts->new_config.has_value());
}

TEST(H264AccessUnit, gives_a_new_configuration_when_its_parameter_sets_differ) {
  auto facts = inspect(*format_of(kH264InBandConfig), from_hex(kH264OtherSizeFirst));
  ASSERT_TRUE(facts.has_value());
  ASSERT_TRUE(facts->new_config.has_value());
  ASSERT_NE(facts->new_format, nullptr);
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_EQ(facts->new_format->width, 80u);
  EXPECT_EQ(facts->new_format->height, 48u);
  // What the encoder itself wrote for that stream.
  EXPECT_THAT(Buffer(facts->new_config->bytes().begin(), facts->new_config->bytes().end()),
              ElementsAreArray(from_hex(kH264OtherSizeConfig)));
  // From now on it is the known one.
  auto again = inspect(*facts->new_format, from_hex(kH264OtherSizeFirst));
  EXPECT_FALSE(again->new_config.has_value());
}

TEST(H264AccessUnit, adds_a_picture_parameter_set_of_a_new_id_to_the_configuration) {
  auto format = format_of(kH264InBandConfig);
  Buffer pps = {0, 0, 0, 5, 0x68, 0x5b, 0x80, 0x80, 0x80};  // Id 1 of sequence 0.
  auto facts = inspect(*format, pps);
  ASSERT_TRUE(facts.has_value());
  ASSERT_TRUE(facts->new_config.has_value());
  EXPECT_FALSE(facts->is_keyframe);
  EXPECT_GT(facts->new_config->size(), format->config.size());
  EXPECT_EQ(facts->new_format->width, format->width);
  EXPECT_TRUE(inspect(*facts->new_format, from_hex(kH264InBandFirst))->new_config == std::nullopt);
}

TEST(H264AccessUnit, makes_nothing_of_a_set_that_another_replaces_at_once) {
  auto format = format_of(kH264InBandConfig);
  Buffer record = from_hex(kH264InBandConfig);
  Bytes known = Bytes(record).subspan(8, record[7]);
  Buffer other = from_hex(kH264OtherSizeConfig);
  Bytes replaced = Bytes(other).subspan(8, other[7]);
  Buffer unit;
  for (Bytes sps : {replaced, known}) {
    unit.insert(unit.end(), {0, 0, 0, static_cast<std::uint8_t>(sps.size())});
    unit.insert(unit.end(), sps.begin(), sps.end());
  }
  auto facts = inspect(*format, unit);
  ASSERT_TRUE(facts.has_value());
  EXPECT_FALSE(facts->new_config.has_value());
}

TEST(H264AccessUnit, has_lengths_of_the_size_that_the_configuration_says) {
  Buffer config = from_hex(kH264HighConfig);
  config[4] = 0xfc;  // One byte.
  auto format = *make_format(Codec::kH264, SharedBytes(std::move(config)));
  Buffer unit = {2, 0x09, 0x10, 2, 0x65, 0x88};
  EXPECT_TRUE(inspect(*format, unit)->is_keyframe);
  config = from_hex(kH264HighConfig);
  config[4] = 0xfd;  // Two.
  format = *make_format(Codec::kH264, SharedBytes(std::move(config)));
  unit = {0, 2, 0x65, 0x88};
  EXPECT_TRUE(inspect(*format, unit)->is_keyframe);
}

TEST(H264AccessUnit, refuses_what_does_not_add_up) {
  auto format = format_of(kH264HighConfig);
  auto refusal = [&](const Buffer& unit) { return inspect(*format, unit).error(); };
  EXPECT_EQ(refusal({}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0, 0, 0}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0, 0, 0, 5, 0x65}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0xff, 0xff, 0xff, 0xff, 0x65}), CodecRefusal::kTruncated);
  EXPECT_EQ(refusal({0, 0, 0, 0}), CodecRefusal::kBadValue);
  EXPECT_EQ(refusal({0, 0, 0, 1, 0xe5}), CodecRefusal::kBadValue);
}

TEST(H264AccessUnit, refuses_data_partitions) {
  EXPECT_EQ(inspect(*format_of(kH264HighConfig), Buffer{0, 0, 0, 2, 0x42, 0}).error(),
            CodecRefusal::kUnsupported);
}

TEST(H264Picture, says_how_many_frames_are_shown_out_of_the_order_of_decoding) {
  // x264's default has B-frames that others refer to; bf=2 of a short clip, plain ones; bf=0 and baseline
  // none.
  EXPECT_EQ(read_picture(*format_of(kH264High10Config))->reorder_frames, 2u);
  EXPECT_EQ(read_picture(*format_of(kH264BaselineConfig))->reorder_frames, 0u);
  EXPECT_EQ(read_picture(*format_of(kH264InBandConfig))->reorder_frames, 0u);
}

TEST(H264AccessUnit, refuses_more_parameter_sets_than_the_limit) {
  Buffer unit;
  for (int i = 0; i < 65; ++i) {
    unit.insert(unit.end(), {0, 0, 0, 5, 0x68, 0x5b, 0x80, 0x80, 0x80});
  }
  EXPECT_EQ(inspect(*format_of(kH264HighConfig), unit).error(), CodecRefusal::kUnsupported);
}

}  // namespace
}  // namespace stoa::media
