#include "work/scaler.h"

#include <gtest/gtest.h>

#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;

TEST(Scaler, keeps_known_pixels_where_they_were) {
  Image image = draw(640, 360, 0b1011001110, Duration::nanoseconds(123'456'789));
  Scaler scaler(320, 180);
  auto scaled = scaler.scale(image);
  ASSERT_TRUE(scaled);
  EXPECT_EQ(scaled->pts, image.pts);
  EXPECT_EQ(scaled->pixels->width, 320);
  EXPECT_EQ(scaled->pixels->height, 180);
  EXPECT_EQ(scaled->pixels->format, AV_PIX_FMT_YUV420P);
  EXPECT_EQ(number_of(*scaled->pixels), 0b1011001110);
  EXPECT_NEAR(luma_at(*scaled->pixels, 16, 45), 40, 1);     // Bit 0.
  EXPECT_NEAR(luma_at(*scaled->pixels, 48, 45), 200, 1);    // Bit 1.
  EXPECT_NEAR(luma_at(*scaled->pixels, 160, 150), 128, 1);  // Below.
  EXPECT_NEAR(scaled->pixels->data[1][40 * scaled->pixels->linesize[1] + 80], 128, 1);
}

TEST(Scaler, passes_on_what_is_right_already) {
  Image image = draw(128, 72, 5, {});
  Scaler scaler(128, 72);
  EXPECT_EQ(scaler.scale(image)->pixels, image.pixels);
}

TEST(Scaler, makes_full_range_limited) {
  Scaler scaler(64, 36);
  for (AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P}) {
    auto white = scaler.scale(plain(64, 36, format, 255, 128, AVCOL_RANGE_JPEG));
    auto black = scaler.scale(plain(64, 36, format, 0, 128, AVCOL_RANGE_JPEG));
    EXPECT_NEAR(luma_at(*white->pixels, 30, 20), 235, 1);
    EXPECT_NEAR(luma_at(*black->pixels, 30, 20), 16, 1);
    EXPECT_EQ(white->pixels->color_range, AVCOL_RANGE_MPEG);
  }
}

TEST(Scaler, shows_all_of_another_shape_between_bars) {
  struct Row {
    int width, height;
    AVRational pixel;
    int left, top;  // Bars.
  };
  for (Row row : {Row{640, 480, {1, 1}, 40, 0}, Row{480, 640, {1, 1}, 92, 0}, Row{1'024, 256, {1, 1}, 0, 50},
                  Row{720, 576, {64, 45}, 0, 0}, Row{720, 576, {16, 15}, 40, 0}, Row{321, 179, {1, 1}, 0, 0},
                  Row{720, 480, {40, 33}, 0, 2}, Row{320, 180, {2, 1}, 0, 45}}) {
    FramePtr frame(av_frame_clone(plain(row.width, row.height, AV_PIX_FMT_YUV420P, 200, 90).pixels.get()));
    frame->sample_aspect_ratio = row.pixel;
    auto scaled = Scaler(320, 180).scale({{}, std::shared_ptr<const AVFrame>(std::move(frame)), {}});
    ASSERT_TRUE(scaled);
    const AVFrame& made = *scaled->pixels;
    EXPECT_EQ(made.sample_aspect_ratio.num, made.sample_aspect_ratio.den);
    auto is_black = [&](int x, int y) {
      return luma_at(made, x, y) == 16 && made.data[1][y / 2 * made.linesize[1] + x / 2] == 128;
    };
    int left = 0, right = 0, top = 0, bottom = 0;
    while (left < 320 && is_black(left, 90)) ++left;
    while (right < 320 && is_black(319 - right, 90)) ++right;
    while (top < 180 && is_black(160, top)) ++top;
    while (bottom < 180 && is_black(160, 179 - bottom)) ++bottom;
    std::string name = std::to_string(row.width) + "x" + std::to_string(row.height);
    EXPECT_NEAR(left, row.left, 1) << name;
    EXPECT_NEAR(right, row.left, 1) << name;
    EXPECT_NEAR(top, row.top, 1) << name;
    EXPECT_NEAR(bottom, row.top, 1) << name;
    for (auto [x, y] : {std::pair(left + 2, top + 2), {317 - right, 177 - bottom}, {160, 90}}) {
      EXPECT_NEAR(luma_at(made, x, y), 200, 2) << name;
      EXPECT_NEAR(made.data[1][y / 2 * made.linesize[1] + x / 2], 90, 2) << name;
    }
  }
}

TEST(Scaler, reads_other_pixel_formats_and_follows_their_changes) {
  Scaler scaler(64, 36);
  auto tens = scaler.scale(plain(320, 180, AV_PIX_FMT_YUV422P10LE, 4 * 180, 4 * 90, AVCOL_RANGE_MPEG));
  ASSERT_TRUE(tens);
  EXPECT_NEAR(luma_at(*tens->pixels, 30, 20), 180, 1);
  EXPECT_NEAR(tens->pixels->data[1][10 * tens->pixels->linesize[1] + 10], 90, 1);
  auto larger = scaler.scale(plain(641, 481, AV_PIX_FMT_YUV444P, 77, 200, AVCOL_RANGE_MPEG));
  ASSERT_TRUE(larger);
  EXPECT_NEAR(luma_at(*larger->pixels, 30, 20), 77, 1);
  EXPECT_NEAR(larger->pixels->data[2][10 * larger->pixels->linesize[2] + 10], 200, 1);
}

}  // namespace
}  // namespace stoa::work
