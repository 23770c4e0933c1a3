#include "work/video_units.h"

#include <gtest/gtest.h>

#include "media/codec.h"
#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;

TEST(VideoUnits, are_the_same_with_start_codes_and_with_lengths) {
  // A delimiter, a message, two slices of an IDR picture; trailing zeros behind some.
  Buffer start_codes{0,    0,    0, 1, 9, 0xf0, 0,    0, 1, 6, 5, 1,    0x80, 0,    0, 0, 1,
                     0x65, 0x88, 0, 0, 3, 1,    0x10, 0, 0, 0, 1, 0x65, 0x44, 0x20, 0, 0};
  Buffer lengths{0, 0, 0,    2,    9, 0xf0, 0, 0, 0,    4, 6, 5, 1, 0x80, 0,    0,
                 0, 7, 0x65, 0x88, 0, 0,    3, 1, 0x10, 0, 0, 0, 3, 0x65, 0x44, 0x20};
  Buffer slices{0, 0, 0, 7, 0x65, 0x88, 0, 0, 3, 1, 0x10, 0, 0, 0, 3, 0x65, 0x44, 0x20};
  for (auto [form, unit] : {std::pair(UnitForm::kStartCodes, start_codes), {UnitForm::kLengths, lengths}}) {
    auto payload = payload_of(media::Codec::kH264, form, unit);
    ASSERT_TRUE(payload);
    EXPECT_EQ(Buffer(payload->bytes().begin(), payload->bytes().end()), slices);
  }
}

TEST(VideoUnits, lose_a_temporal_delimiter) {
  Buffer unit{0x12, 0, 0x32, 1, 0x10};
  auto payload = payload_of(media::Codec::kAv1, UnitForm::kWhole, unit);
  EXPECT_EQ(Buffer(payload->bytes().begin(), payload->bytes().end()), (Buffer{0x32, 1, 0x10}));
}

TEST(VideoUnits, refuse_what_holds_no_picture) {
  EXPECT_FALSE(payload_of(media::Codec::kH264, UnitForm::kStartCodes, Buffer{0, 0, 0, 1, 9, 0xf0}));
  EXPECT_FALSE(payload_of(media::Codec::kH264, UnitForm::kStartCodes, Buffer{1, 2, 3}));
  EXPECT_FALSE(payload_of(media::Codec::kH264, UnitForm::kLengths, Buffer{0, 0, 0, 9, 0x65}));
  EXPECT_FALSE(payload_of(media::Codec::kHevc, UnitForm::kStartCodes, Buffer{}));
  for (media::Codec codec : {media::Codec::kH264, media::Codec::kHevc}) {
    VideoEncoderConfig config;
    config.rung.codec = codec;
    EXPECT_FALSE(format_of(config, UnitForm::kStartCodes, Buffer{0, 0, 1, 9, 0xf0}));
    EXPECT_FALSE(format_of(config, UnitForm::kLengths, Buffer{}));
  }
}

// As encoders on devices give them.
TEST(VideoUnits, make_a_format_of_parameter_sets_with_start_codes) {
  for (media::Codec codec : {media::Codec::kH264, media::Codec::kHevc}) {
    bool is_hevc = codec == media::Codec::kHevc;
    CodecPtr context(avcodec_alloc_context3(avcodec_find_encoder_by_name(is_hevc ? "libx265" : "libx264")));
    context->width = 320, context->height = 180, context->pix_fmt = AV_PIX_FMT_YUV420P;
    context->time_base = {1, 30}, context->framerate = {30, 1};
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (is_hevc) av_opt_set(context->priv_data, "x265-params", "log-level=none", 0);
    ASSERT_EQ(avcodec_open2(context.get(), nullptr, nullptr), 0);
    VideoEncoderConfig config;
    config.rung.codec = codec;
    auto format = format_of(config, UnitForm::kStartCodes,
                            Bytes(context->extradata, static_cast<std::size_t>(context->extradata_size)));
    ASSERT_TRUE(format);
    EXPECT_EQ((*format)->width, 320u);
    EXPECT_EQ((*format)->height, 180u);
    EXPECT_TRUE(media::make_format(codec, (*format)->config));
  }
}

}  // namespace
}  // namespace stoa::work
