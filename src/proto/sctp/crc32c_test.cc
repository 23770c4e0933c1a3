#include "proto/sctp/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>

namespace stoa::sctp {
namespace {

// RFC 3720 Appendix B.4, and the usual check value.
TEST(Crc32c, agrees_with_the_vectors_of_iscsi) {
  EXPECT_EQ(crc32c(Buffer(32, 0x00)), 0x8a9136aau);
  EXPECT_EQ(crc32c(Buffer(32, 0xff)), 0x62a8ab43u);
  Buffer up(32);
  std::iota(up.begin(), up.end(), std::uint8_t{0});
  EXPECT_EQ(crc32c(up), 0x46dd794eu);
  Buffer down(up.rbegin(), up.rend());
  EXPECT_EQ(crc32c(down), 0x113fdb5cu);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, is_the_same_bit_by_bit_for_every_length_and_alignment) {
  Buffer bytes(80);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + 11);
  for (std::size_t from = 0; from < 9; ++from)
    for (std::size_t to = from; to <= bytes.size(); ++to) {
      std::uint32_t slow = 0xffff'ffff;
      for (std::size_t i = from; i < to; ++i) {
        slow ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) slow = slow >> 1 ^ (slow & 1 ? 0x82f63b78u : 0);
      }
      ASSERT_EQ(crc32c(Bytes(bytes).subspan(from, to - from)), ~slow);
    }
}

TEST(Crc32c, of_a_packet_leaves_its_own_field_out) {
  Buffer packet(40, 7);
  std::uint32_t before = packet_checksum(packet);
  packet[8] = 1;
  packet[11] = 99;
  EXPECT_EQ(packet_checksum(packet), before);
  packet[12] ^= 1;
  EXPECT_NE(packet_checksum(packet), before);
}

}  // namespace
}  // namespace stoa::sctp
