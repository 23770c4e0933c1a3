#include "work/complexity.h"

#include <gmock/gmock.h>

#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;

Duration number_at(int number, int rate) { return Duration::from_ticks(number, rate); }

// Squares of 4 by 4 pixels, by turns of two levels.
Image squares(AVPixelFormat format, int low, int high, Duration at, AVColorRange range = AVCOL_RANGE_MPEG) {
  Image image = plain(128, 64, format, low, 128, range);
  const AVFrame& frame = *image.pixels;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 128; ++x) {
      if ((x / 4 + y / 4) % 2 == 0) continue;
      std::uint8_t* row = frame.data[0] + y * frame.linesize[0];
      if (format == AV_PIX_FMT_YUV420P10LE) {
        reinterpret_cast<std::uint16_t*>(row)[x] = static_cast<std::uint16_t>(high);
      } else {
        row[x] = static_cast<std::uint8_t>(high);
      }
    }
  }
  image.pts = at;
  return image;
}

TEST(ComplexityMeter, measures_quarter_size_luma_in_full_range_whatever_the_range_and_depth) {
  struct Row {
    AVPixelFormat format;
    AVColorRange range;
    int low, high, changed;
  };
  for (const Row& row : {Row{AV_PIX_FMT_YUVJ420P, AVCOL_RANGE_JPEG, 51, 102, 153},
                         Row{AV_PIX_FMT_YUV420P, AVCOL_RANGE_JPEG, 51, 102, 153},
                         Row{AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, 16 + 44, 16 + 88, 16 + 131},
                         Row{AV_PIX_FMT_YUV420P10LE, AVCOL_RANGE_MPEG, 64 + 175, 64 + 350, 64 + 526}}) {
    ComplexityMeter meter;
    EXPECT_FALSE(meter.measure(squares(row.format, row.low, row.low, {}, row.range)));
    auto made = meter.measure(squares(row.format, row.low, row.high, number_at(1, 25), row.range));
    ASSERT_TRUE(made);
    EXPECT_NEAR(made->spatial, 51 + 51, 1.5);  // From each square to the right one and to the one below.
    EXPECT_NEAR(made->temporal, 51.0 / 2, 1);  // Half of them changed.
    ComplexityMeter other;
    EXPECT_FALSE(other.measure(squares(row.format, row.low, row.high, {}, row.range)));
    made = other.measure(squares(row.format, row.changed, row.changed, number_at(1, 25), row.range));
    ASSERT_TRUE(made);
    EXPECT_NEAR(made->spatial, 0, row.format == AV_PIX_FMT_YUV420P10LE ? 0.7 : 0);
    EXPECT_NEAR(made->temporal, (51 + 102) / 2.0, 1);
  }
}

TEST(ComplexityMeter, looks_at_neighbours_twice_a_second) {
  for (int rate : {60, 25, 1}) {
    ComplexityMeter meter;
    int measured = 0;
    // A step of one level a picture: more between pictures that are no neighbours.
    for (int number = 0; number < 10 * rate; ++number) {
      int level = 20 + number % 200;
      auto made = meter.measure(squares(AV_PIX_FMT_YUVJ420P, level, level, number_at(number, rate)));
      if (!made) continue;
      ++measured;
      if (level > 20) {
        EXPECT_EQ(made->temporal, 1) << number;
      }
    }
    EXPECT_NEAR(measured, rate == 1 ? 9 : 20, 1) << rate;
  }
}

TEST(ComplexityMeter, measures_no_change_between_pictures_of_other_sizes) {
  ComplexityMeter meter;
  auto sized = [](int width, int height, int number) {
    Image image = draw(width, height, number, number_at(number, 2));
    return image;
  };
  EXPECT_FALSE(meter.measure(sized(128, 72, 0)));
  EXPECT_FALSE(meter.measure(sized(320, 180, 1)));
  EXPECT_TRUE(meter.measure(sized(320, 180, 2)));
  EXPECT_FALSE(meter.measure(sized(2, 2, 3)));  // Nothing at a quarter.
  EXPECT_FALSE(meter.measure(sized(320, 180, 4)));
  EXPECT_TRUE(meter.measure(sized(320, 180, 5)));
}

}  // namespace
}  // namespace stoa::work
