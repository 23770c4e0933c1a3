#include "picture.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace stoa::bench {
namespace {

// 3 x 5 dots a digit, rows from the top, three bits each.
struct Glyph {
  char letter;
  std::uint8_t rows[5];
};
constexpr Glyph kGlyphs[] = {
    {'0', {7, 5, 5, 5, 7}}, {'1', {2, 6, 2, 2, 7}}, {'2', {7, 1, 7, 4, 7}}, {'3', {7, 1, 7, 1, 7}},
    {'4', {5, 5, 7, 1, 1}}, {'5', {7, 4, 7, 1, 7}}, {'6', {7, 4, 7, 5, 7}}, {'7', {7, 1, 1, 1, 1}},
    {'8', {7, 5, 7, 5, 7}}, {'9', {7, 5, 7, 1, 7}}, {':', {0, 2, 0, 2, 0}}, {'.', {0, 0, 0, 0, 2}},
};
constexpr int kAdvance = 4;  // Dots from one letter to the next.
constexpr double kPi = 3.14159265358979323846;

std::uint32_t hash(std::uint32_t x, std::uint32_t y) {
  std::uint32_t h = x * 0x9E3779B1u ^ y * 0x85EBCA77u;
  h = (h ^ h >> 15) * 0x2C1B3C6Du;
  return h ^ h >> 12;
}

}  // namespace

Painter::Painter(int width, int height, int frames_per_second)
    : width_(width),
      height_(height),
      frames_per_second_(frames_per_second),
      frame_(static_cast<std::size_t>(width) * height * 3 / 2, 128),
      texture_(static_cast<std::size_t>(width) * height * 2) {
  constexpr int kCell = 8;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      auto coarse = hash(static_cast<std::uint32_t>(x / kCell), static_cast<std::uint32_t>(y / kCell)) & 31;
      int level = 60 + 80 * y / height + static_cast<int>(coarse);
      texture_[static_cast<std::size_t>(y) * width * 2 + x] = static_cast<std::uint8_t>(level);
    }
    auto* row = texture_.data() + static_cast<std::size_t>(y) * width * 2;
    std::memcpy(row + width, row, static_cast<std::size_t>(width));
  }
}

void Painter::fill(int x, int y, int width, int height, std::uint8_t level) {
  int right = std::min(x + width, width_), bottom = std::min(y + height, height_);
  for (int row = std::max(y, 0); row < bottom; ++row) {
    if (right > x) std::memset(frame_.data() + row * width_ + x, level, static_cast<std::size_t>(right - x));
  }
}

void Painter::draw_text(const char* text, int x, int y, int scale) {
  for (; *text; ++text, x += kAdvance * scale) {
    for (const Glyph& glyph : kGlyphs) {
      if (glyph.letter != *text) continue;
      for (int row = 0; row < 5; ++row) {
        for (int dot = 0; dot < 3; ++dot) {
          if (glyph.rows[row] >> (2 - dot) & 1) fill(x + dot * scale, y + row * scale, scale, scale, 235);
        }
      }
    }
  }
}

void Painter::draw_background(std::uint32_t frame) {
  int offset = static_cast<int>(frame * 2 % static_cast<std::uint32_t>(width_));
  for (int y = 0; y < height_; ++y) {
    std::memcpy(frame_.data() + static_cast<std::size_t>(y) * width_,
                texture_.data() + static_cast<std::size_t>(y) * width_ * 2 + offset,
                static_cast<std::size_t>(width_));
  }
}

// Grain that no motion vector explains, so that an encoder needs the rate it was given.
void Painter::draw_noise(std::uint32_t frame) {
  constexpr int kGrain = 4;
  for (int y = height_ * 7 / 8; y < height_; ++y) {
    for (int x = 0; x < width_; ++x) {
      auto grain =
          hash(static_cast<std::uint32_t>(x / kGrain) + frame * 977, static_cast<std::uint32_t>(y / kGrain));
      frame_[static_cast<std::size_t>(y) * width_ + x] = static_cast<std::uint8_t>(100 + (grain & 63));
    }
  }
}

std::span<const std::uint8_t> Painter::paint(const Stamp& stamp, std::int64_t unix_ms) {
  draw_background(stamp.frame);
  draw_barcode(stamp, frame_.data(), {frame_.data(), width_, height_, width_});

  int scale = std::max(1, height_ / 60);
  int text_top = height_ * kBarcodeRows / kBarcodeRowsInPicture + 3 * scale;
  fill(0, text_top - 2 * scale, width_, 16 * scale, 16);
  std::time_t seconds = unix_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<int>(unix_ms % 1000));
  draw_text(text, 2 * scale, text_top, scale);
  std::snprintf(text, sizeof text, "%u", stamp.frame);
  draw_text(text, 2 * scale, text_top + 7 * scale, scale);

  auto in_second = stamp.frame % static_cast<std::uint32_t>(frames_per_second_);
  if (in_second * 1000 < static_cast<std::uint32_t>(kBeepMilliseconds * frames_per_second_)) {
    fill(width_ - 12 * scale, text_top, 10 * scale, 12 * scale, 235);
  }
  draw_noise(stamp.frame);
  // A bar that crosses the lower half once every four seconds shows people a dropped or repeated frame.
  auto cycle = static_cast<std::uint32_t>(4 * frames_per_second_);
  int bar = static_cast<int>(stamp.frame % cycle) * width_ / static_cast<int>(cycle);
  fill(bar, height_ * 2 / 3, 2 * scale, height_ / 4, 235);
  return frame_;
}

void write_tone(std::int64_t first, std::size_t count, std::span<std::int16_t> out) {
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t sample = first + static_cast<std::int64_t>(i);
    std::int64_t second = sample / kToneRate, within = sample % kToneRate;
    double level = 0;
    if (within * 1000 < static_cast<std::int64_t>(kBeepMilliseconds) * kToneRate) {
      double hertz = second % 2 == 0 ? kEvenBeepHz : kOddBeepHz;
      level = 0.5 * std::sin(2 * kPi * hertz * static_cast<double>(within) / kToneRate);
    }
    auto value = static_cast<std::int16_t>(level * 32767);
    for (int channel = 0; channel < kToneChannels; ++channel) out[i * kToneChannels + channel] = value;
  }
}

}  // namespace stoa::bench
