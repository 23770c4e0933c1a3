// The moving picture and the tone of `stoa-bench source`: a barcode strip, the producer's clock and frame
// number for people, a flash in step with the beep, and a textured background that scrolls so that an
// encoder has real work.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "barcode.h"

namespace stoa::bench {

// Draws yuv420p frames. Width and height are even and within [kMinBarcode…, kMaxPictureSide].
inline constexpr int kMaxPictureSide = 4096;

class Painter {
 public:
  Painter(int width, int height, int frames_per_second);

  // Valid until the next call: width * height luma bytes, then two quarter planes.
  std::span<const std::uint8_t> paint(const Stamp& stamp, std::int64_t unix_ms);

 private:
  void draw_background(std::uint32_t frame);
  void draw_noise(std::uint32_t frame);
  void draw_text(const char* text, int x, int y, int scale);
  void fill(int x, int y, int width, int height, std::uint8_t level);

  int width_, height_, frames_per_second_;
  std::vector<std::uint8_t> frame_;
  std::vector<std::uint8_t> texture_;  // Two pictures wide, so that scrolling is one copy a row.
};

inline constexpr int kToneRate = 48000;  // Samples a second, two channels, signed 16 bit.
inline constexpr int kToneChannels = 2;
inline constexpr int kBeepMilliseconds = 100;  // At the start of every second of media time.
inline constexpr int kEvenBeepHz = 1000, kOddBeepHz = 1500;

// Writes samples [first, first + count) of the tone, interleaved, to `out`: silence but for a beep at the
// start of each second, higher in odd seconds. Requires out.size() == count * kToneChannels.
void write_tone(std::int64_t first, std::size_t count, std::span<std::int16_t> out);

}  // namespace stoa::bench
