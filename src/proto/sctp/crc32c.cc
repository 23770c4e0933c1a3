#include "proto/sctp/crc32c.h"

#include <array>

#include "base/assert.h"

namespace stoa::sctp {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41 with its bits turned around.

// tables[k][b]: what byte b adds when k more bytes follow it in the group of eight.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b) {
      std::uint32_t before = tables[k - 1][b];
      tables[k][b] = before >> 8 ^ tables[0][before & 0xff];
    }
  return tables;
}();

std::uint32_t load_little_endian(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

std::uint32_t update(std::uint32_t crc, Bytes bytes) {
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) {
    std::uint32_t low = load_little_endian(p) ^ crc, high = load_little_endian(p + 4);
    crc = kTables[7][low & 0xff] ^ kTables[6][low >> 8 & 0xff] ^ kTables[5][low >> 16 & 0xff] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^ kTables[2][high >> 8 & 0xff] ^
          kTables[1][high >> 16 & 0xff] ^ kTables[0][high >> 24];
  }
  for (; left > 0; --left, ++p) crc = crc >> 8 ^ kTables[0][(crc ^ *p) & 0xff];
  return crc;
}

}  // namespace

std::uint32_t crc32c(Bytes bytes) { return ~update(0xffff'ffff, bytes); }

std::uint32_t packet_checksum(Bytes packet) {
  STOA_DCHECK(packet.size() >= 12);
  constexpr std::array<std::uint8_t, 4> kZero{};
  std::uint32_t crc = update(0xffff'ffff, packet.first(8));
  crc = update(crc, kZero);
  return ~update(crc, packet.subspan(12));
}

}  // namespace stoa::sctp
