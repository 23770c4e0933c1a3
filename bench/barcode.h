// A time stamp a machine can read out of a picture: black and white blocks across the top of the frame,
// big enough to survive a low-bitrate encoder and scaling. tests/e2e/lib/barcode.mjs reads the same strip
// in a browser.
//
// The strip is kColumns blocks wide and kRows blocks high, each row 1/15 of the picture's height. The bits
// run left to right, top to bottom, most significant first; white is 1:
//   source 8 · frame 24 · clock 32 · CRC-16/CCITT (0x1021, from 0xFFFF) over the eight bytes before it 16
#pragma once

#include <cstdint>
#include <optional>

namespace stoa::bench {

struct Stamp {
  std::uint8_t source = 0;  // Which producer, so that a takeover can be seen.
  std::uint32_t frame = 0;  // Counts from 0, modulo 2^24.
  std::uint32_t clock = 0;  // Milliseconds since 1970, modulo 2^32.

  bool operator==(const Stamp&) const = default;
};

// One 8-bit luma plane; `stride` is the distance of two rows in bytes.
struct Plane {
  const std::uint8_t* pixels = nullptr;
  int width = 0, height = 0, stride = 0;
};

inline constexpr int kBarcodeColumns = 20;
inline constexpr int kBarcodeRows = 4;
inline constexpr int kBarcodeRowsInPicture = 15;  // The strip's row height is height / 15.
inline constexpr int kMinBarcodeWidth = 160, kMinBarcodeHeight = 90;

// Requires a picture of at least kMinBarcodeWidth x kMinBarcodeHeight. `pixels` is the same plane, writable.
void draw_barcode(const Stamp& stamp, std::uint8_t* pixels, const Plane& plane);
// Nullopt when there is no strip, its contrast is too low or its checksum is wrong.
std::optional<Stamp> read_barcode(const Plane& plane);

}  // namespace stoa::bench
