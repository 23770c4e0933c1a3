#include "media/aac.h"

#include <gmock/gmock.h>

#include "media/cmaf.h"
#include "media/codec_vectors.h"

namespace stoa::media {
namespace {

using namespace vectors;

struct Expected {
  const char* name;
  std::string_view config;
  const char* codec_string;
  std::uint32_t sample_rate, channels, samples_per_frame;
};

class AacFormats : public testing::TestWithParam<Expected> {};

TEST_P(AacFormats, say_what_the_decoder_puts_out) {
  const Expected& expected = GetParam();
  auto format = make_format(Codec::kAac, shared(expected.config));
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ((*format)->codec_string, expected.codec_string);
  EXPECT_EQ((*format)->sample_rate, expected.sample_rate);
  EXPECT_EQ((*format)->channels, expected.channels);
  EXPECT_EQ((*format)->samples_per_frame, expected.samples_per_frame);
  EXPECT_EQ(timescale_of(**format), expected.sample_rate);
}

INSTANTIATE_TEST_SUITE_P(RealEncoders, AacFormats,
                         testing::Values(Expected{"stereo", kAacStereoConfig, "mp4a.40.2", 48000, 2, 1024},
                                         Expected{"mono", kAacMonoConfig, "mp4a.40.2", 44100, 1, 1024},
                                         Expected{"surround_5_1", kAac51Config, "mp4a.40.2", 48000, 6, 1024},
                                         Expected{"rate_96k", kAac96kConfig, "mp4a.40.2", 96000, 1, 1024}),
                         [](const auto& row) { return std::string(row.param.name); });

// Written by hand from ISO/IEC 14496-3 §1.6.2.1; object type, rate index, channels, …
INSTANTIATE_TEST_SUITE_P(
    ByHand, AacFormats,
    testing::Values(Expected{"bare", "1190", "mp4a.40.2", 48000, 2, 1024},
                    // 5, 22,050, 2, 44,100, 2.
                    Expected{"he_explicit", "2b920800", "mp4a.40.5", 44100, 2, 2048},
                    // 29, 22,050, 1, 44,100, 2.
                    Expected{"he_v2_explicit", "eb8a0800", "mp4a.40.29", 44100, 2, 2048},
                    // 2, 22,050, 2; 0x2b7, 5, present, 44,100.
                    Expected{"he_behind_lc", "139056e5a0", "mp4a.40.5", 44100, 2, 2048},
                    // 2, 22,050, 1; 0x2b7, 5, present, 44,100; 0x548, present.
                    Expected{"he_v2_behind_lc", "138856e5a54880", "mp4a.40.29", 44100, 2, 2048},
                    // The same with SBR said not to be there.
                    Expected{"sbr_absent", "139056e500", "mp4a.40.2", 22050, 2, 1024},
                    // 5, 44,100, 2, 44,100, 2: SBR that does not double the rate.
                    Expected{"he_downsampled", "2a120800", "mp4a.40.5", 44100, 2, 1024},
                    // 960 samples a frame.
                    Expected{"short_frames", "1194", "mp4a.40.2", 48000, 2, 960},
                    // Rate index 15: 48,000 in 24 bits.
                    Expected{"rate_in_full", "17805dc010", "mp4a.40.2", 48000, 2, 1024},
                    Expected{"seven_one", "11b8", "mp4a.40.2", 48000, 8, 1024},
                    Expected{"padding_is_no_extension", "11900000", "mp4a.40.2", 48000, 2, 1024}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(AacFormat, refuses_what_players_do_not_take) {
  constexpr std::string_view kMain = "0990", kScalableRate = "1990", kLongTermPrediction = "2190";
  constexpr std::string_view kUsac = "f94640", kSixPointOne = "11d8", kSbrAboveBitSliced = "2b925800";
  for (std::string_view config : {kMain, kScalableRate, kLongTermPrediction, kUsac, kSixPointOne,
                                  kSbrAboveBitSliced, kAacProgramConfigConfig}) {
    auto format = make_format(Codec::kAac, shared(config));
    ASSERT_FALSE(format.has_value()) << config;
    EXPECT_EQ(format.error(), CodecRefusal::kUnsupported) << config;
  }
}

TEST(AacFormat, refuses_what_the_standard_forbids) {
  for (std::string_view config : {"1690",         // Rate index 13.
                                  "11c8",         // Channel configuration 9.
                                  "1780000010",   // 0 Hz.
                                  "2b910800"}) {  // SBR from 22,050 to 48,000 is no doubling.
    auto format = make_format(Codec::kAac, shared(config));
    ASSERT_FALSE(format.has_value()) << config;
    EXPECT_EQ(format.error(), CodecRefusal::kBadValue) << config;
  }
}

TEST(AacFormat, refuses_what_ends_too_early) {
  for (std::string_view config : {"", "11", "2b92", "1780"}) {
    auto format = make_format(Codec::kAac, shared(config));
    ASSERT_FALSE(format.has_value()) << config;
    EXPECT_EQ(format.error(), CodecRefusal::kTruncated) << config;
  }
}

TEST(AacFrame, is_always_a_key_frame) {
  auto format = *make_format(Codec::kAac, shared(kAacStereoConfig));
  for (std::string_view frame : {kAacStereoFirst, kAacStereoSecond}) {
    auto facts = inspect(*format, from_hex(frame));
    ASSERT_TRUE(facts.has_value());
    EXPECT_TRUE(facts->is_keyframe);
    EXPECT_FALSE(facts->new_config.has_value());
  }
}

TEST(AacFrame, is_refused_when_empty_or_behind_an_adts_header) {
  auto format = *make_format(Codec::kAac, shared(kAacStereoConfig));
  EXPECT_EQ(inspect(*format, {}).error(), CodecRefusal::kTruncated);
  EXPECT_EQ(inspect(*format, Buffer{0xff, 0xf1, 0x4c, 0x80}).error(), CodecRefusal::kBadValue);
  EXPECT_EQ(inspect(*format, Buffer{0xff, 0xf9, 0x4c, 0x80}).error(), CodecRefusal::kBadValue);
}

}  // namespace
}  // namespace stoa::media
