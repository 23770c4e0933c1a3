#include "barcode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace stoa::bench {
namespace {

struct Picture {
  Picture(int width, int height) : pixels(static_cast<std::size_t>(width) * height, 90) {
    plane = {pixels.data(), width, height, width};
  }
  std::vector<std::uint8_t> pixels;
  Plane plane;
};

// Nearest-neighbour, which is harder on block edges than what a player does.
Picture scale(const Picture& from, int width, int height) {
  Picture to(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      to.pixels[y * width + x] =
          from.pixels[y * from.plane.height / height * from.plane.width + x * from.plane.width / width];
    }
  }
  return to;
}

TEST(Barcode, reads_back_what_was_drawn_at_every_size) {
  for (auto [width, height] : {std::pair{160, 90}, {426, 240}, {640, 360}, {1920, 1080}}) {
    for (std::uint32_t frame : {0u, 1u, 0xABCDEFu}) {
      Picture picture(width, height);
      Stamp stamp{7, frame, 0x9E3779B9u + frame};
      draw_barcode(stamp, picture.pixels.data(), picture.plane);
      EXPECT_EQ(read_barcode(picture.plane), stamp) << width << "x" << height;
    }
  }
}

TEST(Barcode, survives_scaling_to_another_size) {
  Picture picture(640, 360);
  Stamp stamp{1, 123456, 3'000'000'000u};
  draw_barcode(stamp, picture.pixels.data(), picture.plane);
  for (auto [width, height] : {std::pair{426, 240}, {1280, 720}, {333, 187}}) {
    EXPECT_EQ(read_barcode(scale(picture, width, height).plane), stamp) << width << "x" << height;
  }
}

TEST(Barcode, survives_noise_and_a_flattened_contrast) {
  Picture picture(640, 360);
  Stamp stamp{2, 99, 12345};
  draw_barcode(stamp, picture.pixels.data(), picture.plane);
  std::uint32_t noise = 1;
  for (auto& pixel : picture.pixels) {
    noise = noise * 1664525u + 1013904223u;
    pixel =
        static_cast<std::uint8_t>(std::clamp(60 + pixel / 2 + static_cast<int>(noise >> 26) - 32, 0, 255));
  }
  EXPECT_EQ(read_barcode(picture.plane), stamp);
}

TEST(Barcode, refuses_a_picture_without_a_strip) {
  Picture grey(640, 360), black(640, 360), tiny(64, 48);
  std::fill(black.pixels.begin(), black.pixels.end(), 16);
  EXPECT_EQ(read_barcode(grey.plane), std::nullopt);
  EXPECT_EQ(read_barcode(black.plane), std::nullopt);
  EXPECT_EQ(read_barcode(tiny.plane), std::nullopt);
}

TEST(Barcode, refuses_a_strip_with_one_block_flipped) {
  Picture picture(640, 360);
  draw_barcode({3, 42, 77}, picture.pixels.data(), picture.plane);
  for (int column = 0; column < kBarcodeColumns; ++column) {
    Picture damaged = picture;
    damaged.plane.pixels = damaged.pixels.data();
    for (int y = 24; y < 48; ++y) {
      for (int x = column * 32; x < column * 32 + 32; ++x) {
        auto& pixel = damaged.pixels[y * 640 + x];
        pixel = static_cast<std::uint8_t>(251 - pixel);
      }
    }
    EXPECT_EQ(read_barcode(damaged.plane), std::nullopt) << column;
  }
}

}  // namespace
}  // namespace stoa::bench
