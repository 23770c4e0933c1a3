#include "work/probe.h"

#include <gmock/gmock.h>

#include "work/fake_device.h"
#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;
using media::Codec;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Probe, finds_the_processors_encoders_of_every_codec) {
  // Devices may be here or not; the processor is.
  for (const ProbedCodec& probed : probe_encoders()) {
    ASSERT_FALSE(probed.working.empty()) << media::name_of(probed.codec);
    EXPECT_EQ(probed.working.back(), processor_encoder_of(probed.codec));
  }
}

TEST(Probe, prefers_a_device_and_keeps_the_processor_behind_it) {
  auto probed = probe_codec(Codec::kH264, with_device("h264_qsv", {}));
  EXPECT_THAT(probed.working, ElementsAre("h264_qsv", "libx264"));
  EXPECT_EQ(probed.why, "h264_nvenc cannot be opened");
  auto offers = offers_of({probed});
  ASSERT_EQ(offers.size(), 3u);
  EXPECT_EQ(offers[0].codec, Codec::kH264);
  EXPECT_EQ(offers[0].name, "h264_qsv");
  EXPECT_EQ(offers[0].note, "on a device, since h264_nvenc cannot be opened");
  EXPECT_EQ(offers[1].name, "aac");
  EXPECT_EQ(offers[2].name, "libopus");
  EXPECT_THAT(encoders_of({probed})[Codec::kH264], ElementsAre("h264_qsv", "libx264"));
}

TEST(Probe, takes_the_first_of_several_devices) {
  auto all = [](const VideoEncoderConfig& config) {
    VideoEncoderConfig real = config;
    real.encoder.clear();
    return make_video_encoder(real);
  };
  EXPECT_THAT(probe_codec(Codec::kHevc, all).working,
              ElementsAre("hevc_nvenc", "hevc_qsv", "hevc_vaapi", "libx265"));
}

TEST(Probe, takes_no_encoder_that_makes_keyframes_where_it_likes) {
  auto probed = probe_codec(Codec::kH264, with_device("h264_nvenc", {.has_no_forced = true}));
  EXPECT_THAT(probed.working, ElementsAre("libx264"));
  EXPECT_THAT(probed.why, HasSubstr("h264_nvenc makes keyframes elsewhere"));
  EXPECT_THAT(offers_of({probed})[0].note, HasSubstr("on the processor, since h264_nvenc makes"));
}

TEST(Probe, takes_no_encoder_that_fails_at_once) {
  for (int picture : {0, 1, 2}) {
    auto probed = probe_codec(Codec::kH264, with_device("h264_vaapi", {.fails_at = picture}));
    EXPECT_THAT(probed.working, ElementsAre("libx264"));
    EXPECT_THAT(probed.why, HasSubstr("h264_vaapi does not encode"));
  }
}

TEST(Probe, offers_no_codec_that_nothing_encodes) {
  auto none = [](const VideoEncoderConfig&) -> MadeVideoEncoder { return refuse(EncodeRefusal::kEncoder); };
  EXPECT_TRUE(probe_codec(Codec::kAv1, none).working.empty());
  EXPECT_EQ(offers_of({probe_codec(Codec::kAv1, none)}).size(), 2u);
}

}  // namespace
}  // namespace stoa::work
