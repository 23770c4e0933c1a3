#include "work/video_encoder.h"

#include <gmock/gmock.h>

#include <set>

#include "media/nal.h"
#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;

media::Rung rung(std::uint32_t width = 128, std::uint32_t height = 72) {
  media::Rung made{.name = "test", .bitrate_max = 4'000'000, .rate_factor = 23};
  made.width = width, made.height = height;
  return made;
}
VideoEncoderConfig config_of(const media::Rung& rung) { return {.rung = rung, .preset = "ultrafast"}; }

TEST(VideoEncoder, puts_keyframes_where_told_and_nowhere_else) {
  auto encoder = make_video_encoder(config_of(rung()));
  ASSERT_TRUE(encoder);
  // 300 pictures, each a change of scene; 250 is libx264's own interval.
  std::set<int> told{0, 1, 37, 38, 295};
  for (int number = 0; number < 300; ++number) {
    Duration pts = Duration::nanoseconds(1'000'000'007LL + number * 33'333'333LL);
    auto frame = (*encoder)->encode(draw(128, 72, number * 341 % 1024, pts, 100), told.contains(number));
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->pts, pts);
    ASSERT_EQ(frame->dts, pts);
    ASSERT_EQ(frame->is_keyframe, told.contains(number)) << number;
    auto facts = media::inspect(*(*encoder)->format(), frame->payload.bytes());
    ASSERT_TRUE(facts);
    ASSERT_EQ(facts->is_keyframe, told.contains(number)) << number;
  }
}

TEST(VideoEncoder, makes_frames_that_decode_to_the_pictures_that_went_in) {
  auto encoder = make_video_encoder(config_of(rung()));
  std::vector<media::Frame> frames;
  for (int number = 0; number < 60; ++number) {
    Duration pts = Duration::milliseconds(40 * number + number % 7);
    frames.push_back(*(*encoder)->encode(draw(128, 72, number, pts), number % 25 == 0));
  }
  std::vector<Image> images = decode_all((*encoder)->format(), frames);
  ASSERT_EQ(images.size(), 60u);
  for (int number = 0; number < 60; ++number) {
    EXPECT_EQ(number_of(*images[static_cast<std::size_t>(number)].pixels), number);
    EXPECT_EQ(images[static_cast<std::size_t>(number)].pts, frames[static_cast<std::size_t>(number)].pts);
  }
}

TEST(VideoEncoder, says_size_rate_order_and_colour_in_its_configuration_record) {
  VideoEncoderConfig config = config_of(rung(426, 240));
  config.frame_rate_numerator = 30000, config.frame_rate_denominator = 1001;
  config.colour = {1, 1, 1, false};
  config.preset = "veryfast";
  auto encoder = make_video_encoder(config);
  ASSERT_TRUE(encoder);
  const media::Format& format = *(*encoder)->format();
  EXPECT_EQ(format.codec, media::Codec::kH264);
  EXPECT_EQ(format.codec_string.substr(0, 7), "avc1.64");
  EXPECT_EQ(format.width, 426u);
  EXPECT_EQ(format.height, 240u);
  EXPECT_EQ(format.frame_rate_numerator, 30000u);
  EXPECT_EQ(format.frame_rate_denominator, 1001u);
  auto picture = media::read_picture(format);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->reorder_frames, 0u);
  EXPECT_EQ(picture->colour, config.colour);
}

TEST(VideoEncoder, sends_slices_alone) {
  VideoEncoderConfig config = config_of(rung());
  config.threads = 2;
  auto encoder = make_video_encoder(config);
  for (int number = 0; number < 5; ++number) {
    auto frame = (*encoder)->encode(draw(128, 72, number, Duration::milliseconds(40 * number)), number == 0);
    ASSERT_TRUE(frame);
    media::NalCutter cutter(frame->payload.bytes(), 4);
    while (!cutter.at_end()) EXPECT_EQ((*cutter.next())[0] & 0x1f, number == 0 ? 5 : 1);
  }
}

TEST(VideoEncoder, holds_the_cap_over_any_two_seconds) {
  for (std::uint32_t rate_factor : {18u, 0u}) {
    media::Rung capped = rung(320, 180);
    capped.bitrate_max = 500'000, capped.bitrate_mean = 400'000, capped.rate_factor = rate_factor;
    auto encoder = make_video_encoder(config_of(capped));
    ASSERT_TRUE(encoder);
    std::vector<std::size_t> bits;
    for (int number = 0; number < 240; ++number) {
      Duration pts = Duration::from_ticks(number, 30);
      auto frame = (*encoder)->encode(draw(320, 180, number, pts, 60), number % 60 == 0);
      bits.push_back(8 * frame->payload.size());
    }
    for (std::size_t from = 0; from + 60 <= bits.size(); ++from) {
      std::size_t sum = 0;
      for (std::size_t at = from; at < from + 60; ++at) sum += bits[at];
      // What two seconds bring, and at the very most the buffer of one second that was saved up before.
      ASSERT_LE(sum, 3 * 500'000u) << "from picture " << from << " at rate factor " << rate_factor;
    }
    std::size_t all = 0;
    for (std::size_t size : bits) all += size;
    EXPECT_LE(all, 9 * 500'000u);
    EXPECT_GE(all, 8 * 250'000u);  // Noise needs more than the cap: it is used.
  }
}

TEST(VideoEncoder, refuses_rungs_that_cannot_be) {
  auto refusal_of = [](auto change) {
    media::Rung asked = rung();
    change(asked);
    auto encoder = make_video_encoder(config_of(asked));
    return !encoder && encoder.error() == EncodeRefusal::kRung;
  };
  EXPECT_TRUE(refusal_of([](media::Rung& asked) { asked.width = 127; }));
  EXPECT_TRUE(refusal_of([](media::Rung& asked) { asked.height = 0; }));
  EXPECT_TRUE(refusal_of([](media::Rung& asked) { asked.width = 20'000; }));
  EXPECT_TRUE(refusal_of([](media::Rung& asked) { asked.codec = media::Codec::kAac; }));
  EXPECT_TRUE(refusal_of([](media::Rung& asked) { asked.bitrate_max = 0; }));
  EXPECT_TRUE(refusal_of([](media::Rung& asked) { asked.rate_factor = 0; }));  // And no mean either.
  EXPECT_FALSE(refusal_of([](media::Rung&) {}));
}

TEST(VideoEncoder, refuses_a_preset_that_there_is_not) {
  VideoEncoderConfig config = config_of(rung());
  config.preset = "soon";
  EXPECT_EQ(make_video_encoder(config).error(), EncodeRefusal::kEncoder);
}

class OtherCodecs : public testing::TestWithParam<media::Codec> {
 protected:
  VideoEncoderConfig config_of(std::uint32_t width, std::uint32_t height) const {
    VideoEncoderConfig config{.rung = rung(width, height), .preset = "ultrafast"};
    config.rung.codec = GetParam();
    config.colour = {1, 1, 1};
    return config;
  }
};

TEST_P(OtherCodecs, have_keyframes_where_told_and_all_pictures_at_once) {
  auto encoder = make_video_encoder(config_of(128, 72));
  ASSERT_TRUE(encoder);
  EXPECT_EQ((*encoder)->name(), processor_encoder_of(GetParam()));
  std::set<int> told{0, 1, 37, 38, 130};
  std::vector<media::Frame> frames;
  // Each picture is a change of scene, at no steady rate.
  for (int number = 0; number < 150; ++number) {
    Duration pts = Duration::nanoseconds(1'000'000'007LL + number * 33'333'333LL + number % 3);
    auto frame = (*encoder)->encode(draw(128, 72, number * 341 % 1024, pts, 100), told.contains(number));
    ASSERT_TRUE(frame) << number;
    ASSERT_EQ(frame->pts, pts);
    ASSERT_EQ(frame->dts, pts);
    ASSERT_EQ(frame->is_keyframe, told.contains(number)) << number;
    auto facts = media::inspect(*(*encoder)->format(), frame->payload.bytes());
    ASSERT_TRUE(facts) << number;
    ASSERT_EQ(facts->is_keyframe, told.contains(number)) << number;
    ASSERT_FALSE(facts->new_format) << number;  // What it said at the start holds.
    frames.push_back(std::move(*frame));
  }
  // All of it, and all from a keyframe on.
  for (std::size_t from : {0u, 38u, 130u}) {
    std::vector<Image> images = decode_all(
        (*encoder)->format(), std::vector(frames.begin() + static_cast<std::ptrdiff_t>(from), frames.end()));
    ASSERT_EQ(images.size(), 150 - from);
    for (std::size_t i = 0; i < images.size(); ++i) {
      ASSERT_EQ(number_of(*images[i].pixels), static_cast<int>((from + i) * 341 % 1024)) << from << " " << i;
      ASSERT_EQ(images[i].pts, frames[from + i].pts);
    }
  }
}

TEST_P(OtherCodecs, say_size_and_colour_to_decoders) {
  auto encoder = make_video_encoder(config_of(426, 240));
  ASSERT_TRUE(encoder);
  const media::Format& format = *(*encoder)->format();
  EXPECT_EQ(format.codec, GetParam());
  EXPECT_EQ(format.width, 426u);
  EXPECT_EQ(format.height, 240u);
  auto picture = media::read_picture(format);
  ASSERT_TRUE(picture && picture->colour);
  EXPECT_EQ(picture->colour->matrix, 1);
  EXPECT_EQ(picture->colour->transfer, 1);
  std::vector<media::Frame> frames{*(*encoder)->encode(draw(426, 240, 77, {}), true)};
  std::vector<Image> images = decode_all((*encoder)->format(), frames);
  ASSERT_EQ(images.size(), 1u);
  EXPECT_EQ(images[0].pixels->width, 426);
  EXPECT_EQ(images[0].pixels->color_range, AVCOL_RANGE_MPEG);
}

TEST_P(OtherCodecs, hold_the_cap) {
  for (std::uint32_t rate_factor : {20u, 0u}) {
    VideoEncoderConfig config = config_of(320, 180);
    config.rung.bitrate_max = 500'000, config.rung.bitrate_mean = 400'000,
    config.rung.rate_factor = rate_factor;
    auto encoder = make_video_encoder(config);
    ASSERT_TRUE(encoder);
    std::size_t bits = 0;
    for (int number = 0; number < 150; ++number) {
      Duration pts = Duration::from_ticks(number, 30);
      auto frame = (*encoder)->encode(draw(320, 180, number, pts, 60), number % 60 == 0);
      bits += 8 * frame->payload.size();
    }
    EXPECT_LE(bits, 6 * 500'000u) << rate_factor;
    EXPECT_GE(bits, 5 * 250'000u) << rate_factor;
  }
}

INSTANTIATE_TEST_SUITE_P(Codecs, OtherCodecs,
                         testing::Values(media::Codec::kHevc, media::Codec::kVp9, media::Codec::kAv1),
                         [](const auto& row) { return std::string(media::name_of(row.param)); });

}  // namespace
}  // namespace stoa::work
