#include "work/scaler.h"

#include <gtest/gtest.h>

#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;

// One colour all over; 16 bits a sample where `format` has more than 8.
Image plain(int width, int height, AVPixelFormat format, int luma, int chroma, AVColorRange range) {
  FramePtr frame = make_frame();
  frame->width = width, frame->height = height, frame->format = format, frame->color_range = range;
  if (av_frame_get_buffer(frame.get(), 0) != 0) throw std::bad_alloc();
  const AVPixFmtDescriptor& about = *av_pix_fmt_desc_get(format);
  for (int plane = 0; plane < 3; ++plane) {
    int value = plane == 0 ? luma : chroma;
    int rows = plane == 0 ? height : AV_CEIL_RSHIFT(height, about.log2_chroma_h);
    int columns = plane == 0 ? width : AV_CEIL_RSHIFT(width, about.log2_chroma_w);
    for (int y = 0; y < rows; ++y) {
      std::uint8_t* row = frame->data[plane] + y * frame->linesize[plane];
      for (int x = 0; x < columns; ++x) {
        if (about.comp[plane].depth > 8) {
          reinterpret_cast<std::uint16_t*>(row)[x] = static_cast<std::uint16_t>(value);
        } else {
          row[x] = static_cast<std::uint8_t>(value);
        }
      }
    }
  }
  return {Duration::milliseconds(40), std::shared_ptr<const AVFrame>(std::move(frame))};
}

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
