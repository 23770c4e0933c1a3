#include "media/payload/first_format.h"

#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

namespace vectors = media::vectors;
using media::Codec;
using media::CodecRefusal;

TEST(FirstFormat, comes_out_of_a_key_frame_of_each_codec) {
  struct Row {
    Codec codec;
    std::string_view keyframe;
  };
  for (Row row : {Row{Codec::kH264, vectors::kH264InBandFirst}, Row{Codec::kHevc, vectors::kHevcInBandFirst},
                  Row{Codec::kAv1, vectors::kAv1MainFirst}, Row{Codec::kVp9, vectors::kVp9First}}) {
    Buffer keyframe = from_hex(row.keyframe);
    auto format = make_first_format(row.codec, keyframe);
    ASSERT_TRUE(format) << media::name_of(row.codec);
    EXPECT_EQ((*format)->codec, row.codec);
    EXPECT_GT((*format)->width, 0u);
    EXPECT_GT((*format)->height, 0u);
    // The same key frame changes nothing more.
    auto facts = media::inspect(**format, keyframe);
    ASSERT_TRUE(facts);
    EXPECT_TRUE(facts->is_keyframe);
    EXPECT_FALSE(facts->new_config) << media::name_of(row.codec);
  }
}

TEST(FirstFormat, needs_parameter_sets) {
  EXPECT_EQ(make_first_format(Codec::kH264, from_hex(vectors::kH264HighSecond)).error(),
            CodecRefusal::kBadValue);
  EXPECT_EQ(make_first_format(Codec::kHevc, from_hex(vectors::kHevcMainFirst)).error(),
            CodecRefusal::kBadValue);
  EXPECT_EQ(make_first_format(Codec::kAv1, from_hex(vectors::kAv1MainSecond)).error(),
            CodecRefusal::kBadValue);
  EXPECT_EQ(make_first_format(Codec::kVp9, from_hex(vectors::kVp9Second)).error(), CodecRefusal::kBadValue);
  EXPECT_EQ(make_first_format(Codec::kAac, {}).error(), CodecRefusal::kUnsupported);
}

TEST(FirstFormat, of_opus_has_the_channels_that_sdp_said) {
  auto stereo = make_opus_format(2);
  ASSERT_TRUE(stereo);
  EXPECT_EQ((*stereo)->channels, 2u);
  EXPECT_EQ((*stereo)->sample_rate, 48'000u);
  EXPECT_FALSE(make_opus_format(0));
  EXPECT_FALSE(make_opus_format(3));
}

TEST(FirstFormat, knows_the_codec_of_each_encoding) {
  EXPECT_EQ(find_codec(Encoding::kH264), Codec::kH264);
  EXPECT_EQ(find_codec(Encoding::kOpus), Codec::kOpus);
  EXPECT_FALSE(find_codec(Encoding::kVp8));
}

}  // namespace
}  // namespace stoa::payload
