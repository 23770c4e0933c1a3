#include "barcode.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace stoa::bench {
namespace {

constexpr int kBits = kBarcodeColumns * kBarcodeRows;
constexpr std::uint8_t kBlack = 16, kWhite = 235;
constexpr int kMinContrast = 60;
using Code = std::array<std::uint8_t, kBits / 8>;

std::uint16_t crc_of(const Code& code) {
  std::uint32_t crc = 0xFFFF;
  for (std::size_t i = 0; i + 2 < code.size(); ++i) {
    crc ^= static_cast<std::uint32_t>(code[i]) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xFFFF;
  }
  return static_cast<std::uint16_t>(crc);
}

Code encode(const Stamp& stamp) {
  Code code{};
  code[0] = stamp.source;
  for (int i = 0; i < 3; ++i) code[1 + i] = static_cast<std::uint8_t>(stamp.frame >> (16 - 8 * i));
  for (int i = 0; i < 4; ++i) code[4 + i] = static_cast<std::uint8_t>(stamp.clock >> (24 - 8 * i));
  std::uint16_t crc = crc_of(code);
  code[8] = static_cast<std::uint8_t>(crc >> 8);
  code[9] = static_cast<std::uint8_t>(crc);
  return code;
}

int column_edge(const Plane& plane, int column) { return column * plane.width / kBarcodeColumns; }

// Mean of the middle half of a block, away from its blurred edges.
int block_mean(const Plane& plane, int row, int column) {
  int row_height = plane.height / kBarcodeRowsInPicture;
  int left = column_edge(plane, column), right = column_edge(plane, column + 1);
  int x0 = left + (right - left) / 4, x1 = right - (right - left) / 4;
  int y0 = row * row_height + row_height / 4, y1 = (row + 1) * row_height - row_height / 4;
  int sum = 0, count = 0;
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x, ++count) sum += plane.pixels[y * plane.stride + x];
  }
  return count > 0 ? sum / count : 0;
}

}  // namespace

void draw_barcode(const Stamp& stamp, std::uint8_t* pixels, const Plane& plane) {
  Code code = encode(stamp);
  int row_height = plane.height / kBarcodeRowsInPicture;
  for (int bit = 0; bit < kBits; ++bit) {
    int row = bit / kBarcodeColumns, column = bit % kBarcodeColumns;
    std::uint8_t level = code[bit / 8] >> (7 - bit % 8) & 1 ? kWhite : kBlack;
    int left = column_edge(plane, column), right = column_edge(plane, column + 1);
    for (int y = row * row_height; y < (row + 1) * row_height; ++y) {
      std::memset(pixels + y * plane.stride + left, level, static_cast<std::size_t>(right - left));
    }
  }
}

std::optional<Stamp> read_barcode(const Plane& plane) {
  if (plane.width < kMinBarcodeWidth || plane.height < kMinBarcodeHeight) return std::nullopt;
  std::array<int, kBits> means;
  for (int bit = 0; bit < kBits; ++bit) {
    means[bit] = block_mean(plane, bit / kBarcodeColumns, bit % kBarcodeColumns);
  }
  auto [darkest, brightest] = std::minmax_element(means.begin(), means.end());
  if (*brightest - *darkest < kMinContrast) return std::nullopt;
  int threshold = (*brightest + *darkest) / 2;
  Code code{};
  for (int bit = 0; bit < kBits; ++bit) {
    if (means[bit] > threshold) code[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  }
  if (crc_of(code) != (code[8] << 8 | code[9])) return std::nullopt;
  Stamp stamp;
  stamp.source = code[0];
  for (int i = 0; i < 3; ++i) stamp.frame = stamp.frame << 8 | code[1 + i];
  for (int i = 0; i < 4; ++i) stamp.clock = stamp.clock << 8 | code[4 + i];
  return stamp;
}

}  // namespace stoa::bench
